"""Edges of a depth map, and a median filter that makes them one pixel sharp."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_positive

_LARGEST = 15
# of n sorted values the first at which float32 steps of 1 / n add to more than 1/2, as the authors
# find it: the middle one, or of an even number the upper one, but where rounding makes it the lower
_MEDIAN_AT = [0] + [
    int((np.cumsum(np.full(n, 1 / n, dtype=np.float32)) > 0.5).argmax())
    for n in range(1, _LARGEST**2 + 1)
]


def depth_discontinuities(
    depth: Float[Tensor, "*batch height width"], threshold: float = 0.04
) -> Bool[Tensor, "*batch 4 height width"]:
    """Where the disparity, 1 / depth, jumps by more than `threshold` to a neighbour.

    Args:
        depth: > 0. Its scale sets what the threshold means.
        threshold: of the absolute difference of disparities.

    Returns the neighbours up, down, left and right, in this order; the outermost pixels have none.

    Raises ValueError for depth that is not floating point or smaller than 3 × 3, or a threshold
    that is not positive.

    Reference: Shih et al., 3D Photography using Context-aware Layered Depth Inpainting, 2020,
    arXiv:2004.04727, and the authors' code.
    """
    _check_depth(depth)
    check_positive("threshold", threshold)
    (z,) = as_float(depth)
    disparity = 1 / z
    middle = disparity[..., 1:-1, 1:-1]
    around = (
        disparity[..., :-2, 1:-1],
        disparity[..., 2:, 1:-1],
        disparity[..., 1:-1, :-2],
        disparity[..., 1:-1, 2:],
    )
    over = torch.stack([(middle - other).abs() > threshold for other in around], -3)
    return F.pad(over, (1, 1, 1, 1))


def sharpen_depth(
    depth: Float[Tensor, "*batch height width"],
    *,
    windows: Sequence[int] = (7, 7, 5, 5, 5),
    threshold: float = 0.04,
) -> Float[Tensor, "*batch height width"]:
    """Near a discontinuity each pixel becomes the median of its window's pixels that are on none.

    So the values half-way between front and back, which every depth map has at its edges, go to one
    of the two. Pixels without a discontinuity in their window stay.

    Args:
        depth: > 0; 0 marks pixels of unknown depth, which count as discontinuities.
        windows: side of the window in each iteration, odd, at most 15.
        threshold: of `depth_discontinuities`, found anew in each iteration.

    **Conventions**: of an even number of values the upper middle one, or the lower, as the authors'
    float32 sum decides; a window of discontinuities alone leaves the pixel; beyond the border
    pixels are repeated, and the outermost ones are those next to them. The released code calls this
    a bilateral median, but its weights are these 0 and 1: its two sigmas are not used. Half
    precision is computed in float32. nan is not looked for.

    Raises ValueError as `depth_discontinuities`, and for even windows.
    """
    _check_depth(depth)
    check_positive("threshold", threshold)
    if any(size % 2 != 1 or not 1 <= size <= _LARGEST for size in windows):
        raise ValueError(f"windows must be odd, 1 to {_LARGEST}, got {tuple(windows)}")
    (z,) = as_float(depth)
    batch = z.shape[:-2]
    z = z.reshape(-1, 1, *z.shape[-2:])
    unknown = z == 0
    for size in windows:
        edge = depth_discontinuities(z, threshold).any(-3) | unknown
        z = _sparse_median(_ring_repeated(z), _ring_repeated(edge.to(z.dtype)) > 0, size)
    return z.reshape(*batch, *z.shape[-2:]).to(depth.dtype)


def _check_depth(depth: Tensor) -> None:
    check_floating("depth", depth)
    if depth.ndim < 2 or min(depth.shape[-2:]) < 3:
        raise ValueError(f"depth must be 3 × 3 or larger, got {tuple(depth.shape)}")


def _ring_repeated(x: Tensor) -> Tensor:
    return F.pad(x[..., 1:-1, 1:-1], (1, 1, 1, 1), mode="replicate")


def _sparse_median(z: Tensor, edge: Tensor, size: int) -> Tensor:
    """(N, 1, H, W), by the sorted values of each window; those on an edge are sorted last."""
    values, edges = (_windows(x, size) for x in (z, edge.to(z.dtype)))  # (N, size², H·W)
    on_edge = edges > 0
    usable = (~on_edge).sum(1, keepdim=True)
    ordered = values.masked_fill(on_edge, torch.inf).sort(1).values
    median_at = torch.tensor(_MEDIAN_AT, device=z.device)
    median = ordered.gather(1, median_at[usable]).reshape(z.shape)
    changes = (on_edge.any(1, keepdim=True) & (usable > 0)).reshape(z.shape)
    return torch.where(changes, median, z)


def _windows(x: Tensor, size: int) -> Tensor:
    return F.unfold(F.pad(x, [size // 2] * 4, mode="replicate"), size)
