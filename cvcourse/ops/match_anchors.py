"""Which object each anchor learns."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.ops._checks import check_floating, check_fraction, check_ndim

BACKGROUND = -1
BETWEEN = -2


def match_anchors(
    iou: Float[Tensor, "objects anchors"],
    high_threshold: float,
    low_threshold: float,
    *,
    allow_low_quality: bool = False,
) -> Int64[Tensor, "anchors"]:
    """For each anchor the object of highest IoU, or -1 (background), or -2 (neither: ignore).

    Args:
        iou: `box_iou(objects, anchors)`.
        high_threshold: at and above it the anchor has its best object.
        low_threshold: below it the anchor is background; from here to `high_threshold` it is -2.
        allow_low_quality: the anchors whose IoU with some object is the highest that this object
            reaches anywhere get *their own* best object, however low.

    **Conventions**: of equal IoUs the lower object wins; without objects all is background; an
    object that no anchor touches claims none, and nan is background (torchvision would give the
    first all anchors and the second its argmax). Otherwise equals torchvision's `Matcher`.

    Raises ValueError for an `iou` that is not 2-d, or thresholds not 0 <= low <= high <= 1.

    Reference: Ren et al., Faster R-CNN, 2015, arXiv:1506.01497, section 3.1.2.
    """
    check_ndim("iou", iou, "(objects, anchors)")
    check_floating("iou", iou)
    check_fraction("high_threshold", high_threshold)
    check_fraction("low_threshold", low_threshold)
    if low_threshold > high_threshold:
        raise ValueError(
            f"low_threshold must not exceed high_threshold, got {low_threshold} > {high_threshold}"
        )
    if len(iou) == 0:
        return torch.full((iou.shape[1],), BACKGROUND, device=iou.device)
    if iou.shape[1] == 0:
        return torch.empty(0, dtype=torch.int64, device=iou.device)
    best, index = iou.max(dim=0)
    matched = best >= high_threshold
    if allow_low_quality:
        reached = iou.amax(dim=1, keepdim=True)  # by each object, over all anchors
        claimed = ((iou == reached) & (reached > 0)).any(dim=0)
        matched |= claimed & ~best.isnan()
    background = ~(best >= low_threshold)  # so that nan is background
    return torch.where(matched, index, torch.where(background, BACKGROUND, BETWEEN))
