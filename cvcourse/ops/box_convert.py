"""Three ways to write down a box."""

import torch
from jaxtyping import Num
from torch import Tensor

from cvcourse.ops._checks import check_boxes, check_choice, widened

FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(
    boxes: Num[Tensor, "*batch 4"], in_fmt: str, out_fmt: str
) -> Num[Tensor, "*batch 4"]:
    """The same boxes in another format.

    Args:
        in_fmt, out_fmt: "xyxy" (left, top, right, bottom), "xywh" (left, top, width, height) or
            "cxcywh" (centre x, centre y, width, height).

    **Conventions**: always a new tensor; half precision becomes float32, and integers int64, or
    float32 where halves arise (to "cxcywh", and from it): in narrower ones x + width is rounded or
    wraps. Otherwise equals torchvision's `box_convert`.

    Raises ValueError for an unknown format or a last axis that is not 4.
    """
    check_boxes("boxes", boxes)
    check_choice("in_fmt", in_fmt, FORMATS)
    check_choice("out_fmt", out_fmt, FORMATS)
    boxes = widened(boxes)
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xyxy":
        x1, y1, width, height = a, b, c - a, d - b
    elif in_fmt == "xywh":
        x1, y1, width, height = a, b, c, d
    else:
        x1, y1, width, height = a - c / 2, b - d / 2, c, d
    if out_fmt == "xyxy":
        columns = (x1, y1, x1 + width, y1 + height)
    elif out_fmt == "xywh":
        columns = (x1, y1, width, height)
    else:
        columns = (x1 + width / 2, y1 + height / 2, width, height)
    return torch.stack(columns, dim=-1)
