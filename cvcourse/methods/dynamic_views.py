"""Depth for views of a world that moves: what its fusion is trained by, and how views are blended.

Reference: Yoon et al., Novel View Synthesis of Dynamic Scenes with Globally Coherent Depths from a
Monocular Camera, 2020, arXiv:2004.01294. `cvcourse.models.DepthFusion` is the network,
`cvcourse.ops.align_scale_shift` the rival that needs none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.losses._checks import check_floating
from cvcourse.losses._differences import check_images
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops import warp, warp_is_inside
from cvcourse.ops._checks import check_mask

OFFSETS = (1, 2, 4, 8, 16)


class FusionLosses(NamedTuple):
    """L_g, L_l and L_e of the paper, to be weighted and added; each is a mean."""

    globally: Float[Tensor, ""]
    locally: Float[Tensor, ""]
    smooth: Float[Tensor, ""]


def scale_invariant_gradient(
    depth: Float[Tensor, "batch channels height width"], offset: int = 1
) -> tuple[
    Float[Tensor, "batch channels height fewer"], Float[Tensor, "batch channels less width"]
]:
    """(D(x + k) - D(x)) / (|D(x + k)| + |D(x)|) along x, and along y: unchanged by a factor on D.

    **Conventions**: between -1 and 1 for positive depths; 0 / 0 is 0. k is `offset`, at least 1;
    maps of k pixels and less give empty results. Half precision is computed in float32.

    Raises ValueError for a depth that is not floating point with four axes, or `offset` < 1.
    """
    check_images("depth", depth)
    if offset < 1:
        raise ValueError(f"offset must be at least 1, got {offset}")
    depth, found = at_least_float32(depth), []
    for dim in (3, 2):
        size = max(depth.shape[dim] - offset, 0)
        here = depth.narrow(dim, 0, size)
        there = depth.narrow(dim, depth.shape[dim] - size, size)
        total = there.abs() + here.abs()
        found.append((there - here) / total.masked_fill(total == 0, 1))
    return found[0], found[1]


def fusion_losses(
    fused: Float[Tensor, "batch height width"],
    single: Float[Tensor, "batch height width"],
    multi: Float[Tensor, "batch height width"],
    known: Bool[Tensor, "batch height width"],
    moving: Bool[Tensor, "batch height width"],
    *,
    offsets: Sequence[int] = OFFSETS,
) -> FusionLosses:
    """As the multi-view depth where it is known, shaped as the single-view depth where things move.

    Args:
        fused: what the network gives, inverse depth as all.
        single, multi: the two depths that it fuses.
        known: where `multi` is. It may hold anything elsewhere.
        moving: where L_l compares scale-invariant gradients, of pairs that lie in it whole.
        offsets: of these gradients.

    L_g is the mean of |fused - multi| over what is known and does not move, L_l that of
    |g(fused) - g(single)|, L_e that of the absolute Laplacian. A mean of nothing is 0.

    Raises ValueError for shapes that differ.
    """
    check_floating("fused", fused)
    for name, value in (("single", single), ("multi", multi)):
        check_floating(name, value)
        if value.shape != fused.shape:
            raise ValueError(
                f"{name} must have shape {tuple(fused.shape)}, got {tuple(value.shape)}"
            )
    check_mask("known", known, fused.shape)
    check_mask("moving", moving, fused.shape)
    fused, single = at_least_float32(fused), at_least_float32(single)
    static = known & ~moving
    error = (fused - torch.where(static, multi, fused.detach())).abs() * static
    globally = error.sum() / static.sum().clamp(min=1)

    total, count = fused.new_zeros(()), fused.new_zeros(())
    for offset in offsets:
        ours = scale_invariant_gradient(fused[:, None], offset)
        theirs = scale_invariant_gradient(single[:, None], offset)
        for dim, (a, b) in zip((2, 1), zip(ours, theirs, strict=True), strict=True):
            size = a.shape[dim + 1]
            inside = moving.narrow(dim, 0, size) & moving.narrow(
                dim, moving.shape[dim] - size, size
            )
            total = total + ((a - b)[:, 0].abs() * inside).sum()
            count = count + inside.sum()
    inner = fused[:, 1:-1, 1:-1]
    around = fused[:, :-2, 1:-1] + fused[:, 2:, 1:-1] + fused[:, 1:-1, :-2] + fused[:, 1:-1, 2:]
    smooth = reduce_loss((around - 4 * inner).abs(), "mean")
    return FusionLosses(globally, total / count.clamp(min=1), smooth)


def scene_flow_loss(
    points: Float[Tensor, "batch 3 height width"],
    others: Float[Tensor, "batch 3 height width"],
    flow: Float[Tensor, "batch 2 height width"],
) -> Float[Tensor, ""]:
    """L_s: mean distance between points in space that the flow says are the same thing.

    Args:
        points, others: x, y, z of each pixel of two frames, in one coordinate system.
        flow: from the first frame to the second, as for `warp`.

    Pixels that flow out of the second frame do not count; a mean of nothing is 0.

    Raises ValueError as `warp`.
    """
    check_floating("points", points)
    if points.shape != others.shape:
        raise ValueError(f"others must have shape {tuple(points.shape)}, got {tuple(others.shape)}")
    inside = warp_is_inside(flow)
    moved = at_least_float32(warp(others, flow, padding="border")) - at_least_float32(points)
    square = moved.square().sum(1)
    tiny = torch.finfo(square.dtype).tiny  # the slope of the root is infinite at 0
    distance = square.clamp(min=tiny).sqrt() * inside
    return distance.sum() / inside.sum().clamp(min=1)


def blend_backgrounds(
    pictures: Float[Tensor, "batch views channels height width"],
    known: Bool[Tensor, "batch views height width"],
    baselines: Float[Tensor, "batch views"],
) -> tuple[Float[Tensor, "batch channels height width"], Bool[Tensor, "batch height width"]]:
    """Each pixel from the view with the shortest baseline that has it; and where any has.

    Where none has it, it is 0. Of equal baselines the first counts.

    Raises ValueError for shapes that do not go together.
    """
    check_floating("pictures", pictures)
    if pictures.ndim != 5:
        raise ValueError(
            "pictures must have shape (batch, views, channels, height, width), got "
            f"{tuple(pictures.shape)}"
        )
    batch, views, _, height, width = pictures.shape
    check_mask("known", known, (batch, views, height, width))
    if baselines.shape != (batch, views):
        raise ValueError(
            f"baselines must have shape {(batch, views)}, got {tuple(baselines.shape)}"
        )
    cost = baselines[..., None, None].expand(known.shape).masked_fill(~known, torch.inf)
    best = cost.argmin(1)[:, None, None].expand(-1, 1, *pictures.shape[2:])
    anywhere = known.any(1)
    blended = pictures.gather(1, best)[:, 0] * anywhere[:, None].to(pictures.dtype)
    return blended, anywhere
