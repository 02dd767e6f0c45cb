"""MixNMatch: background, pose, shape and texture of given pictures (Li et al. 2019,
arXiv:1911.11758).

    picture ─ four encoders ─ latent (pose), background, shape, texture ─ FineGAN's generator
    picture, code ─ a critic for each code: is this the code of this picture?
    picture ─ U-Net ─ features of the shape, for its outline rather than its kind

A critic sees real pictures with the codes that the encoders give them, and made pictures with the
codes that they were made of; where it cannot tell them apart, encoding is the inverse of painting.
Losses are in `cvcourse.methods.mixnmatch`.
"""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import (
    accept_old_names,
    check_at_least,
    check_channels,
    check_power_of_two,
)
from cvcourse.models.generative.finegan import (
    FACTORS,
    Codes,
    Residual,
    check_side,
    down,
    gated,
    plain,
    residual_names,
)
from cvcourse.ops._checks import check_tensor

MOST = 4.0  # of a latent


def _encoder_names() -> dict[str, str]:
    names = {}
    for letter, factor in zip("zbpc", FACTORS, strict=True):
        theirs, ours = f"model_{letter}", f"encoders.{factor}"
        names |= {f"{theirs}.0.{i}": f"{ours}.{i}" for i in (0, 2, 3, 5, 6, 8, 9)}
        for block, first in ((1, 11), (2, 14), (3, 17)):
            names |= {f"{theirs}.{block}.{i}": f"{ours}.{first + i}" for i in (0, 1)}
        names[f"{theirs}.4"] = f"{ours}.20"
    return names


PUBLISHED_NAMES = _encoder_names()
CRITIC_NAMES = {
    **{f"image_layer.{i}.model.0": f"image.{2 * i}" for i in range(6)},
    **{f"code_layer.{i}.model.0": f"of_code.{3 * i}" for i in range(3)},
    "joint.0.model.0": "joint.0",
    "joint.1.model.0": "joint.2",
}
CRITICS_NAMES = {
    f"BD_{letter}.{theirs}": f"critics.{factor}.{ours}"
    for letter, factor in zip("zbpc", FACTORS, strict=True)
    for theirs, ours in CRITIC_NAMES.items()
}

EXTRACTOR_NAMES = {
    **{f"down{i + 1}": f"downs.{i}" for i in range(6)},
    **{f"up{i + 1}": f"ups.{i}" for i in range(6)},
    **residual_names("last", "last", 2),
}


class MixNMatchEncoder(nn.Module):
    """Pictures (batch, 3, side, side) to `Codes`: a latent in [-4, 4], and logits of the others.

    `forward(x, softmax=True)` gives weights that sum to 1 instead, as the generator takes them.

    Args:
        latent, backgrounds, shapes, textures: as of `FineGANGenerator`.
        side: a power of two from 16.
        width: channels of the first layer, doubled by each halving.

    77,172,232 parameters, in four encoders.

    Raises ValueError for pictures of another shape.
    """

    def __init__(
        self,
        *,
        latent: int = 100,
        backgrounds: int = 200,
        shapes: int = 20,
        textures: int = 200,
        side: int = 128,
        width: int = 64,
    ) -> None:
        counts = {"latent": latent, "backgrounds": backgrounds, "shapes": shapes}
        counts |= {"textures": textures}
        for name, value in {**counts, "width": width}.items():
            check_at_least(name, value)
        check_power_of_two("side", side, 16)
        super().__init__()
        self.side = side
        self.encoders = nn.ModuleDict(
            {
                factor: nn.Sequential(*_encoder(width, side, count))
                for factor, count in zip(FACTORS, counts.values(), strict=True)
            }
        )

    def forward(self, x: Float[Tensor, "batch 3 side side"], softmax: bool = False) -> Codes:
        check_side(x, self.side)
        found = [self.encoders[factor](x).flatten(1) for factor in FACTORS]
        codes = [logits.softmax(1) if softmax else logits for logits in found[1:]]
        return Codes(MOST * found[0].tanh(), *codes)


class PairCritic(nn.Module):
    """Pictures (batch, 3, side, side) and codes (batch, numbers) to scores (batch,).

    Args:
        numbers: in a code.
        side: a power of two from 16.
        width: channels of the first layer, doubled by each halving.
        hidden: features of each.
        noise: deviations of what is added to the code's three layers in training.

    Raises ValueError for pictures or codes of another shape.
    """

    def __init__(
        self,
        numbers: int,
        *,
        side: int = 128,
        width: int = 16,
        hidden: int = 512,
        noise: Sequence[float] = (0.5, 0.3, 0.3),
    ) -> None:
        for name, value in (("numbers", numbers), ("width", width), ("hidden", hidden)):
            check_at_least(name, value)
        if len(noise) != 3 or min(noise) < 0:
            raise ValueError(f"noise: expected three numbers from 0, got {noise}")
        check_power_of_two("side", side, 16)
        super().__init__()
        self.side, self.numbers = side, numbers
        channels, layers = 3, []
        for _ in range(side.bit_length() - 3):
            layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
            channels, width = width, 2 * width
        self.image = nn.Sequential(*layers, nn.Conv2d(channels, hidden, 4), nn.LeakyReLU(0.2))
        widths, layers = (numbers, hidden, hidden, hidden), []
        for i, std in enumerate(noise):
            layers += [nn.Linear(widths[i], widths[i + 1]), nn.LeakyReLU(0.2), _Noise(std)]
        self.of_code = nn.Sequential(*layers)
        self.joint = nn.Sequential(
            nn.Linear(2 * hidden, 2 * hidden), nn.LeakyReLU(0.2), nn.Linear(2 * hidden, 1)
        )
        accept_old_names(self, {f"code.{3 * i}": f"of_code.{3 * i}" for i in range(3)})

    def forward(
        self, x: Float[Tensor, "batch 3 side side"], code: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, " batch"]:
        check_side(x, self.side)
        check_tensor("code", code)
        if code.shape != (len(x), self.numbers):
            expected = (len(x), self.numbers)
            raise ValueError(f"code: expected {expected}, got {tuple(code.shape)}")
        both = torch.cat([self.image(x).flatten(1), self.of_code(code)], 1)
        return self.joint(both).flatten()


