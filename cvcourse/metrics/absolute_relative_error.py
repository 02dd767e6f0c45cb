"""Absolute relative error of depth."""

from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._depth import checked, mean_within, reduced


def absolute_relative_error(
    pred: Float[Tensor, "batch *pixels"],
    target: Float[Tensor, "batch *pixels"],
    valid: Bool[Tensor, "batch *pixels"] | None = None,
    *,
    reduction: str = "mean",
) -> Float[Tensor, "*batch"]:
    """AbsRel: the mean of |pred - target| / target over the valid pixels of a picture.

    Args:
        pred, target: depths in one unit, target > 0; one map is `depth[None]`.
        valid: where the target is known; the rest may hold anything, nan too.
        reduction: "mean" of the pictures' values, as depth papers report it; "none": (batch,).

    **Conventions**: a fraction of 1. Each picture counts alike, however many pixels it has. A
    picture without a valid pixel gives nan and is left out of the mean; none at all: nan. Half
    precision is computed in float32.

    Raises ValueError for shapes that differ, integer depths, or an unknown `reduction`.
    Reference: Eigen et al. 2014, "Depth map prediction from a single image", 1406.2283, section 4.
    """
    pred, target, valid = checked(pred, target, valid, reduction)
    return reduced(mean_within((pred - target).abs() / target, valid), valid, reduction)
