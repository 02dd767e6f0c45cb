"""The scale and shift that bring one depth map nearest to another."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_mask, check_ndim


def align_scale_shift(
    source: Float[Tensor, "batch height width"],
    target: Float[Tensor, "batch height width"],
    mask: Bool[Tensor, "batch height width"],
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """s and t that minimise Σ (s · source + t - target)² over the mask, for each map.

    s = cov(source, target) / var(source), t = mean(target) - s · mean(source). Depth from a single
    picture has no scale of its own; inverse depth has no zero of its own either.

    **Conventions**: outside the mask both may hold anything, nan too. Where source does not vary
    over the mask (one pixel, say), s is 1; where the mask is empty, t is 0 too. Half precision is
    computed in float32 and returned in the dtype of `source`. Differentiable.

    Raises ValueError for shapes that differ.
    """
    check_ndim("source", source, "(batch, height, width)")
    check_floating("source", source)
    check_floating("target", target)
    if target.shape != source.shape:
        raise ValueError(f"target must have shape {tuple(source.shape)}, got {tuple(target.shape)}")
    check_mask("mask", mask, source.shape)
    known = mask.flatten(1)
    count = known.sum(1).clamp(min=1)
    x, y = (
        d.flatten(1).where(known, torch.zeros_like(d.flatten(1))) for d in as_float(source, target)
    )
    mean_x, mean_y = x.sum(1) / count, y.sum(1) / count
    x = (x - mean_x[:, None]) * known
    variance, covariance = x.square().sum(1), (x * y).sum(1)
    flat = variance <= 0
    scale = (covariance / variance.masked_fill(flat, 1)).masked_fill(flat, 1)
    shift = (mean_y - scale * mean_x).masked_fill(~known.any(1), 0)
    return scale.to(source.dtype), shift.to(source.dtype)
