"""Intersection over union of every box with every other."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes, check_choice
from cvcourse.ops.box_convert import FORMATS, box_convert


def box_iou(
    boxes1: Num[Tensor, "*#batch n 4"], boxes2: Num[Tensor, "*#batch m 4"], fmt: str = "xyxy"
) -> Float[Tensor, "*batch n m"]:
    """IoU of each box of `boxes1` with each of `boxes2`: shared area over covered area, in [0, 1].

    Args:
        boxes1, boxes2: (x1, y1, x2, y2); leading axes broadcast.
        fmt: "xyxy", or another format of `box_convert` for both.

    **Conventions**: no +1; touching boxes have 0; 0/0 (both without area) is 0, where torchvision
    says nan; a malformed box (x2 < x1) has 0 with all; nan stays nan. Half precision and integers
    are computed and returned in float32. Otherwise equals torchvision's `box_iou`.

    Raises ValueError if a last axis is not 4, or for an unknown `fmt`.
    """
    check_choice("fmt", fmt, FORMATS)
    if fmt != "xyxy":
        boxes1, boxes2 = (box_convert(boxes, fmt, "xyxy") for boxes in (boxes1, boxes2))
    intersection, union = intersection_and_union(boxes1, boxes2)
    return intersection.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def intersection_and_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Areas, both (..., n, m). One plane per side and in place: each temporary is an (n, m)."""
    left1, top1, right1, bottom1, left2, top2, right2, bottom2 = sides(boxes1, boxes2)
    width = torch.minimum(right1, right2).sub_(torch.maximum(left1, left2)).clamp_(min=0)
    height = torch.minimum(bottom1, bottom2).sub_(torch.maximum(top1, top2)).clamp_(min=0)
    intersection = width.mul_(height)
    area1 = (right1 - left1) * (bottom1 - top1)  # (..., n, 1)
    area2 = (right2 - left2) * (bottom2 - top2)  # (..., 1, m)
    return intersection, (area1 + area2).sub_(intersection)


def hull(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest box around each pair, both (..., n, m)."""
    left1, top1, right1, bottom1, left2, top2, right2, bottom2 = sides(boxes1, boxes2)
    width = torch.maximum(right1, right2).sub_(torch.minimum(left1, left2))
    height = torch.maximum(bottom1, bottom2).sub_(torch.minimum(top1, top2))
    return width, height


def sides(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, ...]:
    """x1, y1, x2, y2 of `boxes1` as columns (..., n, 1), then of `boxes2` as rows (..., 1, m)."""
    check_boxes("boxes1", boxes1, "(..., n, 4)")
    check_boxes("boxes2", boxes2, "(..., m, 4)")
    boxes1, boxes2 = as_float(boxes1, boxes2)
    columns = boxes1.movedim(-1, 0)[..., :, None]
    rows = boxes2.movedim(-1, 0).contiguous()[..., None, :]
    return (*columns, *rows)
