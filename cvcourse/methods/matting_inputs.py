"""What background matting is given while it learns: a background that is not quite the true one,
and a segmentation that is not quite the subject.

Perfect inputs would teach a network to subtract; those of a hand-held camera and of a segmentation
network are off. Numbers of the authors' code for pictures of about 512 pixels; for smaller ones
choose fewer steps and smaller holes.

Reference: Sengupta et al., Background Matting: The World is Your Green Screen, 2020,
arXiv:2004.00626.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops import blur, gaussian_kernel


def perturb_background(
    backgrounds: Float[Tensor, "batch 3 height width"],
    *,
    noisy: float = 0.4,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch 3 height width"]:
    """Each background a little brighter or darker, by noise or by gamma.

    Args:
        backgrounds: in [0, 1].
        noisy: share of the pictures with noise, of a mean between -7 and 6 and a standard deviation
            between 2 and 5, whole numbers, of 255, clipped; the others are raised to a power,
            normal of mean 1 and standard deviation 0.12.
        generator: draws on the CPU.

    Raises ValueError for a share outside [0, 1].
    """
    if not 0 <= noisy <= 1:
        raise ValueError(f"noisy must lie in [0, 1], got {noisy}")
    like = {"generator": generator, "device": "cpu"}
    numbers = {**like, "dtype": torch.float32}
    out = []
    for background in backgrounds:
        if float(torch.rand((), **numbers)) < noisy:
            mean = int(torch.randint(-7, 7, (), **like)) / 255
            std = int(torch.randint(2, 6, (), **like)) / 255
            noise = torch.randn(background.shape, **numbers).to(background)
            out.append((background + mean + std * noise).clamp(0, 1))
        else:
            gamma = 1 + 0.12 * float(torch.randn((), **numbers))
            out.append(background.clamp(0, 1) ** gamma)
    return torch.stack(out) if out else backgrounds.clone()


def rough_segmentation(
    alpha: Float[Tensor, "batch 1 height width"],
    *,
    erode: tuple[int, int] = (10, 20),
    dilate: tuple[int, int] = (15, 30),
    holes: tuple[int, int] = (0, 3),
    hole_sides: Sequence[int] = (15, 25, 35, 45),
    blurs: Sequence[int] = (21, 31, 41),
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch 1 height width"]:
    """The subject eroded, dilated further, with square holes, and blurred; in [0, 1].

    Args:
        alpha: in [0, 1]; the subject is where it is above 0.5 / 255, practically above 0.
        erode, dilate: least number of steps, and one more than most; of a 5 × 5 ellipse.
        holes: how many, likewise; their middles lie where alpha is between 0 and 1, or in the
            subject if that is nowhere.
        hole_sides: to choose from, in pixels.
        blurs: sides of Gaussian kernels to choose from, with OpenCV's standard deviation for them.
        generator: draws on the CPU.

    Raises ValueError for alpha of another shape, ranges that are empty, or even blurs.
    """
    if alpha.ndim != 4 or alpha.shape[1] != 1:
        raise ValueError(f"alpha must have shape (B, 1, H, W), got {tuple(alpha.shape)}")
    for name, (low, high) in (("erode", erode), ("dilate", dilate), ("holes", holes)):
        if not 0 <= low < high:
            raise ValueError(f"{name} must be a range of numbers from 0 on, got {(low, high)}")
    if any(side % 2 != 1 for side in blurs):
        raise ValueError(f"blurs must be odd, got {tuple(blurs)}")

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator, device="cpu"))

    out = []
    for picture in alpha:
        mask = (picture > 0.5 / 255).to(torch.float32)[None]
        uncertain = ((picture > 0) & (picture < 1))[0]
        middles = (uncertain if uncertain.any() else mask[0, 0] > 0).nonzero()
        for _ in range(draw(*erode)):
            mask = -_dilated(-mask)
        for _ in range(draw(*dilate)):
            mask = _dilated(mask)
        for _ in range(draw(*holes) if len(middles) else 0):
            half = hole_sides[draw(0, len(hole_sides))] // 2
            y, x = middles[draw(0, len(middles))].tolist()
            rows = slice(max(0, y - half), y + half + 1)
            mask[..., rows, max(0, x - half) : x + half + 1] = 0
        side = blurs[draw(0, len(blurs))]
        sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8
        kernel = gaussian_kernel(sigma, size=side, device=mask.device)
        out.append(blur(mask, kernel, border="replicate")[0])
    return torch.stack(out).to(alpha.dtype) if out else alpha.clone()


def _dilated(mask: Tensor) -> Tensor:
    """By OpenCV's 5 × 5 ellipse: three full rows, and the middle of the two others."""
    wide = F.max_pool2d(mask, (3, 5), 1, (1, 2))
    return torch.maximum(wide, F.max_pool2d(mask, (5, 1), 1, (2, 0)))
