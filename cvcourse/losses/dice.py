"""Dice loss: overlap of a soft segmentation with the true one."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from cvcourse.losses._checks import (
    check_choice,
    check_class_map,
    check_floating,
    check_logits,
    check_positive,
    check_range,
    check_same_shape,
    check_values,
    is_ignored,
)
from cvcourse.losses._reduce import accumulator, at_least_float32


def soft_dice_score(
    probabilities: Float[Tensor, "*shape"],
    target: Shaped[Tensor, "*shape"],
    dims: int | tuple[int, ...] | None = None,
    smooth: float = 0.0,
    eps: float = 1e-7,
) -> Float[Tensor, "..."]:
    r"""Soft F1 score of probabilities: 1 is a perfect overlap, 0 none.

    .. math:: S = \frac{2 I + 2 s}{P + T + 2 s}, \quad I = \sum p t, P = \sum p, T = \sum t

    Args:
        probabilities: in [0, 1], any shape.
        target: same shape, 0 or 1 (any dtype), or soft.
        dims: dimensions to sum over; None: all.
        smooth: s >= 0, in units of true positives.
        eps: least denominator, > 0.

    **Conventions**: equals soft_dice_score of segmentation-models-pytorch (whose s counts double
    in the form above). Nothing predicted and nothing there: 0, or 1 with smooth > 0. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, smooth or eps.

    Reference: Milletari et al. 2016, arXiv:1606.04797.
    """
    check_floating("probabilities", probabilities)
    check_same_shape("target", target, "probabilities", probabilities)
    check_range("smooth", smooth, 0)
    check_positive("eps", eps)
    p = at_least_float32(probabilities)
    t = target.to(p.dtype)
    return _score((p * t).sum(dims), p.sum(dims), t.sum(dims), smooth, eps)


def dice_loss(
    logits: Float[Tensor, "batch *any"],
    target: Shaped[Tensor, "batch *space"],
    mode: str = "multiclass",
    average: str = "macro",
    smooth: float = 0.0,
    ignore_index: int | None = None,
    eps: float = 1e-7,
) -> Float[Tensor, ""]:
    r"""1 - soft Dice score, with sums over batch and positions.

    Args:
        logits: (B, C, ...), or (B, ...) if "binary"; softmax ("multiclass") or sigmoid is inside.
        target: "multiclass": (B, ...) class indices in [0, C); otherwise 0 or 1 (any dtype, or
            soft) in the shape of logits; `ignore_index` in any case.
        mode: "multiclass" | "multilabel" | "binary" (one class).
        average: "macro": over the classes present in the target; "all": over all, with 0 for
            those absent; "micro": one score over all classes.
        smooth, eps: as in `soft_dice_score`.
        ignore_index: label of positions that do not count; None: all count.

    **Conventions**: "all" equals DiceLoss of segmentation-models-pytorch. What is predicted of an
    absent class costs nothing in "macro" and "all"; "micro" with smooth > 0 makes it cost. Without
    positions that count, or classes present, loss and gradient are 0. Half precision is computed
    and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape or option and, on the CPU, for labels out of range.

    Reference: Milletari et al. 2016, arXiv:1606.04797; Sudre et al. 2017, arXiv:1707.03237.
    """
    check_choice("mode", mode, ("multiclass", "multilabel", "binary"))
    check_choice("average", average, ("macro", "all", "micro"))
    check_range("smooth", smooth, 0)
    check_positive("eps", eps)
    if mode == "multiclass":
        check_logits("logits", logits)
        check_class_map(target, logits)
        check_values("target", target, logits.shape[1] - 1, ignore_index)
        sums = _multiclass_sums(at_least_float32(logits), target, ignore_index)
    else:
        check_floating("logits", logits)
        if mode == "multilabel":
            check_logits("logits", logits)
        check_same_shape("target", target, "logits", logits)
        check_values("target", target, 1, ignore_index)
        x, t = (_by_class(v, mode) for v in (at_least_float32(logits), target))
        sums = _sums(x, t, ignore_index)
    if average == "micro":
        sums = [x.sum() for x in sums]
    intersection, predicted, true = sums
    loss = 1 - _score(intersection, predicted, true, smooth, eps)
    present = predicted + true > 0 if average == "micro" else true > 0
    count = loss.numel() if average == "all" else present.sum().clamp(min=1)
    return ((loss * present).sum() / count).to(at_least_float32(logits).dtype)


def _score(intersection: Tensor, predicted: Tensor, true: Tensor, s: float, eps: float) -> Tensor:
    return (2 * intersection + 2 * s) / (predicted + true + 2 * s).clamp(min=eps)


def _by_class(x: Tensor, mode: str) -> Tensor:
    """(B, C, ...), or anything as one class, -> (B, C, P)."""
    return x.flatten()[None, None] if mode == "binary" else x[..., None].flatten(2)


def _sums(logits: Tensor, target: Tensor, ignore_index: int | None) -> list[Tensor]:
    """(B, C, P) logits and targets -> I, P and T of each class: (C,) each."""
    p, t = logits.sigmoid(), target.to(logits.dtype)
    if ignore_index is not None:
        ignored = is_ignored(target, ignore_index)
        p, t = p.masked_fill(ignored, 0), t.masked_fill(ignored, 0)
    return [x.sum((0, 2), dtype=accumulator(x)) for x in (p * t, p, t)]


def _multiclass_sums(logits: Tensor, target: Tensor, ignore_index: int | None) -> list[Tensor]:
    """The same for (B, C, ...) logits and (B, ...) indices, without writing out one-hot targets."""
    p = logits.softmax(1)[..., None].flatten(2)  # (B, C, P)
    t = target.long()[..., None].flatten(1)  # (B, P)
    weight = torch.ones_like(t, dtype=p.dtype)
    if ignore_index is not None:
        ignored = is_ignored(t, ignore_index)
        p, t = p.masked_fill(ignored[:, None], 0), t.masked_fill(ignored, 0)
        weight = weight.masked_fill(ignored, 0)
    predicted = p.sum(2).to(accumulator(p)).sum(0)
    of_target = p.gather(1, t[:, None])  # (B, 1, P)
    zeros = torch.zeros_like(predicted)
    return [
        zeros.index_add(0, t.flatten(), of_target.flatten().to(zeros.dtype)),
        predicted,
        zeros.index_add(0, t.flatten(), weight.flatten().to(zeros.dtype)),
    ]
