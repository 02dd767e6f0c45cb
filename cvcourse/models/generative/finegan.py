"""FineGAN: a picture in three stages, background, shape, texture (Singh et al. 2018,
arXiv:1811.11155).

    latent, background ─ 4×4, doubled five times ─ picture ──────────┐
    latent, shape      ─ 4×4, doubled five times ┬ picture, mask ─ over it ─┐
                           shape's features, texture ─ picture, mask ── over it

Each stage paints over the one before it where its mask says so. Texture works on the features of
the shape, so that it cannot move it. Everything is normed by batch and gated (GLU).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_power_of_two
from cvcourse.ops._checks import check_tensor

FACTORS = ("latent", "background", "shape", "texture")


def _stage_names(theirs: str, ours: str, ups: int) -> dict[str, str]:
    names = {f"{theirs}.fc.{i}": f"{ours}.enter.{i}" for i in (0, 1)}
    for i in range(ups):
        names |= {f"{theirs}.upsample{i + 1}.{k}": f"{ours}.ups.{i}.{k - 1}" for k in (1, 2)}
    return names


def residual_names(theirs: str, ours: str, blocks: int) -> dict[str, str]:
    inside = {"block.0": "0.0", "block.1": "0.1", "block.3": "1", "block.4": "2"}
    return {
        f"{theirs}.{i}.{a}": f"{ours}.{i}.branch.{b}"
        for i in range(blocks)
        for a, b in inside.items()
    }


PUBLISHED_NAMES = {
    **_stage_names("background_stage", "background", 5),
    **_stage_names("parent_stage", "shape", 5),
    **residual_names("parent_stage.residual", "residual", 3),
    **residual_names("child_stage.residual", "texture_residual", 2),
    **{f"parent_stage.jointConv.{i}": f"join.{i}" for i in (0, 1)},
    **{f"child_stage.jointConv.{i}": f"texture_join.{i}" for i in (0, 1)},
    **{f"child_stage.samesample.{i}": f"texture_last.{i}" for i in (0, 1)},
    "background_image.img.0": "background_picture",
    "parent_image.img.0": "shape_picture",
    "parent_mask.img.0": "shape_mask",
    "child_image.img.0": "texture_picture",
    "child_mask.img.0": "texture_mask",
}
PATCH_NAMES = {
    **{f"encode_img.{i}": f"layers.{i}" for i in (0, 2, 4)},
    "class_logits.0": "heads.0",
    "rf_logits.0": "heads.1",
}
FEATURE_NAMES = {
    **{f"encode_img.{i}": f"layers.{i}" for i in (0, 2, 4)},
    "rf_logits.0": "heads.0",
}
CODE_NAMES = {"encode_mask": "layers", "encode_img": "layers", "rf_logits.0": "real"}


class Codes(NamedTuple):
    """The four factors of a picture: codes are one-hot, or any weights that sum to 1.

    In FineGAN's training shape follows from texture (`methods.shape_of_texture`), and background is
    texture's code.
    """

    latent: Float[Tensor, "batch latent"]
    background: Float[Tensor, "batch backgrounds"]
    shape: Float[Tensor, "batch shapes"]
    texture: Float[Tensor, "batch textures"]


class Stages(NamedTuple):
    """What a generator paints: pictures in [-1, 1] and masks in [0, 1], of one size.

    background, with_shape, picture: after each stage; the last is the answer.
    shape, texture: what is painted in the second and third.
    shape_mask, texture_mask: where.
    features: of the shape, from which texture goes on.
    """

    background: Float[Tensor, "batch 3 side side"]
    with_shape: Float[Tensor, "batch 3 side side"]
    picture: Float[Tensor, "batch 3 side side"]
    shape: Float[Tensor, "batch 3 side side"]
    texture: Float[Tensor, "batch 3 side side"]
    shape_mask: Float[Tensor, "batch 1 side side"]
    texture_mask: Float[Tensor, "batch 1 side side"]
    features: Float[Tensor, "batch channels side side"]


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            gated(channels, channels), conv3x3(channels, channels), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class _FromCode(nn.Module):
    """A vector to 4×4 maps, each of `widths` after the first twice as large."""

    def __init__(self, numbers: int, widths: Sequence[int]) -> None:
        super().__init__()
        first = 16 * widths[0]
        self.enter = nn.Sequential(
            nn.Linear(numbers, 2 * first, bias=False), nn.BatchNorm1d(2 * first), nn.GLU(1)
        )
        pairs = itertools.pairwise(widths)
        self.ups = nn.ModuleList([gated(before, after) for before, after in pairs])

    def forward(self, code: Tensor) -> Tensor:
        x = self.enter(code).unflatten(1, (-1, 4, 4))
        for up in self.ups:
            x = up(F.interpolate(x, scale_factor=2))
        return x


class FineGANGenerator(nn.Module):
    """`Codes`, or four tensors in that order, to the `Stages` of a picture, 128 pixels a side.

    With fewer widths it is smaller: 4 · 2 ** (len(background_widths) - 1).

    Args:
        latent: random numbers; pose comes of them.
        backgrounds, shapes, textures: how many codes there are of each.
        background_widths, shape_widths: channels of the two trunks, at 4 pixels and after each
            doubling.
        residual, texture_residual: blocks at full size.

    13,500,672 parameters. `forward(codes, features)` takes features in the place of the shape's:
    those of a `MixNMatchShapeExtractor`, for the outline of a given picture.

    Raises ValueError for codes or features of another shape.
    """

    def __init__(
        self,
        *,
        latent: int = 100,
        backgrounds: int = 200,
        shapes: int = 20,
        textures: int = 200,
        background_widths: Sequence[int] = (512, 256, 128, 64, 64, 32),
        shape_widths: Sequence[int] = (512, 256, 128, 64, 16, 16),
        residual: int = 3,
        texture_residual: int = 2,
    ) -> None:
        counts = (latent, backgrounds, shapes, textures)
        for name, value in zip(
            ("latent", "backgrounds", "shapes", "textures"), counts, strict=True
        ):
            check_at_least(name, value)
        if len(shape_widths) != len(background_widths) or len(shape_widths) < 2:
            raise ValueError(
                "background_widths and shape_widths: expected equally many, two or more, got "
                f"{background_widths} and {shape_widths}"
            )
        check_at_least("background_widths", min(background_widths))
        check_at_least("shape_widths", min(shape_widths))
        check_at_least("residual", residual, 0)
        check_at_least("texture_residual", texture_residual, 0)
        super().__init__()
        self.counts, self.side = counts, 4 * 2 ** (len(shape_widths) - 1)
        last, width = background_widths[-1], shape_widths[-1]
        self.background = _FromCode(latent + backgrounds, background_widths)
        self.background_picture = conv3x3(last, 3)
        self.shape = _FromCode(latent + shapes, shape_widths)
        self.join = gated(shapes + width, width)
        self.residual = nn.Sequential(*[Residual(width) for _ in range(residual)])
        self.shape_picture, self.shape_mask = conv3x3(width, 3), conv3x3(width, 1)
        self.texture_join = gated(textures + width, 2 * width)
        blocks = [Residual(2 * width) for _ in range(texture_residual)]
        self.texture_residual = nn.Sequential(*blocks)
        self.texture_last = gated(2 * width, width)
        self.texture_picture, self.texture_mask = conv3x3(width, 3), conv3x3(width, 1)

    def forward(
        self,
        codes: Sequence[Tensor],
        features: Float[Tensor, "batch channels side side"] | None = None,
    ) -> Stages:
        latent, background, shape, texture = self._check(codes)
        behind = self.background_picture(self.background(torch.cat([latent, background], 1))).tanh()
        if features is None:
            x = self.shape(torch.cat([latent, shape], 1))
            features = self.residual(self.join(torch.cat([x, _spread(shape, x)], 1)))
        else:
            self._check_features(features, len(latent))
        shape_picture = self.shape_picture(features).tanh()
        shape_mask = self.shape_mask(features).sigmoid()
        with_shape = shape_picture * shape_mask + behind * (1 - shape_mask)
        x = self.texture_join(torch.cat([_spread(texture, features), features], 1))
        x = self.texture_last(self.texture_residual(x))
        texture_picture = self.texture_picture(x).tanh()
        texture_mask = self.texture_mask(x).sigmoid()
        picture = texture_picture * texture_mask + with_shape * (1 - texture_mask)
        pictures = (behind, with_shape, picture, shape_picture, texture_picture)
        return Stages(*pictures, shape_mask, texture_mask, features)

    def _check(self, codes: Sequence[Tensor]) -> Codes:
        if len(codes) != len(FACTORS):
            raise ValueError(f"codes: expected {', '.join(FACTORS)}, got {len(codes)}")
        codes = Codes(*codes)
        for name, code, count in zip(FACTORS, codes, self.counts, strict=True):
            check_tensor(f"codes.{name}", code)
            expected = (len(codes.latent), count)
            if code.shape != expected:
                raise ValueError(f"codes.{name}: expected {expected}, got {tuple(code.shape)}")
        return codes

    def _check_features(self, features: Tensor, batch: int) -> None:
        check_tensor("features", features)
        expected = (batch, self.shape_picture.in_channels, self.side, self.side)
        if features.shape != expected:
            raise ValueError(f"features: expected {expected}, got {tuple(features.shape)}")


class FineGANPatchDiscriminator(nn.Module):
    """Pictures to logits for each patch, (batch, heads, rows, columns).

    Of FineGAN's background: whether a patch is background alone, and whether it is real. With one
    head, 16 channels and half the width MixNMatch's discriminator of shape features.

    Args:
        channels: of the pictures.
        width: channels of the first layer; doubled twice.
        heads: logits of a patch.

    666,626 parameters. A patch is 34 × 34 pixels, 4 apart: 24 × 24 of them in 126 × 126.

    Raises ValueError for pictures of another shape, or below 34 pixels a side.
    """

    def __init__(self, *, channels: int = 3, width: int = 64, heads: int = 2) -> None:
        for name, value in (("channels", channels), ("width", width), ("heads", heads)):
            check_at_least(name, value)
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, bias=False),
            nn.LeakyReLU(0.2),
        )
        self.heads = nn.ModuleList([nn.Conv2d(4 * width, 1, 4) for _ in range(heads)])

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch heads rows columns"]:
        check_channels("x", x, self.channels)
        if min(x.shape[2:]) < 34:
            raise ValueError(f"x: expected 34 pixels a side or more, got {tuple(x.shape[2:])}")
        x = self.layers(x)
        return torch.cat([head(x) for head in self.heads], 1)


class FineGANCodeDiscriminator(nn.Module):
    """Pictures (batch, 3, side, side) to logits of codes (batch, codes), and of real (batch,).

    Of shapes the code alone is asked, of what is painted in the second stage; of textures both.

    Args:
        codes: how many there are.
        side: a power of two from 16.
        width: channels of the first layer, doubled up to eight times as many. FineGAN has 32 for
            shapes and 64 for textures.

    3,006,357 parameters for 20 shapes, 13,320,137 for 200 textures.

    Raises ValueError for pictures of another shape.
    """

    def __init__(self, codes: int, *, side: int = 128, width: int = 64) -> None:
        for name, value in (("codes", codes), ("width", width)):
            check_at_least(name, value)
        check_power_of_two("side", side, 16)
        super().__init__()
        self.side = side
        layers = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        channels, most = width, 8 * width
        for _ in range(side.bit_length() - 4):
            layers += down(channels, min(2 * channels, most))
            channels = min(2 * channels, most)
        self.layers = nn.Sequential(*layers, *plain(channels, channels))
        self.code_logits = nn.Sequential(
            *plain(channels, channels), nn.Conv2d(channels, codes, 4, 4)
        )
        self.real = nn.Conv2d(channels, 1, 4, 4)

    def forward(
        self, x: Float[Tensor, "batch 3 side side"]
    ) -> tuple[Float[Tensor, "batch codes"], Float[Tensor, " batch"]]:
        check_side(x, self.side)
        x = self.layers(x)
        return self.code_logits(x).flatten(1), self.real(x).flatten()


def conv3x3(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def gated(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(conv3x3(before, 2 * after), nn.BatchNorm2d(2 * after), nn.GLU(1))


def plain(before: int, after: int) -> list[nn.Module]:
    return [conv3x3(before, after), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]


def down(before: int, after: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]


def check_side(x: Tensor, side: int) -> None:
    check_tensor("x", x)
    if x.ndim != 4 or x.shape[1:] != (3, side, side):
        raise ValueError(f"x: expected (batch, 3, {side}, {side}), got {tuple(x.shape)}")


def _spread(code: Tensor, x: Tensor) -> Tensor:
    """The code at each place of x."""
    return code[:, :, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)
