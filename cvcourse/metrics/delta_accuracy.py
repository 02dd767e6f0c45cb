"""Share of pixels whose depth is right within a factor."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._depth import checked, mean_within, reduced


def delta_accuracy(
    pred: Float[Tensor, "batch *pixels"],
    target: Float[Tensor, "batch *pixels"],
    valid: Bool[Tensor, "batch *pixels"] | None = None,
    *,
    threshold: float = 1.25,
    reduction: str = "mean",
) -> Float[Tensor, "*batch"]:
    """δ: the share of valid pixels with max(pred / target, target / pred) < threshold.

    Args:
        pred, target: depths in one unit, target > 0; one map is `depth[None]`.
        valid: where the target is known; the rest may hold anything, nan too.
        threshold: above 1; papers report 1.25, 1.25² and 1.25³.
        reduction: "mean" of the pictures' values, as depth papers report it; "none": (batch,).

    **Conventions**: a fraction of 1; exactly at the threshold is not within it. A pred that is
    nan, 0 or negative is wrong. A picture without a valid pixel gives nan and is left out of the
    mean. Half precision is computed in float32.

    Raises ValueError for shapes that differ, integer depths, a `threshold` of 1 or less, or an
    unknown `reduction`.
    Reference: Eigen et al. 2014, "Depth map prediction from a single image", 1406.2283, section 4.
    """
    if not threshold > 1:
        raise ValueError(f"threshold must be above 1, got {threshold}")
    pred, target, valid = checked(pred, target, valid, reduction)
    within = (pred > 0) & (torch.maximum(pred / target, target / pred) < threshold)
    return reduced(mean_within(within.to(pred.dtype), valid), valid, reduction)
