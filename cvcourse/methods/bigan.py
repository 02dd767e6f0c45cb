"""BiGAN's two turns: the judge sees pairs; generator and encoder move together against it.

With the inverse label, as in the authors' code: G wants (G(z), z) to be judged real, E wants
(x, E(x)) to be judged made.

Reference: Donahue et al., Adversarial Feature Learning, 2016, arXiv:1605.09782, and
jeffdonahue/bigan.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from cvcourse.losses import non_saturating_gan_loss


def bigan_judge_losses(
    discriminator: Callable[[Tensor, Tensor], Tensor],
    real: tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch latent"]],
    made: tuple[Float[Tensor, "others ..."], Float[Tensor, "others latent"]],
) -> dict[str, Float[Tensor, ""]]:
    """D's turn. `real`: pictures and their codes E(x); `made`: pictures G(z) and their z. Detached.

    Returns "real" and "made", to be added up.
    """
    scores = [discriminator(x.detach(), z.detach()) for x, z in (real, made)]
    return {
        "real": non_saturating_gan_loss(scores[0], True),
        "made": non_saturating_gan_loss(scores[1], False),
    }


def bigan_forger_losses(
    discriminator: Callable[[Tensor, Tensor], Tensor],
    real: tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch latent"]],
    made: tuple[Float[Tensor, "others ..."], Float[Tensor, "others latent"]],
) -> dict[str, Float[Tensor, ""]]:
    """The turn of G and E, each with the other's label. Returns "encoder" and "generator"."""
    return {
        "encoder": non_saturating_gan_loss(discriminator(*real), False),
        "generator": non_saturating_gan_loss(discriminator(*made), True),
    }
