"""InfoGAN: part of the latent vector is a code that another head reads off the picture again.

    G   (noise 62, category 10, numbers 2) ─ fc 1024 ─ fc 7·7·128 ─ 4×4 up 64 ─ 4×4 up 1, sigmoid
    D   4×4 /2 64 ─ 4×4 /2 128 ─ fc 1024 ─┬─ fc 1                            real?
    Q                                     └─ fc 128 ─ fc 10 + 2 · 2          which code?

Batch norm and ReLU after all of G but the last; in D and Q leaky ReLU, and batch norm after all but
the first.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import accept_old_names, check_at_least


class InfoGANOutput(NamedTuple):
    """What D and Q say: scores before the sigmoid, logits of the category, N(mean, exp(..))."""

    scores: Float[Tensor, " batch"]
    logits: Float[Tensor, "batch categories"]
    mean: Float[Tensor, "batch continuous"]
    log_variance: Float[Tensor, "batch continuous"]


class InfoGANGenerator(nn.Module):
    """Latents (batch, latent) to pictures (batch, channels, side, side) in [0, 1].

    Args:
        latent: noise and codes together; 62 + 10 + 2 in the paper.
        channels, side: of the pictures; `side` is a multiple of 4.
        widths: of the three layers before the last.

    6,652,481 parameters. Weights begin normal with a deviation of 0.02, norms' with mean 1.

    Reference: Chen et al., InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets, 2016, arXiv:1606.03657 (MNIST), and openai/InfoGAN.
    """

    def __init__(
        self,
        latent: int = 74,
        *,
        channels: int = 1,
        side: int = 28,
        widths: tuple[int, int, int] = (1024, 128, 64),
    ) -> None:
        check_at_least("latent", latent)
        check_at_least("channels", channels)
        _check_side(side)
        super().__init__()
        self.latent = latent
        wide, deep, shallow = widths
        self.layers = nn.Sequential(
            nn.Linear(latent, wide),
            nn.BatchNorm1d(wide),
            nn.ReLU(inplace=True),
            nn.Linear(wide, deep * (side // 4) ** 2),
            nn.BatchNorm1d(deep * (side // 4) ** 2),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (deep, side // 4, side // 4)),
            nn.ConvTranspose2d(deep, shallow, 4, 2, 1),
            nn.BatchNorm2d(shallow),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(shallow, channels, 4, 2, 1),
            nn.Sigmoid(),
        )
        self.apply(_init)

    def forward(
        self, latents: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels side side"]:
        if latents.ndim != 2 or latents.shape[1] != self.latent:
            raise ValueError(
                f"latents: expected (batch, {self.latent}), got {tuple(latents.shape)}"
            )
        return self.layers(latents)


class InfoGANDiscriminator(nn.Module):
    """Pictures (batch, channels, side, side) to D's scores and Q's codes, an `InfoGANOutput`.

    Args:
        categories, continuous: of the codes; none of either is possible.
        channels, side: of the pictures; `side` is a multiple of 4.
        widths: of the three layers of the trunk.
        head: width of Q's hidden layer.
        slope: of the leaky ReLUs below 0, 0.1 in the paper.

    Trunk 6,558,144 parameters, D's head 1,025, Q's 133,262: mean and variance for each number, also
    where the variance is not used. Real and made pictures are to be given in batches of their own,
    since each batch is normalised by its own statistics.

    Reference: Chen et al. 2016, arXiv:1606.03657, and openai/InfoGAN (where the slope is 0.01).
    """

    def __init__(
        self,
        categories: int = 10,
        continuous: int = 2,
        *,
        channels: int = 1,
        side: int = 28,
        widths: tuple[int, int, int] = (64, 128, 1024),
        head: int = 128,
        slope: float = 0.1,
    ) -> None:
        check_at_least("categories", categories, 0)
        check_at_least("continuous", continuous, 0)
        check_at_least("channels", channels)
        _check_side(side)
        super().__init__()
        self.codes = [categories, continuous, continuous]
        self.shape = (channels, side, side)
        shallow, deep, wide = widths
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, shallow, 4, 2, 1),
            nn.LeakyReLU(slope, inplace=True),
            nn.Conv2d(shallow, deep, 4, 2, 1),
            nn.BatchNorm2d(deep),
            nn.LeakyReLU(slope, inplace=True),
            nn.Flatten(),
            nn.Linear(deep * (side // 4) ** 2, wide),
            nn.BatchNorm1d(wide),
            nn.LeakyReLU(slope, inplace=True),
        )
        self.score = nn.Linear(wide, 1)
        self.of_code = nn.Sequential(
            nn.Linear(wide, head),
            nn.BatchNorm1d(head),
            nn.LeakyReLU(slope, inplace=True),
            nn.Linear(head, sum(self.codes)),
        )
        accept_old_names(self, {f"code.{i}": f"of_code.{i}" for i in range(4)})
        self.apply(_init)

    def forward(self, images: Float[Tensor, "batch channels side side"]) -> InfoGANOutput:
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images: expected each of {self.shape}, got {tuple(images.shape)}")
        features = self.trunk(images)
        codes = self.of_code(features).split(self.codes, 1)
        return InfoGANOutput(self.score(features)[:, 0], *codes)


def _check_side(side: int) -> None:
    if side < 4 or side % 4:
        raise ValueError(f"side: expected a multiple of 4, got {side}")


def _init(layer: nn.Module) -> None:
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1, 0.02)
    elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
