"""Windows cut out of pictures, each at its own place."""

import torch
from torch import Tensor


def cut_windows(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """(B, C, H, W) to (B, K, C, side, side). corners: (B, K, 2) integers, first row and column."""
    steps = torch.arange(side, device=images.device)
    rows, columns = (corners.to(images.device)[..., None] + steps).unbind(2)  # (B, K, side) each
    which = torch.arange(len(images), device=images.device)[:, None, None, None]
    return images[which, :, rows[..., None], columns[:, :, None]].permute(0, 1, 4, 2, 3)
