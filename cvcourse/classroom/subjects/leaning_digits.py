"""Digits of one font under a random slant and width: a small stand-in for MNIST."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.data.real import Mnist
from cvcourse.data.rendered_digits import glyphs

SIDE = 20
MOST = (0.5, 0.25)  # of the slant, and of the logarithm of the width
COUNTS = {"train": 6000, "test": 1000}


def leaning_digits(digits: Tensor, looks: Tensor, *, side: int = SIDE) -> Tensor:
    """Pictures (N, 1, side, side) float32 in [0, 1], ink 1, of `digits` (N,) in DejaVu Sans.

    looks: (N, 2), slant and logarithm of the width; a positive slant leans to the right.
    """
    if digits.ndim != 1 or looks.shape != (len(digits), 2):
        raise ValueError(
            f"looks must be (N, 2) for N digits, got {tuple(looks.shape)} for {tuple(digits.shape)}"
        )
    slant, wide = looks.T
    none = torch.zeros_like(slant)
    there = torch.stack([wide.exp(), -slant, none, none + 1], 1).view(-1, 2, 2)
    back = F.pad(torch.linalg.inv(0.8 * there), (0, 1))  # from the picture to the glyph
    grid = F.affine_grid(back, [len(looks), 1, 2 * side, 2 * side], align_corners=False)
    fine = F.grid_sample(glyphs()[0, digits][:, None], grid, align_corners=False)
    return F.avg_pool2d(fine, 2)


def crowd(split: str, mnist: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, side, side) and their digits (N,), of 20 pixels, or MNIST's from a folder.

    split: "train" or "test", whose slants and widths are other draws.
    """
    if split not in COUNTS:
        raise ValueError(f"split must be one of {tuple(COUNTS)}, got {split!r}")
    if mnist is not None:
        data = Mnist(mnist, split)
        return data.images.float() / 255, data.labels
    generator = torch.Generator().manual_seed(list(COUNTS).index(split))
    digits = torch.randint(10, (COUNTS[split],), generator=generator)
    looks = (2 * torch.rand(len(digits), 2, generator=generator) - 1) * torch.tensor(MOST)
    return leaning_digits(digits, looks), digits
