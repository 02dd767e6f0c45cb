"""End-point error at every level of a pyramid of flows: what FlowNet learns from."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_floating
from cvcourse.losses._reduce import at_least_float32
from cvcourse.ops._checks import check_mask
from cvcourse.ops._length import length

PAPER_WEIGHTS = (0.005, 0.01, 0.02, 0.08, 0.32)


def multiscale_epe_loss(
    flows: Sequence[Float[Tensor, "batch 2 _ _"]],
    target: Float[Tensor, "batch 2 height width"],
    valid: Bool[Tensor, "batch height width"] | None = None,
    *,
    weights: Sequence[float] = PAPER_WEIGHTS,
    reduction: str = "sum",
) -> Float[Tensor, ""]:
    r"""Weighted end-point errors of flows of several sizes.

    .. math:: L = \sum_s w_s \frac{1}{B} \sum_{b,y,x} \lVert f_s(b, y, x) - t_s(b, y, x) \rVert_2

    where t_s is `target` averaged over the area of each element of level s.

    Args:
        flows: predictions, finest first, such as `FlowNetS` returns.
        target: true flow in the same units (the paper divides pixels by 20).
        valid: where the target is known (KITTI knows a part); the rest may hold anything, nan too.
            Averages are of what is known, and elements without any do not count.
        weights: of the levels, finest first; default: the paper's.
        reduction: over the elements of a level, "sum" divided by the batch, as the authors; or
            "mean", as later implementations with weights .32, .16, .08, .04, .02.

    **Conventions**: values of the target are not scaled with its size. The gradient is 0 where the
    error is 0. Half precision is computed and returned in float32.

    Raises ValueError for no or too many flows, shapes that do not fit, or an unknown reduction.

    Reference: Dosovitskiy et al., FlowNet, 2015, arXiv:1504.06852.
    """
    check_choice("reduction", reduction, ("sum", "mean"))
    check_floating("target", target)
    if target.ndim != 4 or target.shape[1] != 2:
        raise ValueError(f"target must have shape (B, 2, H, W), got {tuple(target.shape)}")
    if not 0 < len(flows) <= len(weights):
        raise ValueError(f"flows must be 1 to {len(weights)}, as many as weights, got {len(flows)}")
    target, known = _known(at_least_float32(target), valid)
    total = target.new_zeros(())
    for i, (flow, weight) in enumerate(zip(flows, weights[: len(flows)], strict=True)):
        check_floating(f"flows[{i}]", flow)
        if flow.ndim != 4 or flow.shape[:2] != target.shape[:2]:
            expected = f"({target.shape[0]}, 2, height, width)"
            raise ValueError(f"flows[{i}] must have shape {expected}, got {tuple(flow.shape)}")
        size = (flow.shape[2], flow.shape[3])
        share = F.adaptive_avg_pool2d(known, size)  # (B, 1, h, w), of what is known
        mean = F.adaptive_avg_pool2d(target, size) / share.clamp_min(torch.finfo(share.dtype).tiny)
        u, v = ((at_least_float32(flow) - mean) * (share > 0)).unbind(1)
        errors = length(u, v).sum()
        if reduction == "mean":
            errors = errors / (share > 0).sum().clamp(min=1)
        else:
            errors = errors / max(len(target), 1)
        total = total + weight * errors
    return total


def _known(target: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """The target with 0 where unknown, and a map of 1 where known."""
    if valid is None:
        return target, torch.ones_like(target[:, :1])
    check_mask("valid", valid, target[:, 0].shape)
    known = valid[:, None]
    return target.masked_fill(~known, 0), known.to(target.dtype)
