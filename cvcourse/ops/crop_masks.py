"""Masks of the image in the frame of boxes: what a mask head is trained on."""

import torch
from jaxtyping import Bool, Float, Integer, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes, check_ndim, check_same_length
from cvcourse.ops.roi_align import roi_align


def crop_masks(
    masks: Num[Tensor, "objects height width"] | Bool[Tensor, "objects height width"],
    boxes: Num[Tensor, "n 4"],
    index: Integer[Tensor, "n"],
    size: int,
) -> Float[Tensor, "n {size} {size}"]:
    """`masks[index[i]]` inside `boxes[i]`, resampled to (size, size): undoes `paste_masks`, nearly.

    Args:
        masks: full-size masks in [0, 1], one per object.
        boxes: (x1, y1, x2, y2) in pixels.
        index: which mask each box looks at, such as its matched object.

    **Conventions**: soft values, `roi_align` with adaptive sampling and `aligned=False`. Equals
    torchvision's `project_masks_on_boxes`.

    Raises ValueError as `roi_align` does.

    Reference: He et al., Mask R-CNN, 2017, arXiv:1703.06870.
    """
    check_ndim("masks", masks, "(objects, height, width)")
    check_boxes("boxes", boxes)
    check_ndim("index", index, "(n)")
    check_same_length("boxes", boxes, "index", index)
    values, boxes = as_float(masks, boxes)
    rois = torch.cat((index[:, None].to(boxes.dtype), boxes), dim=1)  # (n, 5)
    return roi_align(values[:, None], rois, size)[:, 0]
