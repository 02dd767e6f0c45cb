"""Focal loss on mutually exclusive classes."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_class_map,
    check_logits,
    check_range,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._pieces import in_pieces

_NO_LABEL = torch.iinfo(torch.int64).min  # cross_entropy always ignores one index; so none is


def softmax_focal_loss(
    logits: Float[Tensor, "batch classes *space"],
    target: Integer[Tensor, "batch *space"],
    gamma: float = 2.0,
    alpha: Sequence[float] | Float[Tensor, " classes"] | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Multi-class cross-entropy that turns away from what is already right.

    .. math:: FL = -α_t (1 - p_t)^γ \log p_t, \quad p_t = softmax(x)_t

    Args:
        logits: (B, C, ...).
        target: (B, ...) class indices in [0, C) or `ignore_index`.
        gamma: focusing exponent >= 0.
        alpha: a weight for each class, or None.
        ignore_index: label of positions that do not count (often 255 or -100); None: all count.
        reduction: "none" | "mean" | "sum".

    **Conventions**: the mean divides by the positions that are not ignored (not by the sum of
    alpha), so gamma 0 without alpha equals `F.cross_entropy`; ignored positions are 0 in "none";
    if all are ignored, loss and gradient are 0. Gradients are finite for every gamma. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, gamma, alpha or reduction, and, on the CPU, for a
    label outside [0, C).

    Reference: Lin et al. 2017, arXiv:1708.02002.
    """
    check_logits("logits", logits)
    check_class_map(target, logits)
    check_range("gamma", gamma, 0)
    check_choice("reduction", reduction, REDUCTIONS)
    logits, target = at_least_float32(logits), target.long()
    check_values("target", target, logits.shape[1] - 1, ignore_index)
    ignored = _NO_LABEL if ignore_index is None else ignore_index
    cross_entropy = partial(F.cross_entropy, ignore_index=ignored, reduction="none")
    ce = in_pieces(cross_entropy, logits, target)
    miss = -torch.expm1(-ce)  # 1 - p_t without cancellation
    # A power below 1 has an infinite slope at 0, where saturated logits end: stay just above.
    loss = miss.clamp(min=torch.finfo(ce.dtype).tiny) ** gamma * ce
    valid = target != ignored
    if alpha is not None:
        weights = torch.as_tensor(alpha, dtype=ce.dtype, device=ce.device)
        if weights.shape != logits.shape[1:2]:
            raise ValueError(
                f"alpha must be {logits.shape[1]} weights, one for each class, "
                f"got shape {tuple(weights.shape)}"
            )
        loss = weights[target * valid] * loss
    return reduce_loss(loss, reduction, valid.sum())
