"""Normalised temperature-scaled cross-entropy (SimCLR)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_matrix,
    check_positive,
    check_same_shape,
)
from cvcourse.losses._distances import prepare
from cvcourse.losses._reduce import inner_products, reduce_loss


def nt_xent_loss(
    z0: Float[Tensor, "batch features"],
    z1: Float[Tensor, "batch features"],
    temperature: float = 0.5,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Find the other view of each item among the 2N - 1 other rows of the batch.

    .. math:: L_i = -\log \frac{\exp(z_i·z_{i'} / T)}{\sum_{j \ne i} \exp(z_i·z_j / T)}

    Args:
        z0, z1: embeddings (N, D) of the two views; row i of each shows the same item. They are
            scaled to unit length.
        temperature: > 0.
        reduction: "none" (2N,), first all of z0, then all of z1 | "mean" | "sum".

    **Conventions**: equals lightly's NTXentLoss. One item alone has no negatives and loss 0, an
    empty batch too. Cross-entropy of one matrix of logits, so no temperature underflows. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, temperature or reduction.

    Reference: Chen et al. 2020, arXiv:2002.05709.
    """
    check_matrix("z0", z0)
    check_floating("z1", z1)
    check_same_shape("z1", z1, "z0", z0)
    check_positive("temperature", temperature)
    check_choice("reduction", reduction, REDUCTIONS)
    z = torch.cat([prepare(z0, normalize=True), prepare(z1, normalize=True)])
    logits = (inner_products(z, z) / temperature).fill_diagonal_(-torch.inf)  # (2N, 2N)
    other_view = torch.arange(len(z), device=z.device).roll(len(z0))
    return reduce_loss(F.cross_entropy(logits, other_view, reduction="none"), reduction)
