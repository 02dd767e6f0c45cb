"""What several segmentation models share."""

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor


def pixel_cross_entropy(
    logits: Float[Tensor, "batch classes *places"],
    target: Integer[Tensor, "batch *places"],
    ignore_index: int = -100,
) -> Float[Tensor, ""]:
    """`F.cross_entropy`, mean over valid pixels, but 0 with a zero gradient where none is valid."""
    target = target.long()
    total = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum")
    return total / (target != ignore_index).sum().clamp(min=1)
