"""Non-maximum suppression: of boxes that overlap much, keep the best."""

import numpy as np
import torch
from jaxtyping import Int64, Integer, Num
from torch import Tensor

from cvcourse.ops._checks import (
    as_float,
    check_boxes,
    check_fraction,
    check_ndim,
    check_same_length,
)
from cvcourse.ops.box_iou import box_iou

PAIRS = 1 << 19  # boxes of a block times boxes after it: bounds the memory, keeps it in the cache


def nms(
    boxes: Num[Tensor, "n 4"],
    scores: Num[Tensor, "n"],
    iou_threshold: float,
    *,
    max_output: int | None = None,
) -> Int64[Tensor, "kept"]:
    """Visit boxes by decreasing score and drop all whose IoU with one kept exceeds the threshold.

    Args:
        boxes: (x1, y1, x2, y2), floating or integer.
        iou_threshold: in [0, 1].
        max_output: stop when so many are kept.

    Returns the indices kept, by decreasing score.

    **Conventions**: of equal scores the lower index comes first; a score of nan comes before all;
    IoU equal to the threshold is kept; IoU is computed in float32 (float64 for float64 boxes) and
    compared with the threshold in double precision; a box with nan suppresses nothing and is kept.
    Equals torchvision's `nms`. Not for `torch.compile(fullgraph=True)`: the size depends on values.

    Raises ValueError for wrong shapes, `iou_threshold` outside [0, 1], negative `max_output`.
    """
    return _suppress(boxes, scores, None, iou_threshold, max_output)


def batched_nms(
    boxes: Num[Tensor, "n 4"],
    scores: Num[Tensor, "n"],
    idxs: Integer[Tensor, "n"],
    iou_threshold: float,
    *,
    max_output: int | None = None,
) -> Int64[Tensor, "kept"]:
    """`nms` within each group: only boxes with equal `idxs` suppress each other.

    Args:
        idxs: group of each box, such as its class, or image * classes + class; any integers.
        boxes, scores, iou_threshold, max_output: as for `nms`; `max_output` counts all groups.

    Returns the indices kept in any group, by decreasing score.

    **Conventions**: those of `nms`. Equals torchvision's `batched_nms` except at negative
    coordinates, where its shift of each group by the largest coordinate lets groups touch.

    Raises ValueError as `nms` does, and for `idxs` that are not integers.
    """
    if idxs.is_floating_point() or idxs.is_complex() or idxs.dtype == torch.bool:
        raise ValueError(f"idxs must be integers, got {idxs.dtype}")
    check_ndim("idxs", idxs, "(n)")
    check_same_length("boxes", boxes, "idxs", idxs)
    return _suppress(boxes, scores, idxs, iou_threshold, max_output)


def _suppress(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None,
    iou_threshold: float,
    max_output: int | None,
) -> Tensor:
    check_boxes("boxes", boxes)
    check_ndim("boxes", boxes, "(n, 4)")
    check_ndim("scores", scores, "(n)")
    check_same_length("boxes", boxes, "scores", scores)
    check_fraction("iou_threshold", iou_threshold)
    if max_output is not None and max_output < 0:
        raise ValueError(f"max_output must be at least 0, got {max_output}")
    (boxes,) = as_float(boxes.detach())
    limit = _largest_not_above(iou_threshold, boxes.dtype)
    left = scores.detach().sort(descending=True, stable=True).indices  # candidates, best first
    kept, count = [], 0
    while len(left) and (max_output is None or count < max_output):
        size = min(256, max(16, PAIRS // len(left)))
        block = left[:size]
        over = box_iou(boxes[block], boxes[left]) > limit  # (block, left)
        if groups is not None:
            over &= groups[block, None] == groups[left]
        keep = _greedy(over[:, : len(block)])
        left = left[size:][~over[keep, size:].any(0)]
        kept.append(block[keep])
        count += len(kept[-1])
    return torch.cat([left[:0], *kept])[:max_output]


def _greedy(over: Tensor) -> Tensor:
    """Which of n boxes, best first, stay; `over[i, j]`: i suppresses j if i < j and i stays.

    "j stays unless one that stays suppresses it" has one solution, since j depends on those before
    it alone; repeating it from "all stay" settles one more box each time at least, usually all of
    them within a few rounds.
    """
    over = over.triu(1)
    keep = torch.ones_like(over[0])
    while True:
        still = ~over[keep].any(0)
        if torch.equal(still, keep):
            return keep
        keep = still


def _largest_not_above(threshold: float, dtype: torch.dtype) -> float:
    """So that `iou > result` in `dtype` means `iou > threshold` in double precision."""
    if dtype == torch.float64:
        return threshold
    rounded = np.float32(threshold)
    return float(rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-1)))
