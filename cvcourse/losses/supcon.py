"""Supervised contrastive loss."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_embeddings, check_positive
from cvcourse.losses._distances import pair_masks, prepare
from cvcourse.losses._reduce import inner_products, reduce_loss


def supcon_loss(
    embeddings: Float[Tensor, "batch features"],
    labels: Integer[Tensor, " batch"],
    temperature: float = 0.1,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Find every item of the same class among all others.

    .. math:: L_i = -\frac1{|P(i)|} \sum_{p \in P(i)}
              \log \frac{\exp(z_i·z_p / T)}{\sum_{j \ne i} \exp(z_i·z_j / T)}

    Args:
        embeddings: (N, D), all views of all items; scaled to unit length.
        labels: (N,) integers, any values.
        temperature: > 0.
        reduction: "none" (N,) | "mean" | "sum".

    **Conventions**: the paper's L_out, without its factor T / T_base. The mean divides by the
    anchors that have a positive; others are 0 in "none"; without any, loss and gradient are 0.
    Equals pytorch-metric-learning's SupConLoss except for batches of one class (0 there). Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, temperature or reduction.

    Reference: Khosla et al. 2020, arXiv:2004.11362.
    """
    check_embeddings(embeddings, labels)
    check_positive("temperature", temperature)
    check_choice("reduction", reduction, REDUCTIONS)
    z = prepare(embeddings, normalize=True)
    logits = (inner_products(z, z) / temperature).fill_diagonal_(-torch.inf)  # (N, N)
    positive, _ = pair_masks(labels)
    number = positive.sum(1)
    found = logits.log_softmax(1).masked_fill(~positive, 0).sum(1)
    loss = (-found / number.clamp(min=1)).masked_fill(number == 0, 0)
    return reduce_loss(loss, reduction, (number > 0).sum())
