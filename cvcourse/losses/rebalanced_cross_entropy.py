"""Cross-entropy with soft targets, where rare classes count more (colorization)."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_logits,
    check_same_shape,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def rebalanced_cross_entropy_loss(
    logits: Float[Tensor, "batch classes *positions"],
    target: Float[Tensor, "batch classes *positions"],
    weights: Float[Tensor, " classes"],
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Cross-entropy with a distribution as target, weighed by the target's likeliest class.

    .. math:: L = -w_{q^*} \sum_q Z_q \log \mathrm{softmax}(z)_q, \quad q^* = \arg\max_q Z_q

    Args:
        logits: (B, C, ...).
        target: of the same shape, shares of the classes at each position.
        weights: (C,), such as `rebalancing_weights` gives them.
        reduction: "none" (B, ...) | "mean" | "sum".

    **Conventions**: the weight is the true class's, never the predicted one's, and the mean divides
    by the positions. Equals the authors' code, which scales the gradient instead. Half precision is
    computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape or reduction.

    Reference: Zhang et al. 2016, arXiv:1603.08511.
    """
    check_logits("logits", logits)
    check_floating("target", target)
    check_same_shape("target", target, "logits", logits)
    check_floating("weights", weights)
    if weights.shape != logits.shape[1:2]:
        raise ValueError(
            f"weights must have shape ({logits.shape[1]},), got {tuple(weights.shape)}"
        )
    check_choice("reduction", reduction, REDUCTIONS)
    logits, target = at_least_float32(logits), at_least_float32(target)
    weight = weights.to(logits)[target.argmax(1)]
    return reduce_loss(-weight * (target * logits.log_softmax(1)).sum(1), reduction)
