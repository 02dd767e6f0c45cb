"""Circle loss: each similarity is pulled as hard as it is far from where it should be."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_embeddings,
    check_positive,
    check_range,
)
from cvcourse.losses._distances import pair_masks, prepare
from cvcourse.losses._reduce import inner_products, reduce_loss


def circle_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    margin: float = 0.4,
    gamma: float = 80.0,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""One loss for each anchor over all its positives p and negatives n, by cosines s.

    .. math:: L_i = \log\Big(1 + \sum_n e^{γ α_n (s_n - m)} \sum_p e^{-γ α_p (s_p - 1 + m)}\Big)

    with :math:`α_p = \max(0, 1 + m - s_p)` and :math:`α_n = \max(0, s_n + m)`, which carry no
    gradient. The pairs (s_n, s_p) with L = log 2 lie on a circle, hence the name.

    Args:
        embeddings: (N, D); scaled to unit length.
        labels: (N,) integers, any values.
        margin: m in [0, 1]; 0.25 for faces, 0.4 for retrieval in the paper.
        gamma: γ > 0, the scale; 256 for faces, 80 for retrieval in the paper.
        reduction: "none" (N,) | "mean" | "sum".

    **Conventions**: equals pytorch-metric-learning's CircleLoss: an anchor without a positive or
    without a negative has loss 0, and the mean is over all others. Half precision is computed and
    returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin, gamma or reduction.

    Reference: Sun et al. 2020, arXiv:2002.10857.
    """
    check_embeddings(embeddings, labels)
    check_range("margin", margin, 0, 1)
    check_positive("gamma", gamma)
    check_choice("reduction", reduction, REDUCTIONS)
    z = prepare(embeddings, normalize=True)
    s = inner_products(z, z)  # (N, N)
    positive, negative = pair_masks(labels)
    pull = (1 + margin - s.detach()).relu()
    push = (s.detach() + margin).relu()
    near = _log_sum(-gamma * pull * (s - 1 + margin), positive)
    far = _log_sum(gamma * push * (s - margin), negative)
    counts = positive.any(1) & negative.any(1)
    loss = F.softplus(torch.where(counts, near + far, 0)).masked_fill(~counts, 0)
    return reduce_loss(loss, reduction, counts.sum())


def _log_sum(logits: Tensor, among: Tensor) -> Tensor:
    """(N, N) -> (N,) log of the sum of exp over those marked; 0 for a row without any."""
    rows = among.any(1, keepdim=True)
    return logits.masked_fill(~among & rows, -torch.inf).logsumexp(1).masked_fill(~rows[:, 0], 0)
