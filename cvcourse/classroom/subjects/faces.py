"""Faces of CelebA for a generator, where a lesson at scale full finds them."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.subjects.restoring import square
from cvcourse.data import real


def faces(folder: str | Path, split: str, *, size: int, count: int) -> Tensor:
    """(N, 3, size, size) in -1 to 1: the first `count` faces of a split, or all if there are fewer.

    Of each the square in the middle, as wide as the picture's shorter side, shrunk: each pixel is
    the mean of those that fall together. See `cvcourse.data.real.CelebA` for folder and split.

    Raises ValueError for a size or count below 1, and for a split without pictures.
    """
    for name, value in (("size", size), ("count", count)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
    found = real.CelebA(folder, split)
    if not len(found):
        raise ValueError(f"split must have pictures, {split!r} of {folder} has none")
    number = min(count, len(found))
    return torch.cat([_shrunk(found[i][0], size) for i in range(number)])


def _shrunk(image: Tensor, size: int) -> Tensor:
    return 2 * F.interpolate(square(image)[None], (size, size), mode="area") - 1
