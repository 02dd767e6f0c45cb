"""Peak signal-to-noise ratio."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating, check_positive, check_same_shape
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import is_transformed


def psnr(
    preds: Float[Tensor, "batch *image"],
    target: Float[Tensor, "batch *image"],
    data_range: float = 1.0,
    *,
    reduction: str = "mean",
) -> Float[Tensor, "*batch"]:
    """10 log10(data_range² / MSE) in decibels.

    Args:
        preds, target: a batch of images or of anything else; give one image as `image[None]`.
        data_range: largest minus smallest possible value: 1 for [0, 1], 2 for [-1, 1], 255.
        reduction: "mean" of the images' values, as papers report it; "none": (batch,);
            "pooled": one MSE over the whole batch, which is what torchmetrics, kornia and
            scikit-image return (never above the mean: one bad image dominates).

    **Conventions**: identical images give inf, with a zero gradient. An empty batch gives nan. Half
    precision is computed in float32.

    Raises ValueError for shapes that differ, integer images, or an unknown `reduction`.
    """
    check_same_shape(preds, target)
    check_floating("preds", preds)
    check_floating("target", target)
    check_positive("data_range", data_range)
    check_choice("reduction", reduction, ("mean", "none", "pooled"))
    if preds.ndim < 2:
        raise ValueError(f"preds must have a batch dimension first, got {tuple(preds.shape)}")
    preds, target = at_least_float32(preds, target)
    if reduction == "pooled":
        return _decibels(F.mse_loss(preds, target), data_range)
    error = F.mse_loss(preds, target, reduction="none").flatten(1).mean(1)
    values = _decibels(error, data_range)
    return values.mean() if reduction == "mean" else values


def _decibels(error: Tensor, data_range: float) -> Tensor:
    peak = 20 * math.log10(data_range)
    if not error.requires_grad and not is_transformed():
        return peak - 10 * error.log10()
    same = error == 0  # where the logarithm is infinitely steep
    return (peak - 10 * error.masked_fill(same, 1).log10()).masked_fill(same, torch.inf)
