"""Distance and complete IoU: overlap, less the distance of centres, less the change of shape."""

import math

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops.box_iou import box_iou, hull, sides

EPS = 1e-7


def distance_box_iou(
    boxes1: Num[Tensor, "*#batch n 4"], boxes2: Num[Tensor, "*#batch m 4"]
) -> Float[Tensor, "*batch n m"]:
    """DIoU = IoU - d² / c² of every pair, in (-1, 1]; d: distance of centres, c: hull's diagonal.

    Args:
        boxes1, boxes2: (x1, y1, x2, y2) with x1 <= x2, y1 <= y2; leading axes broadcast.

    **Conventions**: as torchvision, 1e-7 is added to c² (not to the IoU); 0/0 is 0; half precision
    and integers are computed and returned in float32. Otherwise equals torchvision's.

    Raises ValueError if a last axis is not 4.

    Reference: Zheng et al., Distance-IoU Loss, 2019, arXiv:1911.08287.
    """
    left1, top1, right1, bottom1, left2, top2, right2, bottom2 = sides(boxes1, boxes2)
    dx = (left1 + right1 - left2 - right2) / 2
    dy = (top1 + bottom1 - top2 - bottom2) / 2
    width, height = hull(boxes1, boxes2)
    return box_iou(boxes1, boxes2) - (dx**2 + dy**2) / (width**2 + height**2 + EPS)


def complete_box_iou(
    boxes1: Num[Tensor, "*#batch n 4"], boxes2: Num[Tensor, "*#batch m 4"]
) -> Float[Tensor, "*batch n m"]:
    """CIoU = DIoU - α v of every pair, in (-1, 1].

    v = 4/π² (atan(w1 / h1) - atan(w2 / h2))² and α = v / (1 - IoU + v).

    Args:
        boxes1, boxes2: (x1, y1, x2, y2) with x1 <= x2, y1 <= y2; leading axes broadcast.

    **Conventions**: α is a constant for the gradient, as in the paper; a point has w / h = 0; as
    torchvision, 1e-7 is added to the denominators of DIoU and α; half precision and integers are
    computed and returned in float32. Equals torchvision's but for boxes without area (nan there).

    Raises ValueError if a last axis is not 4.

    Reference: Zheng et al., Distance-IoU Loss, 2019, arXiv:1911.08287.
    """
    left1, top1, right1, bottom1, left2, top2, right2, bottom2 = sides(boxes1, boxes2)
    angle1 = shape_angle(right1 - left1, bottom1 - top1)
    angle2 = shape_angle(right2 - left2, bottom2 - top2)
    v = 4 / math.pi**2 * (angle1 - angle2) ** 2
    alpha = v.detach() / (1 - box_iou(boxes1.detach(), boxes2.detach()) + v.detach() + EPS)
    return distance_box_iou(boxes1, boxes2) - alpha * v


def shape_angle(width: Tensor, height: Tensor) -> Tensor:
    """atan(width / height), with 0 and a finite gradient for a point."""
    return torch.atan2(width, height.masked_fill((width == 0) & (height == 0), 1))
