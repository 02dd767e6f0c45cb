"""Resampling between grids of two sizes without aliases: up, filter, down."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim

TAPS = (1.0, 3.0, 3.0, 1.0)


def upfirdn2d(
    images: Float[Tensor, "batch channels height width"],
    taps: Sequence[float] = TAPS,
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int] | None = None,
) -> Float[Tensor, "batch channels rows columns"]:
    """`up - 1` zeros after each pixel, zeros around, each channel filtered, every `down`-th taken.

    Args:
        images: of any range.
        taps: of the filter, the same along both axes; scaled so that a flat picture keeps its value
            inside. StyleGAN's are 1, 3, 3, 1.
        up, down: at most one of them above 1, usually.
        padding: rows of zeros above and below, and columns alike, after `up`; negative ones cut.
            By default the size becomes exactly `up` or 1/`down` times that of the images, the
            picture staying in its place.

    **Conventions**: a convolution, the filter turned by half a turn (StyleGAN's is symmetric).
    Half precision is computed in float32 and returned in the dtype of `images`.

    Raises ValueError for images that are not (batch, channels, height, width) or not floating
    point, `up` or `down` below 1, taps whose sum is 0, or too little padding for one output.

    Reference: Karras et al., A Style-Based Generator Architecture for Generative Adversarial
    Networks, 2018, arXiv:1812.04948; values of NVlabs/stylegan2-ada-pytorch.
    """
    check_ndim("images", images, "(batch, channels, height, width)")
    check_floating("images", images)
    for name, factor in (("up", up), ("down", down)):
        if factor < 1:
            raise ValueError(f"{name} must be at least 1, got {factor}")
    if not sum(taps):
        raise ValueError(f"taps must have a sum other than 0, got {tuple(taps)}")
    n = len(taps)
    before, after = _same_place(n, up, down) if padding is None else padding
    batch, channels, height, width = images.shape
    if min(height, width) * up + before + after < n:
        raise ValueError(
            f"padding must leave {n} pixels for the filter, got {(before, after)} around "
            f"{height * up} × {width * up}"
        )
    (values,) = as_float(images)
    line = [tap * up / sum(taps) for tap in reversed(taps)]
    if up > 1:
        spread = values.new_zeros(batch, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = values
        values = spread.view(batch, channels, height * up, width * up)
    values = F.pad(values, (before, after, before, after))
    rows, columns = (side - n + 1 for side in values.shape[2:])
    # sums of shifted pictures: on a CPU much faster than the backward pass of a convolution
    nothing = values.new_zeros(())
    shifted = (tap * values[:, :, i : i + rows : down] for i, tap in enumerate(line))
    values = sum(shifted, start=nothing)
    shifted = (tap * values[..., i : i + columns : down] for i, tap in enumerate(line))
    values = sum(shifted, start=nothing)
    return values.to(images.dtype)


def _same_place(taps: int, up: int, down: int) -> tuple[int, int]:
    """Padding that keeps a picture in its place."""
    if up > 1:
        return (taps + up - 1) // 2, (taps - up) // 2
    if down > 1:
        return (taps - down + 1) // 2, (taps - down) // 2
    return taps // 2, (taps - 1) // 2
