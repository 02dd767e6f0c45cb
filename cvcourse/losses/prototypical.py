"""Prototypical loss: a class is the mean of its few examples."""

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_integers,
    check_matrix,
    check_positive,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def prototypical_loss(
    queries: Float[Tensor, "queries features"],
    prototypes: Float[Tensor, "classes features"],
    labels: Integer[Tensor, " queries"],
    temperature: float = 1.0,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Cross-entropy where a class is the more likely, the nearer its prototype.

    .. math:: L_q = -\log \frac{\exp(-\|q - c_y\|^2 / T)}{\sum_k \exp(-\|q - c_k\|^2 / T)}

    Args:
        queries: (Q, D) embeddings, as they are (not normalised).
        prototypes: (N, D), usually the means of each class's support.
        labels: (Q,) integers in [0, N - 1], the places of the right prototypes.
        temperature: T > 0; 1 in the paper, 64 or 32 in FEAT.
        reduction: "none" (Q,) | "mean" | "sum".

    **Conventions**: squared Euclidean distances, as the authors' code. The mean of no queries is 0.
    Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, label, temperature or reduction.

    Reference: Snell et al. 2017, arXiv:1703.05175.
    """
    check_matrix("queries", queries)
    check_matrix("prototypes", prototypes)
    if prototypes.shape[1] != queries.shape[1] or not len(prototypes):
        raise ValueError(
            f"prototypes must have shape (N, {queries.shape[1]}), got {tuple(prototypes.shape)}"
        )
    check_integers("labels", labels)
    if labels.shape != queries.shape[:1]:
        raise ValueError(f"labels must have shape ({len(queries)},), got {tuple(labels.shape)}")
    check_values("labels", labels, len(prototypes) - 1)
    check_positive("temperature", temperature)
    check_choice("reduction", reduction, REDUCTIONS)
    queries, prototypes = at_least_float32(queries), at_least_float32(prototypes)
    squared = (queries[:, None] - prototypes).square().sum(2)  # (Q, N)
    loss = F.cross_entropy(-squared / temperature, labels.long(), reduction="none")
    return reduce_loss(loss, reduction)
