"""Online hard negative mining (SSD)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.losses._checks import check_floating, check_range, check_same_shape


@torch.no_grad()
def mine_hard_negatives(
    loss: Float[Tensor, "*batch anchors"],
    positive: Bool[Tensor, "*batch anchors"],
    ratio: float = 3.0,
    min_negatives: int = 0,
    ignored: Bool[Tensor, "*batch anchors"] | None = None,
) -> Bool[Tensor, "*batch anchors"]:
    """Which anchors to train on: all positives, and the negatives with the highest loss.

    Args:
        loss: (..., A) classification loss of every anchor; each row (image) is mined by itself.
        positive: (..., A) anchors that are matched to an object.
        ratio: negatives to keep for each positive of the row, rounded down.
        min_negatives: keep at least as many, also in an image without objects (SSD: 0).
        ignored: (..., A) anchors that are neither, and never kept.

    **Conventions**: as in SSD, the loss is then `loss[kept].sum() / positive.sum()`. Where there
    are fewer negatives, all are kept. Of equal losses the first are kept; nan counts as the
    highest. An empty row gives an empty row. The mask carries no gradient.

    Raises ValueError for another dtype, shape, ratio or min_negatives.

    Reference: Liu et al. 2016, arXiv:1512.02325, section 2.2.
    """
    check_floating("loss", loss)
    check_range("ratio", ratio, 0)
    check_range("min_negatives", min_negatives, 0)
    if ignored is None:
        ignored = torch.zeros_like(loss, dtype=torch.bool)
    for name, mask in (("positive", positive), ("ignored", ignored)):
        check_same_shape(name, mask, "loss", loss)
        if mask.dtype != torch.bool:
            raise ValueError(f"{name} must be a bool tensor, got {mask.dtype}")
    positive, negative = positive & ~ignored, ~(positive | ignored)
    wanted = (ratio * positive.sum(-1, keepdim=True)).floor()
    wanted = wanted.nan_to_num(0).clamp(min=min_negatives)  # infinitely many for none are none
    candidates = loss.masked_fill(~negative, -torch.inf)
    order = candidates.sort(dim=-1, descending=True, stable=True).indices
    rank = torch.arange(loss.shape[-1], device=loss.device).expand_as(order)
    hardest = torch.zeros_like(positive).scatter(-1, order, rank < wanted)
    return positive | (negative & hardest)
