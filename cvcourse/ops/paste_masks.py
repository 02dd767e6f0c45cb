"""Masks between the frame of their box and the frame of the image."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import (
    as_float,
    check_boxes,
    check_floating,
    check_ndim,
    check_same_length,
    numbers,
    pair,
)


def paste_masks(
    masks: Float[Tensor, "n size size"],
    boxes: Num[Tensor, "n 4"],
    size: Sequence[int],
) -> Float[Tensor, "n height width"]:
    """Each mask resized to its box and laid into an empty image.

    Args:
        masks: soft masks in the frame of their boxes, such as sigmoids of a mask head.
        boxes: (x1, y1, x2, y2) in pixels; may leave the image.
        size: (height, width) of the image.

    **Conventions**: a border of one mask cell of zeros is added and the box grown to match, then
    its corners are cut to whole pixels, both ends inclusive, at least one pixel; bilinear with
    half-pixel centres. Equals torchvision's `paste_masks_in_image`.

    Raises ValueError for wrong shapes, and on boxes that are not finite.
    """
    check_ndim("masks", masks, "(n, size, size)")
    check_floating("masks", masks)
    check_boxes("boxes", boxes)
    check_ndim("boxes", boxes, "(n, 4)")
    check_same_length("masks", masks, "boxes", boxes)
    height, width = pair("size", size, least=0)
    cells = masks.shape[-1]
    if cells == 0 or masks.shape[1] != cells:
        raise ValueError(f"masks must be square, not empty, got {tuple(masks.shape)}")
    values, boxes = as_float(masks, boxes)
    padded = F.pad(values, (1, 1, 1, 1))
    x1, y1, x2, y2 = boxes.unbind(1)
    scale = (cells + 2) / cells
    half_width, half_height = (x2 - x1) * 0.5 * scale, (y2 - y1) * 0.5 * scale
    x, y = (x2 + x1) * 0.5, (y2 + y1) * 0.5
    grown = torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), dim=1)
    out = masks.new_zeros(len(masks), height, width)
    for i, (mask, box) in enumerate(zip(padded, numbers(grown), strict=True)):
        if not all(map(math.isfinite, box)):
            raise ValueError(f"boxes must be finite, got {numbers(boxes[i])}")
        left, top, right, bottom = (int(side) for side in box)
        rows, row_weight = _resampling(top, bottom, height, mask)
        columns, column_weight = _resampling(left, right, width, mask)
        with torch.autocast(mask.device.type, enabled=False):
            inside = row_weight @ mask @ column_weight.T
        out[i, rows, columns] = inside.to(out.dtype)
    return out


def _resampling(first: int, last: int, length: int, mask: Tensor) -> tuple[slice, Tensor]:
    """Pixels of first ... last that lie in the image, and the mask cells that each averages."""
    cells = len(mask)
    count = max(last - first + 1, 1)
    start = min(max(first, 0), length)
    stop = min(max(first + count, start), length)
    pixel = torch.arange(start, stop, dtype=mask.dtype, device=mask.device) - float(first)
    position = ((pixel + 0.5) * (cells / count) - 0.5).clamp(0, cells - 1)
    cell = torch.arange(cells, device=mask.device)
    weight = (1 - (position[:, None] - cell).abs()).clamp(min=0)  # (pixels, cells)
    return slice(start, stop), weight.to(mask.dtype)
