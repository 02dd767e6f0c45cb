"""Points in space to a picture: each is a soft disk, and nearer ones cover what lies behind."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import (
    as_float,
    check_choice,
    check_floating,
    check_ndim,
    check_positive,
    pair,
)

ACCUMULATIONS = ("alpha", "sum", "mean")
_LEAST_SUM = 1e-4  # what a sum of weights is at least, where it divides


def splat_points(
    points: Float[Tensor, "batch points 3"],
    features: Float[Tensor, "batch channels points"],
    size: int | tuple[int, int],
    *,
    radius: float = 4.0,
    points_per_pixel: int = 128,
    power: float = 1.0,
    accumulation: str = "alpha",
    least: float = 1e-3,
) -> Float[Tensor, "batch channels height width"]:
    r"""A soft z-buffer: for each pixel the nearest points (in z) whose disks reach it, blended.

    .. math:: \alpha_k = (1 - \sqrt{\max(d_k^2 / r^2, \mathrm{least})})^{power}, \qquad
        out = \sum_k \alpha_k \prod_{j<k} (1 - \alpha_j) \; feature_k

    Args:
        points: x, y in pixels, x to the right, y downwards, and z, the distance from the camera.
        features: what each point carries.
        size: of the picture, (height, width) or one for both.
        radius: r of the disks, in pixels; a point at exactly r is outside.
        points_per_pixel: how many nearest points a pixel blends; those behind them are left out.
        power: of the weights.
        accumulation: "alpha" composites from front to back, as above; "sum" is the sum of
            α feature; "mean" divides it by the sum of α, or by 1e-4.
        least: of d² / r². The authors' 1e-3 leaves a point at d = 0 an α of 0.968; with 0 it is 1.

    **Conventions**: whole coordinates are pixel centres, as in `warp`. Points with z < 0, or with
    nan or an infinity anywhere, are not there; of equal z the earlier point is nearer. A pixel that
    no disk reaches is 0. Differentiable in features, and in x and y (through α; z decides the order
    alone), once; at d = 0 the slope is 0. Computed in float32 at least, returned in the dtype of
    `features`. Points at the pixels' own centres give their features back exactly for radius <= 1,
    "mean", least 0; in the authors' renderer they do not. Equals SynSin's, which is PyTorch3D's
    rasteriser and compositors, for square pictures. How many points a pixel sees depends on values:
    this compiles in pieces, and `torch.vmap` cannot take it.

    Raises ValueError for shapes that do not go together, or options outside their range.

    Reference: Wiles et al., SynSin, 2020, arXiv:1912.08804, section 3.2.
    """
    check_ndim("points", points, "(batch, points, 3)")
    check_ndim("features", features, "(batch, channels, points)")
    check_floating("points", points)
    check_floating("features", features)
    batch, channels, count = features.shape
    if points.shape != (batch, count, 3):
        raise ValueError(f"points must have shape {(batch, count, 3)}, got {tuple(points.shape)}")
    height, width = pair("size", size)
    check_positive("radius", radius)
    check_positive("power", power)
    check_choice("accumulation", accumulation, ACCUMULATIONS)
    if points_per_pixel < 1:
        raise ValueError(f"points_per_pixel must be at least 1, got {points_per_pixel}")
    if not 0 <= least < 1:
        raise ValueError(f"least must lie in [0, 1), got {least}")
    places, values = as_float(points, features)
    table = values.transpose(1, 2).flatten(0, 1)  # (B N, C)
    places = places.flatten(0, 1)  # (B N, 3)
    with torch.no_grad():
        point, pixel, rank = _seen(places, batch, (height, width), radius, points_per_pixel)
    y = torch.div(pixel, width, rounding_mode="floor") % height
    offset = places[point, :2] - torch.stack((pixel % width, y), 1)  # (M, 2)
    alpha = _alpha(offset.square().sum(1) / radius**2, least, power)
    pixels = batch * height * width
    weight = _blended(alpha, accumulation, pixels, pixel, rank)
    counts = torch.bincount(pixel, minlength=pixels)
    out = F.embedding_bag(
        point, table, counts.cumsum(0) - counts, mode="sum", per_sample_weights=weight
    )
    out = out.view(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()
    return out.to(features.dtype)


def _seen(
    places: Tensor, batch: int, size: tuple[int, int], radius: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Which points reach which pixels: (M,) points, pixels in rising order, and ranks, 0 nearest.

    Points are sorted by depth once. Their pairs with pixels then stand in that order, which a
    stable sort by pixel keeps.
    """
    height, width = size
    there = (places[:, 2] >= 0) & places.isfinite().all(1)
    there &= (places[:, :2] > -radius).all(1)
    there &= (places[:, 0] < width - 1 + radius) & (places[:, 1] < height - 1 + radius)
    near = there.nonzero()[:, 0]
    near = near[places[near, 2].sort(stable=True).indices]  # (n,), all pictures together
    side = torch.arange(math.ceil(2 * radius), device=places.device)
    column, in_x = _reach(places[near, 0], side, width, radius)  # (n, side)
    row, in_y = _reach(places[near, 1], side, height, radius)
    hit = in_y[:, :, None] + in_x[:, None, :] < radius**2
    which, i, j = hit.nonzero(as_tuple=True)
    point = near[which]
    picture = torch.div(point, len(places) // max(batch, 1), rounding_mode="floor")
    pixel = (picture * height + row[which, i]) * width + column[which, j]
    pixel, order = pixel.sort(stable=True)
    counts = torch.bincount(pixel, minlength=batch * height * width)
    rank = torch.arange(len(pixel), device=pixel.device) - (counts.cumsum(0) - counts)[pixel]
    kept = rank < most
    return point[order[kept]], pixel[kept], rank[kept]


def _reach(x: Tensor, side: Tensor, length: int, radius: float) -> tuple[Tensor, Tensor]:
    """The pixels around `x` along an axis, and squared distances to them, infinite outside."""
    pixel = (x - radius).floor().long()[:, None] + 1 + side
    distance = (x[:, None] - pixel).square()
    return pixel, distance.masked_fill((pixel < 0) | (pixel >= length), torch.inf)


def _alpha(ratio: Tensor, least: float, power: float) -> Tensor:
    inside = ratio > least
    root = ratio.where(inside, 1).sqrt().where(inside, math.sqrt(least))  # no slope where clamped
    return (1 - root).clamp(min=0) ** power


def _blended(alpha: Tensor, accumulation: str, pixels: int, pixel: Tensor, rank: Tensor) -> Tensor:
    """The share of each point in its pixel, (M,)."""
    if accumulation == "sum":
        return alpha
    if accumulation == "mean":
        total = alpha.new_zeros(pixels).index_add(0, pixel, alpha)
        return alpha / total.clamp(min=_LEAST_SUM)[pixel]
    deepest = int(rank.max()) + 1 if len(rank) else 0
    through = alpha.new_ones(pixels, deepest + 1)
    through = through.index_put((pixel, rank + 1), 1 - alpha).cumprod(1)
    return alpha * through[pixel, rank]
