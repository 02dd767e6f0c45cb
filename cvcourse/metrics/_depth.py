"""What the errors of depth maps have in common: what is checked, and a mean within each picture."""

import torch
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating, check_same_shape
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import check_mask


def checked(
    pred: Tensor, target: Tensor, valid: Tensor | None, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    """pred and target as (batch, pixels), 1 where not valid, and valid as (batch, pixels)."""
    check_same_shape(pred, target, "pred")
    check_floating("pred", pred)
    check_floating("target", target)
    check_choice("reduction", reduction, ("mean", "none"))
    if pred.ndim < 2:
        raise ValueError(f"pred must have a batch dimension first, got {tuple(pred.shape)}")
    if valid is None:
        valid = torch.ones_like(pred, dtype=torch.bool)
    check_mask("valid", valid, pred.shape)
    pred, target = at_least_float32(pred, target)
    pred, target = (depth.masked_fill(~valid, 1).flatten(1) for depth in (pred, target))
    return pred, target, valid.flatten(1)


def mean_within(values: Tensor, valid: Tensor) -> Tensor:
    """(batch, pixels) -> (batch,): the mean over valid pixels, nan where there is none."""
    return values.masked_fill(~valid, 0).sum(1) / valid.sum(1)


def reduced(of_each: Tensor, valid: Tensor, reduction: str) -> Tensor:
    """The mean over pictures that have a valid pixel, or (batch,) all of them."""
    if reduction == "none":
        return of_each
    known = valid.any(1)
    return of_each.masked_fill(~known, 0).sum() / known.sum()
