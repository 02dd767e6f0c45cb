"""BiGAN: a discriminator of pairs makes the encoder the generator's inverse.

    G   z ─ fc 1024 ─ fc 1024 ─ picture                        pair (G(z), z): made
    E   picture ─ fc 1024 ─ fc 1024 ─ z                        pair (x, E(x)): real
    D   (picture, z) ─ fc 1024 ─ fc 1024 ─ real?

Batch norm after the second layer of each; ReLU in G, leaky ReLU of 0.2 in E and D.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import check_tensor


class BiGANGenerator(nn.Module):
    """z (batch, latent) to pictures (batch, *shape) in [0, 1].

    Args:
        latent: length of z, drawn from U(-1, 1); 50 in the paper.
        shape: of a picture, (channels, height, width).
        hidden: width of the two hidden layers.

    Reference: Donahue et al., Adversarial Feature Learning, 2016, arXiv:1605.09782
    (permutation-invariant MNIST); the same idea: Dumoulin et al., ALI, 2016, arXiv:1606.00704.
    """

    def __init__(
        self,
        latent: int = 50,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 1024,
    ) -> None:
        _check(latent, shape, hidden)
        super().__init__()
        self.latent = latent
        self.layers = nn.Sequential(
            *_layers(latent, hidden, nn.ReLU(inplace=True)),
            nn.Linear(hidden, math.prod(shape)),
            nn.Sigmoid(),
            nn.Unflatten(1, shape),
        )

    def forward(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        _check_latents(z, self.latent)
        return self.layers(z)


class BiGANEncoder(nn.Module):
    """Pictures (batch, *shape) to z (batch, latent); arguments as for `BiGANGenerator`."""

    def __init__(
        self,
        latent: int = 50,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 1024,
    ) -> None:
        _check(latent, shape, hidden)
        super().__init__()
        self.shape = tuple(shape)
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_layers(math.prod(shape), hidden, nn.LeakyReLU(0.2, inplace=True)),
            nn.Linear(hidden, latent),
        )

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch latent"]:
        _check_images(images, self.shape)
        return self.layers(images)


class BiGANDiscriminator(nn.Module):
    """Pairs of pictures (batch, *shape) and latents (batch, latent) to scores (batch,).

    Arguments as for `BiGANGenerator`. Both kinds of pairs go through it in batches of their own.
    """

    def __init__(
        self,
        latent: int = 50,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 1024,
    ) -> None:
        _check(latent, shape, hidden)
        super().__init__()
        self.shape, self.latent = tuple(shape), latent
        self.layers = nn.Sequential(
            *_layers(math.prod(shape) + latent, hidden, nn.LeakyReLU(0.2, inplace=True)),
            nn.Linear(hidden, 1),
        )

    def forward(
        self,
        images: Float[Tensor, "batch channels height width"],
        z: Float[Tensor, "batch latent"],
    ) -> Float[Tensor, " batch"]:
        _check_images(images, self.shape)
        _check_latents(z, self.latent)
        if len(z) != len(images):
            raise ValueError(f"z: expected one for each of {len(images)} images, got {len(z)}")
        return self.layers(torch.cat([images.flatten(1), z], 1))[:, 0]


def _layers(features: int, hidden: int, act: nn.Module) -> list[nn.Module]:
    return [
        nn.Linear(features, hidden),
        act,
        nn.Linear(hidden, hidden),
        nn.BatchNorm1d(hidden),
        act,
    ]


def _check(latent: int, shape: tuple[int, int, int], hidden: int) -> None:
    check_at_least("latent", latent)
    check_at_least("hidden", hidden)
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"shape: expected (channels, height, width), got {tuple(shape)}")


def _check_latents(z: Tensor, latent: int) -> None:
    check_tensor("z", z)
    if z.ndim != 2 or z.shape[1] != latent:
        raise ValueError(f"z: expected (batch, {latent}), got {tuple(z.shape)}")


def _check_images(images: Tensor, shape: tuple[int, ...]) -> None:
    check_tensor("images", images)
    if tuple(images.shape[1:]) != shape:
        raise ValueError(f"images: expected each of {shape}, got {tuple(images.shape)}")
