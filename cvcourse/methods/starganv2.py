"""StarGAN v2: what its four networks learn from, and who learns in which step (Choi et al. 2019,
arXiv:1912.01865).

The generator's sum of losses is called twice in a step: with styles of latents, where generator,
mapping network and style encoder learn, and with styles of reference pictures, where the generator
alone does. If the encoder learnt then, it could make styles differ that look alike, and be paid for
diversity.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.losses import non_saturating_gan_loss, r1_penalty
from cvcourse.methods.mean_teacher import update_average

Masks = Sequence[Tensor] | None
NETWORKS = ("generator", "mapping", "encoder", "discriminator")


class StarGANv2(NamedTuple):
    """The networks, such as `models.StarGANv2Generator` and those beside it.

    heatmaps: from pictures to the two masks of the generator's high-pass, for faces.
    """

    generator: nn.Module
    mapping: nn.Module
    encoder: nn.Module
    discriminator: nn.Module
    heatmaps: Callable[[Tensor], Sequence[Tensor]] | None = None

    def masks(self, images: Tensor) -> Masks:
        return None if self.heatmaps is None else self.heatmaps(images)


class StarGANv2Batch(NamedTuple):
    """What a step sees: pictures and their domains, the domains to go to, and two styles for each.

    latents: (2, batch, latent).
    references: (2, batch, 3, side, side), pictures of the domains to go to.
    """

    images: Float[Tensor, "batch 3 side side"]
    domains: Integer[Tensor, " batch"]
    targets: Integer[Tensor, " batch"]
    latents: Float[Tensor, "two batch latent"] | None = None
    references: Float[Tensor, "two batch 3 side side"] | None = None


class StarGANv2Weights(NamedTuple):
    """Of the losses; the authors' for CelebA-HQ. AFHQ has a diversity of 2."""

    r1: float = 1.0
    style: float = 1.0
    diversity: float = 1.0
    cycle: float = 1.0

    def at(self, step: int, steps: int = 100_000) -> "StarGANv2Weights":
        """With the diversity decayed, linearly to 0 after so many steps."""
        if step < 0 or steps < 1:
            raise ValueError(f"step and steps must be from 0 and from 1, got {step} and {steps}")
        return self._replace(diversity=self.diversity * max(0.0, 1 - step / steps))


def starganv2_discriminator_loss(
    nets: StarGANv2, batch: StarGANv2Batch, *, by: str, weights: StarGANv2Weights | None = None
) -> dict[str, Float[Tensor, ""]]:
    """ "total", and "real", "made" (cross-entropies) and "r1", half the penalty, unweighted.

    Args:
        by: "latents" or "references": where the styles of the made pictures come from.

    Raises ValueError for another `by`, or one that the batch does not have.
    """
    weights = weights or StarGANv2Weights()
    images = batch.images.detach().requires_grad_()
    scores = nets.discriminator(images, batch.domains)
    with torch.no_grad():
        style = _styles(nets, batch, by)[0]
        made = nets.generator(batch.images, style, nets.masks(batch.images))
    losses = {
        "real": non_saturating_gan_loss(scores, True),
        "made": non_saturating_gan_loss(nets.discriminator(made, batch.targets), False),
        "r1": r1_penalty(scores, images) / 2,
    }
    return {"total": losses["real"] + losses["made"] + weights.r1 * losses["r1"], **losses}


def starganv2_generator_loss(
    nets: StarGANv2, batch: StarGANv2Batch, *, by: str, weights: StarGANv2Weights | None = None
) -> dict[str, Float[Tensor, ""]]:
    r""" "total", and its parts "adversarial", "style", "diversity" and "cycle", unweighted.

    .. math:: L = L_{adv} + λ_{sty} |s - E(G(x, s))| - λ_{ds} |G(x, s) - sg[G(x, s')]|
        + λ_{cyc} |x - G(G(x, s), E(x))|

    Args:
        by: "latents" or "references": where s and s' come from.

    **Conventions**: means over everything. The second picture is a constant: only the first moves
    away. In the cycle, the style is the encoder's of the picture itself.

    Raises ValueError for another `by`, or one that the batch does not have.
    """
    weights = weights or StarGANv2Weights()
    masks = nets.masks(batch.images)
    style, other = _styles(nets, batch, by)
    made = nets.generator(batch.images, style, masks)
    scores = nets.discriminator(made, batch.targets)
    encoded = nets.encoder(made, batch.targets)
    with torch.no_grad():
        made_too = nets.generator(batch.images, other, masks)
    own = nets.encoder(batch.images, batch.domains)
    back = nets.generator(made, own, nets.masks(made))
    losses = {
        "adversarial": non_saturating_gan_loss(scores, True),
        "style": (encoded - style).abs().mean(),
        "diversity": (made - made_too).abs().mean(),
        "cycle": (back - batch.images).abs().mean(),
    }
    total = losses["adversarial"] + weights.style * losses["style"]
    total = total - weights.diversity * losses["diversity"] + weights.cycle * losses["cycle"]
    return {"total": total, **losses}


def starganv2_step(
    nets: StarGANv2,
    batch: StarGANv2Batch,
    optimizers: Mapping[str, torch.optim.Optimizer],
    *,
    weights: StarGANv2Weights | None = None,
    averages: StarGANv2 | None = None,
    decay: float = 0.999,
) -> dict[str, float]:
    """One iteration: the discriminator by latents and by references, and then the others so.

    Args:
        optimizers: of "generator", "mapping", "encoder" and "discriminator"; the authors' are Adam
            with β (0, 0.99), weight decay 1e-4, learning rates 1e-4 and the mapping's 1e-6.
        averages: networks whose weights follow the others': those to use afterwards.
        decay: how much an average keeps.

    Returns the losses, "latents/style" and the like.

    Raises ValueError for missing optimizers, latents or references.
    """
    missing = [name for name in NETWORKS if name not in optimizers]
    if missing:
        raise ValueError(f"optimizers: expected one of each network, {', '.join(missing)} missing")
    record = {}
    for loss, learners in (
        (starganv2_discriminator_loss, {"latents": NETWORKS[3:], "references": NETWORKS[3:]}),
        (starganv2_generator_loss, {"latents": NETWORKS[:3], "references": NETWORKS[:1]}),
    ):
        for by, names in learners.items():
            losses = loss(nets, batch, by=by, weights=weights)
            for optimizer in optimizers.values():
                optimizer.zero_grad()
            losses["total"].backward()
            for name in names:
                optimizers[name].step()
            side = "discriminator" if len(losses) == 4 else "generator"
            record |= {f"{by}/{side}/{k}": v.item() for k, v in losses.items()}
    if averages is not None:
        for name in NETWORKS[:3]:
            update_average(getattr(averages, name), getattr(nets, name), decay)
    return record


def _styles(nets: StarGANv2, batch: StarGANv2Batch, by: str) -> list[Tensor]:
    if by not in ("latents", "references"):
        raise ValueError(f"by must be 'latents' or 'references', got {by!r}")
    given, make = getattr(batch, by), nets.mapping if by == "latents" else nets.encoder
    if given is None or len(given) != 2:
        got = None if given is None else len(given)
        raise ValueError(f"batch.{by}: expected two for each picture, got {got}")
    return [make(x, batch.targets) for x in given]
