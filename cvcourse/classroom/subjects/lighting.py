"""Bad light whose law is known: lamps, and what a camera saves under them."""

import torch
from torch import Tensor

GAMMA = 2.2  # of the camera's file


def lamps(count: int, side: int, generator: torch.Generator, even: bool = False) -> Tensor:
    """Light (count, 1, side, side) of `count` lamps.

    even: all pixels alike, from 0.04 to 0.3. Otherwise a lamp at one side, any side: it falls off
        by the same factor from pixel to pixel, from 0.3 to 0.9 down to 0.02 to 0.1.
    """
    share = torch.rand(3, count, 1, 1, 1, generator=generator)
    if even:
        return (0.04 * 7.5 ** share[0]).expand(count, 1, side, side)
    dark, bright, angle = 0.02 * 5 ** share[0], 0.3 * 3 ** share[1], 2 * torch.pi * share[2]
    line = torch.linspace(-1, 1, side)
    way = angle.cos() * line + angle.sin() * line[:, None]
    low, high = way.amin((2, 3), keepdim=True), way.amax((2, 3), keepdim=True)
    return dark * (bright / dark) ** ((way - low) / (high - low))


def photographed(pictures: Tensor, light: Tensor | float, generator: torch.Generator) -> Tensor:
    """What a camera saves of `pictures` (B, C, H, W) in [0, 1] under this light, in 8 bits.

    In linear light it sees light · picture^2.2 with noise of variance 1e-4 of that, and 1e-6; what
    is below 0 or above 1 is cut off.
    """
    seen = light * pictures**GAMMA
    noise = (1e-4 * seen + 1e-6).sqrt() * torch.randn(seen.shape, generator=generator)
    return (255 * (seen + noise).clamp(0, 1) ** (1 / GAMMA)).round() / 255
