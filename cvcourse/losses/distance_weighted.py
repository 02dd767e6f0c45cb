"""Distance-weighted mining: negatives drawn evenly over the distances, not over the items."""

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from cvcourse.losses._checks import check_embeddings
from cvcourse.losses._distances import pair_masks, pairwise_distances, prepare


@torch.no_grad()
def mine_distance_weighted(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    cutoff: float = 0.5,
    nonzero_loss_cutoff: float = 1.4,
    generator: torch.Generator | None = None,
) -> tuple[Int64[Tensor, " mined"], Int64[Tensor, " mined"], Int64[Tensor, " mined"]]:
    """Indices (anchors, positives, negatives): every positive pair with one negative drawn for it.

    Args:
        embeddings: (N, D), D >= 2; scaled to unit length.
        labels: (N,) integers, any values.
        cutoff: smaller distances are drawn as if they were this large (noisy gradients).
        nonzero_loss_cutoff: negatives at this distance or beyond are not drawn (no loss).
        generator: source of the random numbers.

    **Conventions**: the weights are those of pytorch-metric-learning's DistanceWeightedMiner, but
    normalised for each anchor by itself, so that a tight cluster elsewhere cannot underflow them.
    Anchors without a positive, or without a negative in reach, are left out; nan is never drawn.

    Raises ValueError for another dtype or shape, or unless 0 < cutoff < nonzero_loss_cutoff <= 2.

    Reference: Wu et al. 2017, arXiv:1706.07567.
    """
    weights = distance_weights(embeddings, labels, cutoff, nonzero_loss_cutoff)
    in_reach = weights.sum(1) > 0
    positive, _ = pair_masks(labels)
    anchors, positives = (positive & in_reach[:, None]).nonzero(as_tuple=True)
    if not len(anchors):
        return anchors, positives, anchors.clone()
    negatives = torch.multinomial(weights[anchors], 1, generator=generator).squeeze(1)
    return anchors, positives, negatives


@torch.no_grad()
def distance_weights(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    cutoff: float = 0.5,
    nonzero_loss_cutoff: float = 1.4,
) -> Float[Tensor, "batch batch"]:
    r"""Rows: probability of each item to be drawn as the anchor's negative; all 0 if none can be.

    It is the inverse of the density of distances between random points of the unit sphere,

    .. math:: q(d) \propto d^{D-2} (1 - d^2/4)^{(D-3)/2}
    """
    check_embeddings(embeddings, labels)
    if embeddings.shape[1] < 2:
        raise ValueError(f"embeddings must have at least 2 features, got {embeddings.shape[1]}")
    if not 0 < cutoff < nonzero_loss_cutoff <= 2:
        raise ValueError(
            "cutoff and nonzero_loss_cutoff must satisfy 0 < cutoff < nonzero_loss_cutoff <= 2, "
            f"got {cutoff} and {nonzero_loss_cutoff}"
        )
    d = pairwise_distances(prepare(embeddings, normalize=True))
    dimension = embeddings.shape[1]
    _, negative = pair_masks(labels)
    excluded = ~(negative & (d < nonzero_loss_cutoff))
    d = d.clamp(min=cutoff).masked_fill(excluded, 1)
    log_density = (dimension - 2) * d.log() + (dimension - 3) / 2 * (1 - d.square() / 4).log()
    return (-log_density).masked_fill(excluded, -torch.inf).softmax(1).nan_to_num(0)
