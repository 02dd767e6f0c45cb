"""Two looks at a picture shall be answered alike (Π-model, temporal ensembling, Mean Teacher)."""

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


def consistency_loss(
    logits: Float[Tensor, "batch classes *space"],
    target: Float[Tensor, "batch classes *space"],
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Squared difference of two predictions, averaged over the classes.

    .. math:: L_b = \frac{1}{C} \sum_c (softmax(x_b)_c - t_{bc})^2

    Args:
        logits: (B, C, ...) of the network that learns.
        target: (B, C, ...) probabilities: the softmax of a second noisy pass (Π), an average of
            earlier predictions, or a teacher's softmax. Detached.
        reduction: "none" (B, ...) | "mean" | "sum".

    **Conventions**: mean over the classes, as in the authors' code, so that weights of 30 or 100
    are usual; a sum would be C times as strong. An empty batch gives 0. Half precision is computed
    and returned in float32. nan stays nan. With the Kullback-Leibler divergence in its place this
    is `distillation_loss` at temperature 1.

    Raises ValueError for another dtype, shape or reduction.

    Reference: Laine and Aila 2016, arXiv:1610.02242; Tarvainen and Valpola 2017, arXiv:1703.01780.
    """
    check_logits("logits", logits)
    check_floating("target", target)
    check_same_shape("target", target, "logits", logits)
    check_choice("reduction", reduction, REDUCTIONS)
    predicted, target = at_least_float32(logits).softmax(1), at_least_float32(target).detach()
    return reduce_loss((predicted - target).square().mean(1), reduction)
