"""Forward differences of images and what becomes of them."""

import math
from functools import partial

import torch
from torch import Tensor

from cvcourse.losses._checks import check_floating
from cvcourse.losses._reduce import reduce_loss
from cvcourse.ops._pieces import in_pieces

AXES = (-1, -2)


def check_images(name: str, x: Tensor) -> None:
    """Floating point (B, ..., H, W)."""
    check_floating(name, x)
    if x.ndim < 3:
        raise ValueError(f"{name} must have shape (B, ..., H, W), got {tuple(x.shape)}")


def variation(x: Tensor, p: int, reduction: str, valid: Tensor | None = None) -> Tensor:
    """|difference|^p to the next column, and to the next row, where both pixels are valid.

    "mean" adds the means of the two, "sum" and "none" (B,) their sums.
    """
    batches = (x,) if valid is None else (x, valid)
    sums = in_pieces(partial(_sums, p), *batches)
    if reduction != "mean":
        return reduce_loss(sums.sum(1), reduction)
    right, down = (sums[:, i].sum() / _count(x, dim, valid) for i, dim in enumerate(AXES))
    return right + down


def _sums(p: int, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """(B, 2): of each image, to the next column and to the next row."""
    sums = []
    for dim in AXES:
        difference = x.diff(dim=dim)
        error = difference.abs() if p == 1 else difference.square()
        if valid is not None:
            error = error * _pairs(valid, dim)
        sums.append(error.flatten(1).sum(1))
    return torch.stack(sums, dim=1)


def _count(x: Tensor, dim: int, valid: Tensor | None) -> Tensor | int:
    """Number of differences that count, 1 at least."""
    shape = list(x.shape)
    shape[dim] = max(0, shape[dim] - 1)
    if valid is None:
        return max(1, math.prod(shape))
    return _pairs(valid, dim).expand(shape).sum().clamp(min=1)


def _pairs(valid: Tensor, dim: int) -> Tensor:
    """Where a pixel and the next one are both valid."""
    size = max(0, valid.shape[dim] - 1)
    return valid.narrow(dim, 0, size) & valid.narrow(dim, valid.shape[dim] - size, size)