class MixNMatchCritics(nn.Module):
    """A `PairCritic` for each of the four codes; returns their scores, (batch,) each.

    17,753,028 parameters. Options as of `PairCritic`.
    """

    def __init__(
        self,
        *,
        latent: int = 100,
        backgrounds: int = 200,
        shapes: int = 20,
        textures: int = 200,
        side: int = 128,
        width: int = 16,
        hidden: int = 512,
        noise: Sequence[float] = (0.5, 0.3, 0.3),
    ) -> None:
        super().__init__()
        options = {"side": side, "width": width, "hidden": hidden, "noise": noise}
        counts = zip(FACTORS, (latent, backgrounds, shapes, textures), strict=True)
        self.critics = nn.ModuleDict({f: PairCritic(count, **options) for f, count in counts})

    def forward(
        self, x: Float[Tensor, "batch 3 side side"], codes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if len(codes) != len(FACTORS):
            raise ValueError(f"codes: expected {', '.join(FACTORS)}, got {len(codes)}")
        pairs = zip(FACTORS, codes, strict=True)
        return tuple(self.critics[factor](x, code) for factor, code in pairs)


class MixNMatchShapeExtractor(nn.Module):
    """Pictures (batch, 3, height, width) to a shape's features, of the same size.

    They take the place of those that `FineGANGenerator` makes of shape and latent: learnt to be
    like them by a discriminator, and equal to them where the picture is the generator's own.

    Args:
        out_channels: as the generator's shape has at full size.
        widths: channels at full size, and after each halving.
        ups: channels after each doubling but the last.

    39,126,688 parameters.

    Raises ValueError for pictures of another shape, or with sides that cannot be halved so often.
    """

    def __init__(
        self,
        out_channels: int = 16,
        *,
        widths: Sequence[int] = (32, 32, 64, 128, 256, 512, 512),
        ups: Sequence[int] = (256, 512, 256, 128, 64),
    ) -> None:
        check_at_least("out_channels", out_channels)
        if len(widths) < 2 or len(ups) != len(widths) - 2:
            raise ValueError(
                f"widths and ups: expected two or more, and two fewer, got {widths} and {ups}"
            )
        for name, values in (("widths", widths), ("ups", ups)):
            check_at_least(name, min(values, default=1))
        super().__init__()
        self.unit = 2 ** (len(widths) - 1)
        self.first = nn.Sequential(gated(3, widths[0]), gated(widths[0], widths[0]))
        self.downs = nn.ModuleList([_gated(nn.Conv2d, a, b) for a, b in itertools.pairwise(widths)])
        outs, entering = [*ups, out_channels], widths[-1]
        self.ups = nn.ModuleList()
        for i, out in enumerate(outs):
            self.ups.append(_gated(nn.ConvTranspose2d, entering, out))
            entering = out + widths[-2 - i]
        self.last = nn.Sequential(Residual(out_channels), Residual(out_channels))

    def forward(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        check_channels("x", x, 3)
        if x.shape[2] % self.unit or x.shape[3] % self.unit:
            size = tuple(x.shape[2:])
            raise ValueError(f"x: expected sides that are multiples of {self.unit}, got {size}")
        x, kept = self.first(x), []
        for layer in self.downs:
            x = layer(x)
            kept.append(x)
        x = self.ups[0](kept.pop())
        for up in self.ups[1:]:
            x = up(torch.cat([x, kept.pop()], 1))
        return self.last(x)


class _Noise(nn.Module):
    """Normal numbers added in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training and self.std else x


def _encoder(width: int, side: int, count: int) -> list[nn.Module]:
    layers = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for _ in range(side.bit_length() - 4):
        layers += down(width, 2 * width)
        width *= 2
    half = max(width // 2, 1)
    return [*layers, *plain(width, half), *plain(half, half), nn.Conv2d(half, count, 4, 4)]


def _gated(conv: type[nn.Module], before: int, after: int) -> nn.Sequential:
    return nn.Sequential(conv(before, 2 * after, 4, 2, 1), nn.BatchNorm2d(2 * after), nn.GLU(1))
