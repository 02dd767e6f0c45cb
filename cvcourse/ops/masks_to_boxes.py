"""The smallest box around each mask."""

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from cvcourse.ops._checks import check_ndim


def masks_to_boxes(
    masks: Num[Tensor, "n height width"] | Bool[Tensor, "n height width"],
    *,
    inclusive: bool = True,
) -> Float[Tensor, "n 4"]:
    """(x1, y1, x2, y2) around the pixels of each mask that are not zero, float32.

    Args:
        masks: one mask per object.
        inclusive: True: x2 and y2 are the last column and row, so that a mask of one pixel has no
            area; False: the far edges of these, so that a full box has as much area as pixels.

    **Conventions**: an empty mask gives (0, 0, 0, 0). `inclusive=True` equals torchvision's
    `masks_to_boxes`.

    Raises ValueError for `masks` that are not 3-d.
    """
    check_ndim("masks", masks, "(n, height, width)")
    masks = masks != 0
    x1, x2 = _extent(masks.any(dim=1))
    y1, y2 = _extent(masks.any(dim=2))
    if not inclusive:
        x2, y2 = x2 + 1, y2 + 1
    boxes = torch.stack((x1, y1, x2, y2), dim=1)
    return torch.where(masks.flatten(1).any(dim=1, keepdim=True), boxes, 0).float()


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First and last True of each row."""
    length = occupied.shape[1]
    if length == 0:
        nothing = torch.zeros(len(occupied), dtype=torch.int64, device=occupied.device)
        return nothing, nothing
    occupied = occupied.int()  # argmax gives the first of equal values
    return occupied.argmax(dim=1), length - 1 - occupied.flip(1).argmax(dim=1)
