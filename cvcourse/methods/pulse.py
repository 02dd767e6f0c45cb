"""PULSE: which of the pictures that a generator can make is this thumbnail of?

    z on the sphere ─ map ─ v ─ generator ─ picture ─ made small ─ compared with the thumbnail
    minimise over z, and over some of the generator's noise:  100 · downscale + 0.05 · cross

High-dimensional Gaussian vectors have nearly one length, so after each step every vector is scaled
back to the length it began with. Many pictures have one thumbnail: each start finds its own. What
comes out is invented; it tells nothing about who or what was in the true picture.

Reference: Menon et al., PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of
Generative Models, CVPR 2020, arXiv:2003.03808. Constants of the authors' code.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.losses import downscale_loss, geodesic_cross_loss
from cvcourse.ops import resize_bicubic

_TINY = 1e-9


class MappedGaussian(NamedTuple):
    """Latents of a mapping network, from standard normal ones: LeakyReLU(z · std + mean).

    `mean`, `std`: (dimensions,) of what the mapping network says before its last activation.
    """

    mean: Float[Tensor, "dimensions"]
    std: Float[Tensor, "dimensions"]

    def __call__(
        self, z: Float[Tensor, "batch layers dimensions"]
    ) -> Float[Tensor, "batch layers dimensions"]:
        return F.leaky_relu(z * self.std + self.mean, 0.2)


@torch.no_grad()
def fit_mapping(
    mapping: Callable[[Tensor], Tensor],
    z: Float[Tensor, "samples dimensions"],
    *,
    batch: int = 10_000,
) -> MappedGaussian:
    """A Gaussian for what `mapping`, which ends in a LeakyReLU of slope 0.2, says before that.

    Args:
        mapping: from standard normal latents to those that a generator takes, (n, d) to (n, d').
        z: the standard normal latents to try, a million in the paper.
        batch: how many of them at once.

    Raises ValueError for fewer than two latents.
    """
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(f"z must be (samples >= 2, dimensions), got {tuple(z.shape)}")
    before = torch.cat([F.leaky_relu(mapping(part), 5.0) for part in z.split(batch)])
    return MappedGaussian(before.mean(0), before.std(0))


class SphericalSteps:
    """An optimizer's steps, after each of which every vector has the length it began with.

    Args:
        optimizer: over latents (batch, layers, dimensions), whose vectors are the last dimension,
            and noise (batch, 1, height, width), whose vectors are pictures.

    Raises ValueError for parameters without dimensions after the first two.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.vectors = [p for group in optimizer.param_groups for p in group["params"]]
        if any(p.ndim < 3 for p in self.vectors):
            shapes = [tuple(p.shape) for p in self.vectors]
            raise ValueError(f"optimizer must be over (batch, layers, ...), got {shapes}")
        self.lengths = [_lengths(p).detach() for p in self.vectors]

    @torch.no_grad()
    def step(self) -> None:
        self.optimizer.step()
        for vectors, lengths in zip(self.vectors, self.lengths, strict=True):
            vectors.mul_(lengths / _lengths(vectors))


def _lengths(vectors: Tensor) -> Tensor:
    return (vectors.square().flatten(2).sum(2) + _TINY).sqrt()[(..., *[None] * (vectors.ndim - 2))]


def linear_cycle_then_drop(step: int, steps: int) -> float:
    """Share of the learning rate: from 0.1 up to 1 at 45 % of the steps, down to 0.1 at 90 %, then
    to 0.001.
    """
    cycle = 0.9 * steps
    if step < cycle:
        return (9 * (1 - abs(step / cycle - 0.5) * 2) + 1) / 10
    return 0.1 + (step - cycle) / (0.1 * steps) * (0.001 - 0.1)


class PulseResult(NamedTuple):
    """For each start: the picture that fits best, its z, its error, and whether that is enough."""

    images: Float[Tensor, "batch channels height width"]
    latents: Float[Tensor, "batch layers dimensions"]
    errors: Float[Tensor, "batch"]
    accepted: Bool[Tensor, "batch"]


def pulse(
    generator: Callable[..., Tensor],
    low: Float[Tensor, "_ channels low_height low_width"],
    latents: Float[Tensor, "batch layers dimensions"],
    *,
    noise: Sequence[Float[Tensor, "batch 1 _ _"]] = (),
    trained_noise: int = 5,
    latent_map: Callable[[Tensor], Tensor] | None = None,
    downscale: Callable[[Tensor], Tensor] | None = None,
    steps: int = 100,
    learning_rate: float = 0.4,
    eps: float = 2e-3,
    downscale_weight: float = 100.0,
    cross_weight: float = 0.05,
) -> PulseResult:
    """Search, from each of several starts, for a picture that a generator can make of a thumbnail.

    Args:
        generator: `generator(v)`, or `generator(v, *noise)`, gives pictures in [0, 1]. It stays as
            it is.
        low: the thumbnail, in [0, 1], one for all starts or one for each.
        latents: where to begin, standard normal; one vector for each layer of the generator.
        noise: of the generator; its first `trained_noise` are searched, too, on their own spheres.
        latent_map: from z to the v of the generator and of the cross loss, as `fit_mapping` makes
            it; the identity if None.
        downscale: from pictures to thumbnails; if None, bicubic with the border of PULSE.
        steps, learning_rate: of Adam, whose rate follows `linear_cycle_then_drop`.
        eps: the mean squared error in [0, 1]² that is good enough.
        downscale_weight, cross_weight: of `downscale_loss` and `geodesic_cross_loss`.

    **Conventions**: starts do not see each other. Each is judged by itself; the authors' code sums
    the clamped errors first, so that two starts are never accepted together, and returns its last
    picture, not its best.

    Raises ValueError for shapes that do not fit, those of the small pictures included, and steps
    below 1.
    """
    if latents.ndim != 3:
        raise ValueError(
            f"latents must have shape (batch, layers, dimensions), got {tuple(latents.shape)}"
        )
    if low.ndim != 4 or len(low) not in (1, len(latents)):
        raise ValueError(
            f"low must have shape (1 or {len(latents)}, channels, height, width), "
            f"got {tuple(low.shape)}"
        )
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    size = tuple(low.shape[2:])
    z = latents.detach().clone().requires_grad_()
    searched = [n.detach().clone().requires_grad_() for n in noise[:trained_noise]]
    inputs = [*searched, *noise[trained_noise:]]
    optimizer = torch.optim.Adam([z, *searched], learning_rate)
    on_sphere = SphericalSteps(optimizer)
    best = None
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * linear_cycle_then_drop(step, steps)
        with torch.enable_grad():
            v = z if latent_map is None else latent_map(z)
            images = generator(v, *inputs)
            if downscale is None:
                small = resize_bicubic(images, size, border="reflect")
            else:
                small = downscale(images)
            if low.shape[1:] != small.shape[1:]:
                raise ValueError(
                    f"low must hold thumbnails {tuple(small.shape[1:])}, as pictures of the "
                    f"generator made small, got {tuple(low.shape[1:])}"
                )
            target = low.expand_as(small)
            loss = downscale_weight * downscale_loss(small, target, eps=eps)
            loss = loss + cross_weight * geodesic_cross_loss(v)
        errors = downscale_loss(small.detach(), target, eps=0.0, reduction="none")
        found = images.detach(), z.detach().clone(), errors
        best = found if best is None else _better(best, found)
        variables = [z, *searched]
        gradients = torch.autograd.grad(loss, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = gradient
        on_sphere.step()
    return PulseResult(*best, best[2] <= eps)


def _better(best: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Of each start what has the smaller error, the last of the three."""
    won = found[2] < best[2]
    return tuple(
        torch.where(won[(..., *[None] * (new.ndim - 1))], new, old)
        for old, new in zip(best, found, strict=True)
    )
