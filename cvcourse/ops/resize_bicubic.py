"""Bicubic resizing with antialiasing, as Pillow, as MATLAB, or as PULSE does it."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_choice, check_floating, pair

BORDERS = ("exclude", "symmetric", "reflect")


def resize_bicubic(
    images: Float[Tensor, "*batch height width"],
    size: int | Sequence[int],
    *,
    border: str = "exclude",
) -> Float[Tensor, "*batch out_height out_width"]:
    """Each output pixel is a mean of input pixels with the weights of Keys' cubic, a = -1/2.

    When an axis shrinks, the kernel is stretched by as much, so that no pixel goes unseen
    (antialiasing); when it grows, the kernel interpolates.

    Args:
        images: of any range; a result may overshoot it.
        size: (height, width) wanted, or one number for both.
        border: pixels beyond the border are left out and the weights of the others add to 1
            ("exclude": Pillow, PyTorch with antialias=True); the image is mirrored with its edge
            pixels twice ("symmetric": MATLAB's imresize) or once ("reflect": PULSE).

    **Conventions**: pixel areas are aligned, not pixel centres: output i looks at
    (i + ½) · in / out - ½. Nothing is rounded; Pillow and MATLAB round and clip 8-bit images.
    OpenCV's INTER_CUBIC and PyTorch's without antialiasing are others (a = -3/4, never stretched).
    Half precision is computed in float32.

    Raises ValueError for images that are not floating point or have no pixel, a size below 1, or an
    unknown border.

    Reference: Keys, Cubic convolution interpolation for digital image processing, 1981.
    """
    check_floating("images", images)
    check_choice("border", border, BORDERS)
    rows, columns = pair("size", size)
    if images.ndim < 2 or not images.shape[-1] * images.shape[-2]:
        raise ValueError(f"images must have height and width above 0, got {tuple(images.shape)}")
    (values,) = as_float(images)
    with torch.autocast(values.device.type, enabled=False):
        values = _weights(images.shape[-2], rows, border).to(values) @ values
        values = values @ _weights(images.shape[-1], columns, border).to(values).mT
    return values.to(images.dtype)


def _weights(before: int, after: int, border: str) -> Tensor:
    """(after, before) matrix that resizes one axis."""
    stretch = max(1.0, before / after)
    reach = math.ceil(2 * stretch)
    like = {"dtype": torch.float64, "device": "cpu"}
    center = (torch.arange(after, **like)[:, None] + 0.5) * before / after - 0.5
    taps = center.floor() + torch.arange(1 - reach, reach + 1, **like)  # (after, 2 reach)
    weights = _keys((taps - center) / stretch)
    taps = taps.long()
    if border == "exclude":
        weights = weights * ((taps >= 0) & (taps < before))
        taps = taps.clamp(0, before - 1)
    else:
        repeated = border == "symmetric"
        period = max(1, 2 * before if repeated else 2 * before - 2)
        taps = taps % period
        taps = torch.minimum(taps, period - repeated - taps)
    weights = weights / weights.sum(1, keepdim=True)
    return torch.zeros(after, before, **like).scatter_add(1, taps, weights)


def _keys(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
