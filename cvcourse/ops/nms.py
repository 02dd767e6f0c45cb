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

BLOCK = 256  # candidates settled at a time
PAIRS = 1 << 18  # compared at a time: 3 MB of work space, which stays in the cache


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
    check_ndim("idxs", idxs, "(n)")
    if idxs.is_floating_point() or idxs.is_complex() or idxs.dtype == torch.bool:
        raise ValueError(f"idxs must be integers, got {idxs.dtype}")
    check_same_length("boxes", boxes, "idxs", idxs)
    return _suppress(boxes, scores, idxs, iou_threshold, max_output)


def _suppress(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None,
    iou_threshold: float,
    max_output: int | None,
) -> Tensor:
    """Block after block: settle the best candidates among themselves, then drop what they cover."""
    check_boxes("boxes", boxes)
    check_ndim("boxes", boxes, "(n, 4)")
    check_ndim("scores", scores, "(n)")
    check_same_length("boxes", boxes, "scores", scores)
    check_fraction("iou_threshold", iou_threshold)
    if max_output is not None and (not max_output >= 0 or not hasattr(max_output, "__index__")):
        raise ValueError(f"max_output must be an integer of at least 0, got {max_output}")
    (boxes,) = as_float(boxes.detach())
    limit = _largest_not_above(iou_threshold, boxes.dtype)
    order = scores.detach().sort(descending=True, stable=True).indices
    rank = torch.arange(len(order), device=order.device)
    group = torch.zeros_like(rank)
    if groups is not None:
        group, rank = groups[order].sort(stable=True)  # group after group, best first in each
    sides = _sides(boxes[order[rank]])
    space = sides.new_empty(3, PAIRS)
    kept = [rank[:0]]
    enough = max_output if groups is None else None  # groups are not settled by decreasing score
    while len(rank) and (enough is None or sum(map(len, kept)) < enough):
        block, block_group = sides[:, :BLOCK], group[:BLOCK]
        covers = _iou(block, block, space) > limit
        keep = _greedy(covers & (block_group[:, None] == block_group))
        kept.append(rank[:BLOCK][keep])
        rank, group, sides = rank[BLOCK:], group[BLOCK:], sides[:, BLOCK:]
        # After the block, only candidates of its last group can be covered, and they come first.
        rows = block[:, keep & (block_group == block_group[-1])]
        near = len(rank) if groups is None else int((group == block_group[-1]).sum())
        stays = torch.ones_like(rank, dtype=torch.bool)
        for i in range(0, near, PAIRS // BLOCK):
            part = slice(i, min(near, i + PAIRS // BLOCK))
            stays[part] = _iou(rows, sides[:, part], space).amax(0) <= limit
        rank, group, sides = rank[stays], group[stays], sides[:, stays]
    chosen = torch.cat(kept)
    return order[chosen if groups is None else chosen.sort().values][:max_output]


def _sides(boxes: Tensor) -> Tensor:
    """x1, y1, x2, y2 and area, (5, n); a box that overlaps nothing becomes a point of area 1."""
    x1, y1, x2, y2 = boxes.unbind(1)
    area = (x2 - x1) * (y2 - y1)
    proper = (x2 > x1) & (y2 > y1) & (area > 0) & area.isfinite()
    harmless = boxes.new_tensor((0, 0, 0, 0, 1))[:, None]
    return torch.where(proper, torch.stack((x1, y1, x2, y2, area)), harmless)


def _iou(rows: Tensor, columns: Tensor, space: Tensor) -> Tensor:
    """IoU of (5, n) with (5, m) from `_sides`, below zero for some that lie apart.

    A third of the time of `box_iou` (0.25 against 0.83 ms for 256 x 1024): no fresh memory, and no
    step for what `_sides` rules out.
    """
    n, m = rows.shape[1], columns.shape[1]
    width, height, other = (each[: n * m].view(n, m) for each in space)
    left, top, right, bottom, area = rows[:, :, None]
    torch.minimum(right, columns[2], out=width).sub_(torch.maximum(left, columns[0], out=other))
    torch.minimum(bottom, columns[3], out=height).sub_(torch.maximum(top, columns[1], out=other))
    intersection = width.clamp_(min=0).mul_(height)
    union = torch.add(area, columns[4], out=other).sub_(intersection)
    return intersection.div_(union)


def _greedy(over: Tensor) -> Tensor:
    """Which of n boxes, best first, stay, if `over[i, j]` says that i and j overlap too much.

    A box stays unless one before it stays and covers it. Each round settles at least one more box:
    after round i, the first i are right, and nothing changes once all are.
    """
    covers = over.triu(1).float()
    keep = covers.new_ones(len(covers))
    while True:
        still = (keep @ covers == 0).float()
        if torch.equal(still, keep):
            return keep.bool()
        keep = still


def _largest_not_above(threshold: float, dtype: torch.dtype) -> float:
    """So that `iou > result` in `dtype` means `iou > threshold` in double precision."""
    if dtype == torch.float64:
        return threshold
    rounded = np.float32(threshold)
    return float(rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-1)))
