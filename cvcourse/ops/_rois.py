"""Regions of interest in the two forms that the RoI ops accept."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes, check_ndim, is_readable


def split_rois(boxes: Tensor | Sequence[Tensor], input: Tensor) -> tuple[Tensor, Tensor]:
    """Image of each RoI (K,) int64, and boxes (K, 4), from (K, 5) or from one (n, 4) per image."""
    batch_size = len(input)
    if isinstance(boxes, Tensor):
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise ValueError(
                "boxes must be (K, 5) with the index of the image first, or a list of (n, 4), "
                f"got {tuple(boxes.shape)}"
            )
        (boxes,) = as_float(boxes.detach())
        return _image_index(boxes[:, 0], batch_size), boxes[:, 1:]
    if len(boxes) != batch_size:
        raise ValueError(f"boxes must have one tensor per image, {batch_size}, got {len(boxes)}")
    for each in boxes:
        check_boxes("boxes", each)
        check_ndim("boxes", each, "(n, 4)")
    counts = [len(each) for each in boxes]
    image = torch.arange(batch_size, device=input.device).repeat_interleave(
        torch.tensor(counts, dtype=torch.int64, device=input.device), output_size=sum(counts)
    )
    none = torch.empty(0, 4, device=input.device, dtype=torch.float32)
    return image, torch.cat(as_float(none, *(each.detach() for each in boxes)))


def _image_index(index: Tensor, batch_size: int) -> Tensor:
    """Whole numbers in [0, batch_size). Reads them, so it waits for a GPU; not when compiled."""
    if is_readable(index):
        wrong = index[(index != index.floor()) | (index < 0) | (index >= batch_size)]
        if len(wrong):
            raise ValueError(
                f"boxes must have image indices from 0 to {batch_size - 1} in their first column, "
                f"got {wrong[0].item()}"
            )
    return index.long()
