"""Contrastive loss on all pairs of a labelled batch."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_embeddings, check_range
from cvcourse.losses._distances import pair_masks, pairwise_distances, prepare
from cvcourse.losses._reduce import average


def pairwise_contrastive_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    pos_margin: float = 0.0,
    neg_margin: float = 1.0,
    normalize: bool = True,
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    r"""Hinge on the distance of every pair: same labels near, different labels far.

    .. math:: L = \operatorname{avg}_{y_i = y_j} \max(0, d_{ij} - m_p)
              + \operatorname{avg}_{y_i \ne y_j} \max(0, m_n - d_{ij}), \quad i \ne j

    Args:
        embeddings: (N, D).
        labels: (N,) integers, any values.
        pos_margin, neg_margin: distances >= 0 below, or above, which a pair is left alone.
        normalize: scale embeddings to unit length first.
        reduction: "mean" over the pairs of each kind; "nonzero" over those with a loss above 0;
            "sum".

    **Conventions**: "nonzero" is the default of pytorch-metric-learning's ContrastiveLoss (which
    gives 0 if there is only one pair of a kind, a bug). A kind without pairs gives 0. Hinges are
    not squared. Equal embeddings have distance 0 and gradient 0. Half precision is computed and
    returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin or reduction.

    Reference: Hadsell, Chopra, LeCun 2006; this linear form: Musgrave et al. 2020,
    arXiv:2008.09164.
    """
    check_embeddings(embeddings, labels)
    check_range("pos_margin", pos_margin, 0)
    check_range("neg_margin", neg_margin, 0)
    check_choice("reduction", reduction, ("mean", "nonzero", "sum"))
    d = pairwise_distances(prepare(embeddings, normalize))
    positive, negative = pair_masks(labels)
    pull = torch.relu(d - pos_margin) * positive
    push = torch.relu(neg_margin - d) * negative
    return average(pull, positive.sum(), reduction) + average(push, negative.sum(), reduction)
