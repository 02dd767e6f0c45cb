"""Generalised IoU: also tells how far apart two boxes are that do not touch."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops.box_iou import hull, intersection_and_union


def generalized_box_iou(
    boxes1: Num[Tensor, "*#batch n 4"], boxes2: Num[Tensor, "*#batch m 4"]
) -> Float[Tensor, "*batch n m"]:
    """GIoU = IoU - (hull - union) / hull of every pair, in (-1, 1]; hull: smallest box around both.

    Args:
        boxes1, boxes2: (x1, y1, x2, y2) with x1 <= x2, y1 <= y2; leading axes broadcast.

    **Conventions**: 0/0 is 0 in both fractions, where torchvision says nan; a malformed box
    (x2 < x1) gives a number without meaning, which may leave the range; half precision and integers
    are computed and returned in float32. Otherwise equals torchvision's.

    Raises ValueError if a last axis is not 4.

    Reference: Rezatofighi et al., Generalized Intersection over Union, 2019, arXiv:1902.09630.
    """
    intersection, union = intersection_and_union(boxes1, boxes2)
    tiny = torch.finfo(union.dtype).tiny
    width, height = hull(boxes1, boxes2)
    around = width.mul_(height)
    empty = around - union
    iou = intersection.div_(union.clamp_(min=tiny))
    return iou.sub_(empty.div_(around.clamp_(min=tiny)))
