"""What several ops do with pictures: grey values, and a border mirrored without its edge pixel."""

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)


def grey(images: Tensor) -> Tensor:
    """(..., 3, H, W) of RGB to (..., H, W)."""
    return (images * images.new_tensor(_LUMA)[:, None, None]).sum(-3)


def mirrored(images: Tensor, dim: int, by: int) -> Tensor:
    """Larger by `by` pixels at both ends of `dim`, however small the image is."""
    size = images.shape[dim]
    period = max(1, 2 * size - 2)
    places = torch.arange(-by, size + by, device=images.device) % period
    return images.index_select(dim, torch.minimum(places, period - places))
