"""Triplet loss on all triplets of a labelled batch."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_embeddings, check_range
from cvcourse.losses._distances import pair_masks, pairwise_distances, prepare
from cvcourse.losses._reduce import average


def batch_all_triplet_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    margin: float = 0.2,
    normalize: bool = True,
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    r"""Every anchor with every positive and every negative.

    .. math:: L = \operatorname{avg}_{a,p,n} \max(0, d_{ap} - d_{an} + m), \quad
              y_a = y_p \ne y_n, a \ne p

    Args:
        embeddings: (N, D).
        labels: (N,) integers, any values.
        margin: >= 0.
        normalize: scale embeddings to unit length first.
        reduction: "mean" over all triplets; "nonzero" over those with a loss above 0; "sum".

    **Conventions**: "nonzero" is the default of pytorch-metric-learning's TripletMarginLoss and
    the paper's "batch all ≠ 0". Without any triplet, loss and gradient are 0. Equal embeddings
    have distance 0 and gradient 0. Memory grows with (positive pairs) x N, never N³. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin or reduction.

    Reference: Hermans et al. 2017, arXiv:1703.07737.
    """
    check_embeddings(embeddings, labels)
    check_range("margin", margin, 0)
    check_choice("reduction", reduction, ("mean", "nonzero", "sum"))
    d = pairwise_distances(prepare(embeddings, normalize))
    positive, negative = pair_masks(labels)
    anchors, positives = positive.nonzero(as_tuple=True)
    to_negatives = d.masked_fill(~negative, torch.inf)  # no hinge ever reaches the others
    loss = torch.relu(d[anchors, positives, None] + margin - to_negatives[anchors])  # (pairs, N)
    return average(loss, negative.sum(1)[anchors].sum(), reduction)
