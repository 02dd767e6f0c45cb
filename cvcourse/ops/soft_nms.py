"""Soft-NMS: lower the scores of overlapping boxes instead of dropping the boxes."""

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from cvcourse.ops._checks import (
    as_float,
    check_boxes,
    check_choice,
    check_floating,
    check_fraction,
    check_ndim,
    check_positive,
    check_same_length,
)
from cvcourse.ops.box_iou import box_iou

METHODS = ("gaussian", "linear")


def soft_nms(
    boxes: Num[Tensor, "n 4"],
    scores: Float[Tensor, "n"],
    *,
    method: str = "gaussian",
    sigma: float = 0.5,
    iou_threshold: float = 0.3,
    score_threshold: float = 0.001,
) -> tuple[Int64[Tensor, "kept"], Float[Tensor, "kept"]]:
    """Take the best box, multiply the scores of the others by f(IoU with it), and repeat.

    Args:
        boxes: (x1, y1, x2, y2).
        method: "gaussian": f = exp(-IoU² / sigma); "linear": f = 1 - IoU where IoU exceeds
            `iou_threshold`, else 1.
        score_threshold: a box whose score falls below it is dropped.

    Returns the indices kept, in the order taken, and their lowered scores, which never increase.

    **Conventions**: of equal scores the lower index comes first; scores of nan are dropped; a box
    with nan lowers no score; no gradient. One step per box kept, each over all boxes left.

    Raises ValueError for wrong shapes, an unknown `method`, `sigma` not positive.

    Reference: Bodla et al., Soft-NMS, 2017, arXiv:1704.04503.
    """
    check_boxes("boxes", boxes)
    check_ndim("boxes", boxes, "(n, 4)")
    check_ndim("scores", scores, "(n)")
    check_floating("scores", scores)
    check_same_length("boxes", boxes, "scores", scores)
    check_choice("method", method, METHODS)
    check_positive("sigma", sigma)
    check_fraction("iou_threshold", iou_threshold)
    dtype = scores.dtype
    (boxes,), (scores,) = as_float(boxes.detach()), as_float(scores.detach())
    left = torch.arange(len(boxes), device=boxes.device)
    kept, kept_scores = [left[:0]], [scores[:0]]
    while True:
        high = scores >= score_threshold
        boxes, scores, left = boxes[high], scores[high], left[high]
        if not len(left):
            return torch.cat(kept), torch.cat(kept_scores).to(dtype)
        best = scores.max(0).indices
        kept.append(left[best, None])
        kept_scores.append(scores[best, None])
        iou = box_iou(boxes[best, None], boxes)[0].nan_to_num(0)
        if method == "gaussian":
            factor = torch.exp(-(iou**2) / sigma)
        else:
            factor = torch.where(iou > iou_threshold, 1 - iou, 1)
        scores = (scores * factor).index_fill(0, best, torch.nan)  # below any threshold
