"""Geodesic cross loss: the latents of all layers of a generator shall point the same way."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_floating
from cvcourse.losses._reduce import at_least_float32, reduce_loss

_TINY = 1e-9  # under the roots, so that equal latents have a gradient


def geodesic_cross_loss(
    latents: Float[Tensor, "batch layers dimensions"], reduction: str = "sum"
) -> Float[Tensor, "..."]:
    r"""Mean squared angle between the latents of each two layers, times 64.

    .. math:: L = 64 \, \overline{θ_{ij}^2}, \quad
              θ_{ij} = 2 \operatorname{atan2}(\|v_i - v_j\|, \|v_i + v_j\|)

    Args:
        latents: v, one vector for each layer of the generator.
        reduction: "none" (B,) | "sum", as PULSE | "mean".

    **Conventions**: the mean is over all pairs, a layer with itself included, so one layer gives 0.
    Angles are those of vectors of one length. An empty batch gives 0. Half precision is computed
    and returned in float32.

    Raises ValueError for another dtype, shape or reduction.

    Reference: Menon et al., PULSE, 2020, arXiv:2003.03808, and the authors' code.
    """
    check_floating("latents", latents)
    check_choice("reduction", reduction, REDUCTIONS)
    if latents.ndim != 3:
        raise ValueError(
            f"latents must have shape (batch, layers, dimensions), got {tuple(latents.shape)}"
        )
    v = at_least_float32(latents)
    if v.shape[1] == 1:
        return reduce_loss(0 * v.sum((1, 2)), reduction)
    first, second = v[:, :, None], v[:, None]
    apart = ((first - second).square().sum(3) + _TINY).sqrt()  # (B, L, L)
    together = ((first + second).square().sum(3) + _TINY).sqrt()
    angle = 2 * torch.atan2(apart, together)
    return reduce_loss(64 * angle.square().mean((1, 2)), reduction)
