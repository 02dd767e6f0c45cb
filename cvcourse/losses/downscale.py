"""Downscale loss: a picture made small shall be the small picture that was given, well enough."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_range,
    check_same_shape,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def downscale_loss(
    low: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    p: int = 2,
    eps: float = 2e-3,
    reduction: str = "sum",
) -> Float[Tensor, "..."]:
    r"""Mean error of each picture, but not below `eps`, from where on it is good enough.

    .. math:: L = \sum_b \max(ε, \overline{(x_b - y_b)^2})
              \quad \text{or} \quad 10 \sum_b \max(ε, \overline{|x_b - y_b|})

    Args:
        low: pictures made small, in [0, 1]; `target`: those that were given.
        p: 2 | 1, which is weighted by 10, as in PULSE.
        eps: where the error stops to count.
        reduction: "none" (B,) | "sum", as PULSE | "mean".

    **Conventions**: a picture at or below `eps` gives `eps` (times 10) and no gradient. An empty
    batch gives 0. Half precision is computed and returned in float32.

    Raises ValueError for another dtype, shape, p, eps or reduction.

    Reference: Menon et al., PULSE, 2020, arXiv:2003.03808, and the authors' code.
    """
    check_floating("low", low)
    check_floating("target", target)
    check_same_shape("target", target, "low", low)
    check_choice("p", p, (1, 2))
    check_choice("reduction", reduction, REDUCTIONS)
    check_range("eps", eps, 0)
    if low.ndim < 2:
        raise ValueError(f"low must have a batch dimension first, got {tuple(low.shape)}")
    difference = at_least_float32(low) - at_least_float32(target)
    error = difference.square() if p == 2 else difference.abs()
    error = error.flatten(1).mean(1).clamp(min=eps)
    return reduce_loss(error if p == 2 else 10 * error, reduction)
