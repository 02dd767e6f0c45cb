"""Semi-hard mining: negatives that are farther than the positive, but not by the margin."""

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from cvcourse.losses._checks import check_embeddings, check_positive
from cvcourse.losses._distances import farthest, nearest, pair_masks, pairwise_distances, prepare


@torch.no_grad()
def mine_semi_hard(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    margin: float = 0.2,
    per_anchor: bool = False,
    normalize: bool = True,
) -> tuple[Int64[Tensor, " mined"], Int64[Tensor, " mined"], Int64[Tensor, " mined"]]:
    """Indices (anchors, positives, negatives) with 0 < d(a, n) - d(a, p) <= margin.

    Args:
        embeddings: (N, D).
        labels: (N,) integers, any values.
        margin: > 0; infinity is allowed.
        per_anchor: one triplet for each anchor: its farthest positive, and of the negatives that
            are semi-hard for it the nearest. Otherwise all semi-hard triplets, anchor-major.
        normalize: scale embeddings to unit length first.

    **Conventions**: equals pytorch-metric-learning's TripletMarginMiner(margin, "semihard") and,
    with per_anchor and an infinite margin, its BatchEasyHardMiner("hard", "semihard"). Anchors
    without a semi-hard triplet are left out; nan distances are never mined. Memory grows with
    (positive pairs) x N, never N³.

    Raises ValueError for another dtype, shape or margin.

    Reference: Schroff et al. 2015, arXiv:1503.03832.
    """
    check_embeddings(embeddings, labels)
    check_positive("margin", margin)
    d = pairwise_distances(prepare(embeddings, normalize))
    positive, negative = pair_masks(labels)
    if per_anchor:
        anchors = positive.any(1).nonzero().squeeze(1)
        positives = farthest(d, positive)[anchors]
    else:
        anchors, positives = positive.nonzero(as_tuple=True)
    gap = d[anchors] - d[anchors, positives, None]  # (pairs, N)
    semi_hard = (gap > 0) & (gap <= margin) & negative[anchors]
    if per_anchor:
        pairs = semi_hard.any(1).nonzero().squeeze(1)
        negatives = nearest(gap, semi_hard)[pairs]
    else:
        pairs, negatives = semi_hard.nonzero(as_tuple=True)
    return anchors[pairs], positives[pairs], negatives
