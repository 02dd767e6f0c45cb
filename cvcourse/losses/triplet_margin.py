"""Triplet loss on given triplets."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_positive,
    check_range,
    check_same_shape,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def triplet_margin_loss(
    anchor: Float[Tensor, "*batch features"],
    positive: Float[Tensor, "*batch features"],
    negative: Float[Tensor, "*batch features"],
    margin: float = 0.2,
    p: float = 2.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""The positive shall be nearer to the anchor than the negative, by a margin.

    .. math:: L = \max(0, d(a, p) - d(a, n) + m), \quad d(x, y) = \|x - y + ε\|_p

    Args:
        anchor, positive, negative: embeddings (..., D), as they are (not normalised).
        margin: >= 0.
        p: order of the norm, > 0.
        swap: use the harder of d(a, n) and d(p, n).
        reduction: "none" | "mean" | "sum".

    **Conventions**: equals `F.triplet_margin_loss` (whose margin is 1 by default), its ε of 1e-6
    included, but the mean of an empty batch is 0. Half precision is computed and returned in
    float32. nan stays nan.

    Raises ValueError for another dtype, shape, margin, p or reduction.

    Reference: Schroff et al. 2015, arXiv:1503.03832; swap: Balntas et al. 2016, BMVC.
    """
    check_floating("anchor", anchor)
    check_same_shape("positive", positive, "anchor", anchor)
    check_same_shape("negative", negative, "anchor", anchor)
    check_range("margin", margin, 0)
    check_positive("p", p)
    check_choice("reduction", reduction, REDUCTIONS)
    anchor, positive, negative = map(at_least_float32, (anchor, positive, negative))
    near = F.pairwise_distance(anchor, positive, p)
    far = F.pairwise_distance(anchor, negative, p)
    if swap:
        far = torch.minimum(far, F.pairwise_distance(positive, negative, p))
    return reduce_loss(torch.relu(near - far + margin), reduction)
