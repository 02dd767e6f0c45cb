"""Boxes cut off at the border of their image, and those too small to keep."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from cvcourse.ops._checks import check_boxes, check_ndim, pair, widened


def clip_boxes(boxes: Num[Tensor, "*batch 4"], size: Sequence[int]) -> Num[Tensor, "*batch 4"]:
    """The part of each box (x1, y1, x2, y2) inside an image of `size` (height, width).

    **Conventions**: x in [0, width], y in [0, height]; a box outside becomes one of zero area on
    the border; nan stays nan; half precision becomes float32 and integers int64, which can hold
    every border. Otherwise equals torchvision's `clip_boxes_to_image`.

    Raises ValueError if the last axis is not 4 or `size` is not two whole numbers.
    """
    check_boxes("boxes", boxes)
    height, width = pair("size", size, least=0)
    x1, y1, x2, y2 = widened(boxes).unbind(-1)
    columns = (x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height))
    return torch.stack(columns, dim=-1)


def remove_small_boxes(boxes: Num[Tensor, "n 4"], min_size: float) -> Int64[Tensor, "kept"]:
    """Indices of the boxes with both sides at least `min_size`, in order.

    **Conventions**: a side equal to `min_size` stays; a malformed box has a negative side; nan is
    removed. Equals torchvision's `remove_small_boxes`.

    Raises ValueError if the last axis is not 4.
    """
    check_boxes("boxes", boxes)
    check_ndim("boxes", boxes, "(n, 4)")
    x1, y1, x2, y2 = widened(boxes).unbind(-1)
    return ((x2 - x1 >= min_size) & (y2 - y1 >= min_size)).nonzero().squeeze(1)
