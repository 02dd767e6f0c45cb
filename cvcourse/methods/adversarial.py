"""What two players add up for one batch: the judge, who tells real from made, and the forger.

Each function is for one turn. Whoever does not move keeps still: made pictures are detached for the
judge here; for the forger the judge's weights are left out of the optimiser, or do not require a
gradient.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.losses import (
    categorical_information_bound,
    gaussian_information_bound,
    non_saturating_gan_loss,
    r1_penalty,
)


def judge_losses(
    discriminator: Callable[[Tensor], Tensor],
    images: Float[Tensor, "batch ..."],
    made: Float[Tensor, "others ..."],
    *,
    loss: Callable[[Tensor, bool], Tensor] = non_saturating_gan_loss,
    gamma: float = 0.0,
) -> dict[str, Float[Tensor, ""]]:
    """The discriminator's turn: real pictures are to score high, made ones low.

    Args:
        discriminator: from pictures to scores. Real and made ones go through it one after the
            other, so that batch norms do not mix them.
        images, made: real pictures, and a generator's, which are detached.
        loss: `loss(scores, real)`, one of `cvcourse.losses`.
        gamma: γ of `r1_penalty` at the real pictures, which is added with γ/2; 0 leaves it out.

    Returns "real" and "made", and "r1" where there is one: what is to be added up.
    """
    if gamma < 0:
        raise ValueError(f"gamma: expected 0 or more, got {gamma}")
    if gamma:
        images = images.detach().requires_grad_()
    scores = discriminator(images)
    parts = {"real": loss(scores, True), "made": loss(discriminator(made.detach()), False)}
    if gamma:
        parts["r1"] = gamma / 2 * r1_penalty(scores, images)
    return parts


def forger_losses(
    discriminator: Callable[[Tensor], Tensor],
    made: Float[Tensor, "batch ..."],
    *,
    loss: Callable[[Tensor, bool], Tensor] = non_saturating_gan_loss,
) -> dict[str, Float[Tensor, ""]]:
    """The generator's turn: what it made is to score as real pictures do.

    Args:
        discriminator: from pictures to scores.
        made: with their graph.
        loss: beside `hinge_gan_loss`, `wasserstein_gan_loss` is the generator's.

    Returns "fooled", in a dictionary as `judge_losses` does.
    """
    return {"fooled": loss(discriminator(made), True)}


def draw_codes(
    batch: int,
    *,
    noise: int = 62,
    categories: int = 10,
    continuous: int = 2,
    device: torch.device | str | None = None,
    generator: torch.Generator | None = None,
) -> tuple[
    Float[Tensor, "batch latent"],
    tuple[Integer[Tensor, " batch"], Float[Tensor, "batch continuous"]],
]:
    """InfoGAN's latents: noise from U(-1, 1), one of the categories, numbers from U(-1, 1).

    Returns (latents, codes): latents (B, noise + categories + continuous), with the category as a
    one-hot vector, for the generator; and the codes alone, categories (B,) and numbers (B, K), for
    `information_losses`. They are on `device`; by default where `generator` is.
    """
    for name, value, least in (
        ("batch", batch, 0), ("noise", noise, 0), ("categories", categories, 1),
        ("continuous", continuous, 0),
    ):  # fmt: skip
        if value < least:
            raise ValueError(f"{name}: expected {least} or more, got {value}")
    if device is None and generator is not None:
        device = generator.device  # whatever PyTorch's default is
    options = {"generator": generator, "device": device}
    z = 2 * torch.rand(batch, noise, **options) - 1
    category = torch.randint(categories, (batch,), **options)
    numbers = 2 * torch.rand(batch, continuous, **options) - 1
    one_hot = nn.functional.one_hot(category, categories).to(z.dtype)
    return torch.cat([z, one_hot, numbers], 1), (category, numbers)


def information_losses(
    logits: Float[Tensor, "batch categories"],
    mean: Float[Tensor, "batch continuous"],
    codes: tuple[Tensor, Tensor],
    *,
    weight: float = 1.0,
    continuous_weight: float = 1.0,
) -> dict[str, Float[Tensor, ""]]:
    """InfoGAN's terms, for both turns: minus the bounds of how much the pictures tell of the codes.

    Args:
        logits, mean: of Q, for pictures made from `codes`. In the authors' code these terms train
            Q and the trunk it shares with D in the judge's turn, and the generator in its own.
        codes: as `draw_codes` gives them.
        weight, continuous_weight: λ, both 1 in the authors' code.

    Returns "category" and "numbers", with the variance of the numbers fixed to 1.
    """
    category, numbers = codes
    parts = {"category": -weight * categorical_information_bound(logits, category)}
    if numbers.shape[1]:
        parts["numbers"] = -continuous_weight * gaussian_information_bound(mean, numbers)
    return parts
