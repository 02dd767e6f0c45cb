"""Contrastive loss on pairs."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_matrix,
    check_range,
    check_same_shape,
    check_values,
)
from cvcourse.losses._distances import distances
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._checks import check_tensor


def contrastive_loss(
    x0: Float[Tensor, "batch features"],
    x1: Float[Tensor, "batch features"],
    y: Shaped[Tensor, " batch"],
    margin: float = 1.0,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Pull the same together, push the different apart up to a margin.

    .. math:: L = \tfrac12 y d^2 + \tfrac12 (1 - y) \max(0, m - d)^2, \quad d = \|x_0 - x_1\|

    Args:
        x0, x1: embeddings (B, D) of the two items of each pair, as they are (not normalised).
        y: (B,) 1 (or True) for the same, 0 for different, in between for a mixture. In the paper
            it is the other way round.
        margin: distance >= 0 beyond which different pairs are left alone.
        reduction: "none" | "mean" | "sum".

    **Conventions**: the mean divides by B and is 0 for an empty batch. A different pair with
    distance 0 has gradient 0: no direction leads away. Half precision is computed and returned in
    float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin or reduction, and, on the CPU, for y outside
    [0, 1] (as -1 of `F.cosine_embedding_loss`).

    Reference: Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant
    Mapping".
    """
    check_matrix("x0", x0)
    check_floating("x1", x1)
    check_same_shape("x1", x1, "x0", x0)
    check_tensor("y", y)
    if y.shape != x0.shape[:1]:
        raise ValueError(f"y must have shape ({len(x0)},), got {tuple(y.shape)}")
    check_values("y", y, 1)
    check_range("margin", margin, 0)
    check_choice("reduction", reduction, REDUCTIONS)
    x0, x1 = at_least_float32(x0), at_least_float32(x1)
    y = y.to(x0.dtype)
    pull = (x0 - x1).square().sum(1)
    push = torch.relu(margin - distances(x0, x1)).square()
    return reduce_loss((y * pull + (1 - y) * push) / 2, reduction)
