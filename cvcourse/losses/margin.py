"""Margin loss: a learned boundary between near and far, one for each class."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    check_embeddings,
    check_floating,
    check_integers,
    check_range,
    check_same_shape,
)
from cvcourse.losses._distances import distances, prepare
from cvcourse.losses._reduce import at_least_float32


def margin_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    anchors: Integer[Tensor, " triplets"],
    positives: Integer[Tensor, " triplets"],
    negatives: Integer[Tensor, " triplets"],
    beta: Float[Tensor, "..."],
    margin: float = 0.2,
    nu: float = 0.0,
) -> Float[Tensor, ""]:
    r"""Positives within β - α of their anchor, negatives beyond β + α; β is learned.

    .. math:: L = \frac1{K} \sum_{(a, p, n)} \max(0, d(a, p) - β + α) + \max(0, β - d(a, n) + α)
              + ν β

    Args:
        embeddings: (N, D); scaled to unit length.
        labels: (N,) integers, of which those of the anchors choose among several β.
        anchors, positives, negatives: indices (M,) of triplets, as `mine_distance_weighted` gives
            them.
        beta: () for all or (C,) for each class, a parameter to learn; the paper begins at 1.2.
        margin: α >= 0.
        nu: ν >= 0, what holds β back.

    **Conventions**: equals pytorch-metric-learning's MarginLoss: K counts the terms above 0,
    positive and negative ones apart, and every triplet adds ν β. Without such a term, the loss is
    0. Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin or nu.

    Reference: Wu et al. 2017, arXiv:1706.07567.
    """
    check_embeddings(embeddings, labels)
    check_floating("beta", beta)
    if beta.ndim > 1:
        raise ValueError(f"beta must have shape () or (classes,), got {tuple(beta.shape)}")
    check_range("margin", margin, 0)
    check_range("nu", nu, 0)
    indices = {"anchors": anchors, "positives": positives, "negatives": negatives}
    for name, places in indices.items():
        check_integers(name, places)
        check_same_shape(name, places, "anchors", anchors)
    a, p, n = (places.long() for places in indices.values())
    z, beta = prepare(embeddings, normalize=True), at_least_float32(beta)
    boundary = beta[labels.long()[a]] if beta.ndim else beta.expand(len(a))
    near = (distances(z[a], z[p]) - boundary + margin).relu()
    far = (boundary - distances(z[a], z[n]) + margin).relu()
    terms = (near > 0).sum() + (far > 0).sum()
    total = near.sum() + far.sum() + nu * boundary.sum()
    return torch.where(terms > 0, total / terms.clamp(min=1), total * 0)
