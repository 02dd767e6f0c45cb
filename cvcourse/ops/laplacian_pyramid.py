"""Pyramids: a picture at half the size again and again, and what each halving loses."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_tensor
from cvcourse.ops._pictures import mirrored

_BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def gaussian_pyramid(
    images: Float[Tensor, "*batch height width"], levels: int
) -> list[Float[Tensor, "..."]]:
    """The images, blurred and every second pixel taken, and so on: `levels` maps, largest first.

    Args:
        images: of any range.
        levels: how many maps, the images themselves included; an axis of n becomes ⌈n / 2⌉.

    **Conventions**: the blur is binomial, (1, 4, 6, 4, 1) / 16 along each axis, the border mirrored
    without its edge pixel, as OpenCV's pyrDown. Half precision is computed in float32.

    Raises ValueError for images that are not floating point or have no pixel, or levels below 1.

    Reference: Burt & Adelson, The Laplacian pyramid as a compact image code, 1983.
    """
    _check(images, levels)
    return [level.to(images.dtype) for level in _gaussian(as_float(images)[0], levels)]


def laplacian_pyramid(
    images: Float[Tensor, "*batch height width"], levels: int
) -> list[Float[Tensor, "..."]]:
    """What each level of the Gaussian pyramid has beyond the next one enlarged; the last as it is.

    `collapse_pyramid` adds them up to the images again, of odd sizes, too, but for rounding.

    Raises ValueError as `gaussian_pyramid`.
    """
    _check(images, levels)
    gaussian = _gaussian(as_float(images)[0], levels)
    details = [level - _enlarge(smaller, level.shape) for level, smaller in pairwise(gaussian)]
    return [level.to(images.dtype) for level in (*details, gaussian[-1])]


def collapse_pyramid(
    pyramid: Sequence[Float[Tensor, "..."]],
) -> Float[Tensor, "..."]:
    """The images of a Laplacian pyramid: from the smallest level on, enlarge and add.

    Raises ValueError for no level, levels that are not floating point, or sizes that are not each
    half of the one before, rounded up.
    """
    if not len(pyramid):
        raise ValueError("pyramid must hold at least one tensor, got none")
    for level in pyramid:
        check_tensor("pyramid", level)
        check_floating("pyramid", level)
    levels = as_float(*pyramid)
    images = levels[-1]
    for detail in reversed(levels[:-1]):
        halves = tuple(-(-n // 2) for n in detail.shape[-2:])
        if images.shape[-2:] != halves:
            raise ValueError(f"pyramid must go from {halves}, got {tuple(images.shape[-2:])}")
        images = detail + _enlarge(images, detail.shape)
    return images.to(pyramid[0].dtype)


def _check(images: Tensor, levels: int) -> None:
    check_floating("images", images)
    if images.ndim < 2 or not images.shape[-1] * images.shape[-2]:
        raise ValueError(f"images must have height and width above 0, got {tuple(images.shape)}")
    if levels < 1:
        raise ValueError(f"levels must be at least 1, got {levels}")


def _gaussian(images: Tensor, levels: int) -> list[Tensor]:
    pyramid = [images]
    for _ in range(levels - 1):
        pyramid.append(_blur(pyramid[-1])[..., ::2, ::2])
    return pyramid


def _enlarge(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Between zeros to the larger size, then blurred to 4 times as much."""
    spread = images.new_zeros(*images.shape[:-2], shape[-2], images.shape[-1])
    spread = _every_second(spread, images, -2)
    wide = images.new_zeros(*images.shape[:-2], *shape[-2:])
    return 4 * _blur(_every_second(wide, spread, -1))


def _every_second(zeros: Tensor, values: Tensor, dim: int) -> Tensor:
    places = torch.arange(0, zeros.shape[dim], 2, device=values.device)
    return zeros.index_copy(dim, places, values)


def _blur(images: Tensor) -> Tensor:
    for dim in (-2, -1):
        size = images.shape[dim]
        padded = mirrored(images, dim, 2)
        taps = [w * padded.narrow(dim, i, size) for i, w in enumerate(_BINOMIAL)]
        images = sum(taps[1:], taps[0])
    return images
