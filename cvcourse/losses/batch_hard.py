"""Batch-hard mining: for every anchor its farthest positive and its nearest negative."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_embeddings, check_range
from cvcourse.losses._distances import (
    distances,
    farthest,
    nearest,
    pair_masks,
    pairwise_distances,
    prepare,
)
from cvcourse.losses._reduce import reduce_loss


def mine_batch_hard(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    normalize: bool = True,
) -> tuple[Int64[Tensor, " mined"], Int64[Tensor, " mined"], Int64[Tensor, " mined"]]:
    """Indices (anchors, positives, negatives), at most one triplet for each anchor.

    Args:
        embeddings: (N, D).
        labels: (N,) integers, any values.
        normalize: scale embeddings to unit length first.

    **Conventions**: equals pytorch-metric-learning's BatchHardMiner. Anchors without a positive or
    without a negative are left out. Of equally hard items the first is taken; a nan distance is
    the hardest of all.

    Raises ValueError for another dtype or shape.

    Reference: Hermans et al. 2017, arXiv:1703.07737.
    """
    check_embeddings(embeddings, labels)
    positives, negatives, usable = _hardest(prepare(embeddings, normalize), labels)
    anchors = usable.nonzero().squeeze(1)
    return anchors, positives[anchors], negatives[anchors]


def batch_hard_triplet_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    margin: float = 0.2,
    soft: bool = False,
    normalize: bool = True,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Triplet loss on the hardest triplet of every anchor.

    .. math:: L_a = \max(0, \max_p d_{ap} - \min_n d_{an} + m)

    Args:
        embeddings: (N, D).
        labels: (N,) integers, any values.
        margin: >= 0.
        soft: softplus in place of the hinge: it keeps pulling beyond the margin.
        normalize: scale embeddings to unit length first.
        reduction: "none" (N,) | "mean" | "sum".

    **Conventions**: the mean divides by the anchors with a positive and a negative; others are 0
    in "none"; without any, loss and gradient are 0. The distance of equal embeddings is 0, with
    gradient 0. Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin or reduction.

    Reference: Hermans et al. 2017, arXiv:1703.07737.
    """
    check_embeddings(embeddings, labels)
    check_range("margin", margin, 0)
    check_choice("reduction", reduction, REDUCTIONS)
    x = prepare(embeddings, normalize)
    positives, negatives, usable = _hardest(x, labels)
    gap = distances(x, x[positives]) - distances(x, x[negatives]) + margin
    loss = (F.softplus(gap) if soft else torch.relu(gap)).masked_fill(~usable, 0)
    return reduce_loss(loss, reduction, usable.sum())


@torch.no_grad()
def _hardest(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) farthest positive, nearest negative, and whether both exist."""
    d = pairwise_distances(x)
    positive, negative = pair_masks(labels)
    usable = positive.any(1) & negative.any(1)
    return farthest(d, positive), nearest(d, negative), usable
