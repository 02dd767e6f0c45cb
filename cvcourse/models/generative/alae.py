"""ALAE: an autoencoder of latents. G after F makes pictures, D after E judges them, and E is to
give back the w that F gave to G.

    z ─ F ─ w ─ G ─ picture ─ E ─ w' ─ D ─ real?         w' should be w, in place of any pixel

The style version is StyleGAN's generator with noise, and an encoder that mirrors it: where a block
of G sets mean and deviation of its maps by w (AdaIN), a block of E removes them, and adds what it
removed, through a linear layer, to w. Both have a layer to and from colours at each size, for
progressive growing. Weights are kept at the scale at which they are used.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import check_tensor

NOISES = ("random", "batch", "none")


class ALAEMapping(nn.Module):
    """F: z (batch, features), of any length, to w (batch, features).

    2,101,248 parameters with 512 features and 8 layers (FFHQ), 15,300 with 50 and 6 (MNIST).

    Reference: Pidhorskyi et al., Adversarial Latent Autoencoders, 2020, arXiv:2004.04467.
    """

    def __init__(self, features: int = 512, *, layers: int = 8) -> None:
        check_at_least("features", features)
        check_at_least("layers", layers)
        super().__init__()
        self.layers = nn.ModuleList(_linear(features, features, rate=0.1) for _ in range(layers))

    def forward(self, z: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        _check_rows("z", z, self.layers[0].in_features)
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return x


class ALAECritic(nn.Module):
    """D: w (batch, features) to scores (batch,), by three linear layers without anything between.

    Args:
        features: length of w.
        outputs: of the last layer, of which the authors use one only; by default twice `features`.
        used: which one; by default the middle. The MNIST version has `features` and uses the first.

    1,050,624 parameters with 512 features.

    Reference: Pidhorskyi et al. 2020, arXiv:2004.04467.
    """

    def __init__(
        self, features: int = 512, *, outputs: int | None = None, used: int | None = None
    ) -> None:
        check_at_least("features", features)
        outputs = 2 * features if outputs is None else outputs
        check_at_least("outputs", outputs)
        self_used = outputs // 2 if used is None else used
        if not 0 <= self_used < outputs:
            raise ValueError(f"used: expected one of the {outputs} outputs, got {used}")
        super().__init__()
        self.used = self_used
        sizes = (features, features, features, outputs)
        self.layers = nn.Sequential(*(_linear(a, b, rate=0.1) for a, b in pairwise(sizes)))

    def forward(self, w: Float[Tensor, "batch features"]) -> Float[Tensor, " batch"]:
        _check_rows("w", w, self.layers[0].in_features)
        return self.layers(w)[:, self.used]


class ALAEGeneratorFC(nn.Module):
    """G of the MNIST version: w (batch, features) to pictures (batch, 1, side, side), unbounded.

    1,905,424 parameters.

    Reference: Pidhorskyi et al. 2020, arXiv:2004.04467.
    """

    def __init__(self, features: int = 50, *, side: int = 28, hidden: int = 1024) -> None:
        for name, value in (("features", features), ("side", side), ("hidden", hidden)):
            check_at_least(name, value)
        super().__init__()
        self.side = side
        sizes = (features, hidden, hidden, side**2)
        self.layers = nn.ModuleList(_linear(a, b) for a, b in pairwise(sizes))

    def forward(self, w: Float[Tensor, "batch features"]) -> Float[Tensor, "batch 1 side side"]:
        _check_rows("w", w, self.layers[0].in_features)
        for layer in self.layers[:-1]:
            w = F.leaky_relu(layer(w), 0.2)
        return self.layers[-1](w).view(-1, 1, self.side, self.side)


class ALAEEncoderFC(nn.Module):
    """E of the MNIST version: pictures (batch, 1, side, side) to w (batch, features).

    A leaky ReLU follows the last layer too, as it does in F. 1,904,690 parameters.

    Reference: Pidhorskyi et al. 2020, arXiv:2004.04467.
    """

    def __init__(self, features: int = 50, *, side: int = 28, hidden: int = 1024) -> None:
        for name, value in (("features", features), ("side", side), ("hidden", hidden)):
            check_at_least(name, value)
        super().__init__()
        self.shape = (1, side, side)
        sizes = (side**2, hidden, hidden, features)
        self.layers = nn.ModuleList(_linear(a, b) for a, b in pairwise(sizes))

    def forward(
        self, images: Float[Tensor, "batch 1 side side"]
    ) -> Float[Tensor, "batch features"]:
        check_tensor("images", images)
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images: expected each of {self.shape}, got {tuple(images.shape)}")
        x = images.flatten(1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return x


class ALAEGenerator(nn.Module):
    """G of the style version: w to pictures (batch, channels, side, side), side 4 · 2^(blocks - 1).

    Args:
        blocks: sizes from 4 × 4 on; 9 for 1024.
        features: of w.
        width, most: the last block has `width` channels, each before it twice as many, at most
            `most`.
        channels: of the pictures.

    24,118,379 parameters (FFHQ); 5,944,402 with 6 blocks, 256 features, widths 64 to 256 (CelebA).

    Reference: Pidhorskyi et al. 2020, arXiv:2004.04467; Karras et al. 2018, arXiv:1812.04948.
    """

    def __init__(
        self,
        blocks: int = 9,
        *,
        features: int = 512,
        width: int = 16,
        most: int = 512,
        channels: int = 3,
    ) -> None:
        _check_sizes(blocks, features, width, channels)
        super().__init__()
        widths = [min(most, width * 2**i) for i in reversed(range(blocks))]
        self.features = features
        self.const = nn.Parameter(torch.ones(1, widths[0], 4, 4))
        self.blocks = nn.ModuleList()
        self.to_rgb = nn.ModuleList()
        for i, after in enumerate(widths):
            before = widths[i - 1] if i else None
            self.blocks.append(_DecodeBlock(before, after, features, fused=2 ** (i + 2) >= 128))
            self.to_rgb.append(_conv(after, channels, 1, gain=0.03))

    def forward(
        self,
        w: Float[Tensor, "batch ... features"],
        *,
        level: int | None = None,
        blend: float = 1.0,
        noise: Literal["random", "batch", "none"] = "random",
    ) -> Float[Tensor, "batch channels side side"]:
        """w: (batch, features), or (batch, 2 · blocks, features) with one for each AdaIN.

        level: the last block to run, from 0; blend: its share, the rest from the one before.
        noise: for each picture, for the batch, or none.
        """
        level = _check_level(level, blend, len(self.blocks))
        if noise not in NOISES:
            raise ValueError(f"noise: expected one of {NOISES}, got {noise!r}")
        check_tensor("w", w)
        many = 2 * len(self.blocks)
        if w.ndim == 2:
            w = w[:, None].expand(-1, many, -1)
        if w.ndim != 3 or tuple(w.shape[1:]) != (many, self.features):
            raise ValueError(
                f"w: expected (batch, {self.features}) or (batch, {many}, {self.features}), "
                f"got {tuple(w.shape)}"
            )
        x = before = self.const.expand(len(w), -1, -1, -1)
        for i, block in enumerate(self.blocks[: level + 1]):
            before, x = x, block(x, w[:, 2 * i], w[:, 2 * i + 1], noise)
        image = self.to_rgb[level](x)
        if blend == 1:
            return image
        return _twice(self.to_rgb[level - 1](before)).lerp(image, blend)


class ALAEEncoder(nn.Module):
    """E of the style version: pictures (batch, channels, side, side) to w (batch, features).

    Args:
        blocks, features, width, most, channels: as for `ALAEGenerator`; the first block has `width`
            channels, each after it twice as many.

    26,974,352 parameters (FFHQ), 6,625,600 (CelebA).

    Reference: Pidhorskyi et al. 2020, arXiv:2004.04467.
    """

    def __init__(
        self,
        blocks: int = 9,
        *,
        features: int = 512,
        width: int = 16,
        most: int = 512,
        channels: int = 3,
    ) -> None:
        _check_sizes(blocks, features, width, channels)
        super().__init__()
        widths = [min(most, width * 2**i) for i in range(blocks + 1)]
        self.channels = channels
        self.from_rgb = nn.ModuleList(_conv(channels, n, 1) for n in widths[:-1])
        self.blocks = nn.ModuleList(
            _EncodeBlock(before, after, features, fused=2 ** (blocks + 1 - i) >= 128)
            for i, (before, after) in enumerate(pairwise(widths))
        )

    def forward(
        self,
        images: Float[Tensor, "batch channels side side"],
        *,
        level: int | None = None,
        blend: float = 1.0,
    ) -> Float[Tensor, "batch features"]:
        """level, blend: as for the generator, whose picture of that level it takes."""
        level = _check_level(level, blend, len(self.blocks))
        side = 4 * 2**level
        if tuple(images.shape[1:]) != (self.channels, side, side):
            raise ValueError(
                f"images: expected each of {(self.channels, side, side)}, got {tuple(images.shape)}"
            )
        first = len(self.blocks) - 1 - level
        x, w = self.blocks[first](_colours_in(self.from_rgb[first], images))
        w = w * blend
        if blend < 1:
            smaller = _colours_in(self.from_rgb[first + 1], F.avg_pool2d(images, 2))
            x = smaller.lerp(x, blend)
        for block in self.blocks[first + 1 :]:
            x, more = block(x)
            w = w + more
        return w


class _EncodeBlock(nn.Module):
    def __init__(self, before: int, after: int, features: int, *, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.conv_1 = _conv(before, before, 3, bias=False)
        self.bias_1 = nn.Parameter(torch.zeros(1, before, 1, 1))
        self.conv_2 = _conv(before, after, 3, bias=False)
        self.bias_2 = nn.Parameter(torch.zeros(1, after, 1, 1))
        self.style_1 = _linear(2 * before, features)
        self.style_2 = _linear(2 * after, features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, style = _taken_out(F.leaky_relu(self.conv_1(x) + self.bias_1, 0.2))
        w = self.style_1(style)
        x = _blur(x)
        if self.fused:  # convolution and mean of four in one
            x = F.conv2d(x, _wider(self.conv_2.weight) / 4, stride=2, padding=1)
        else:
            x = F.avg_pool2d(self.conv_2(x), 2)
        x, style = _taken_out(F.leaky_relu(x + self.bias_2, 0.2))
        return x, w + self.style_2(style)


class _DecodeBlock(nn.Module):
    def __init__(self, before: int | None, after: int, features: int, *, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.conv_1 = None
        if before is not None and fused:
            self.conv_1 = _conv(before, after, 3, bias=False, transposed=True)
        elif before is not None:
            self.conv_1 = _conv(before, after, 3, bias=False)
        self.noise_weight_1 = nn.Parameter(torch.zeros(1, after, 1, 1))
        self.bias_1 = nn.Parameter(torch.zeros(1, after, 1, 1))
        self.style_1 = _linear(features, 2 * after, gain=1.0)
        self.conv_2 = _conv(after, after, 3, bias=False)
        self.noise_weight_2 = nn.Parameter(torch.zeros(1, after, 1, 1))
        self.bias_2 = nn.Parameter(torch.zeros(1, after, 1, 1))
        self.style_2 = _linear(features, 2 * after, gain=1.0)

    def forward(self, x: Tensor, w1: Tensor, w2: Tensor, noise: str) -> Tensor:
        if self.conv_1 is not None and self.fused:
            weight = _wider(self.conv_1.weight)
            x = _blur(F.conv_transpose2d(x, weight, stride=2, padding=1))
        elif self.conv_1 is not None:
            x = _blur(self.conv_1(_twice(x)))
        x = _with_noise(x, self.noise_weight_1, noise) + self.bias_1
        x = _restyled(F.leaky_relu(x, 0.2), self.style_1(w1))
        x = _with_noise(self.conv_2(x), self.noise_weight_2, noise) + self.bias_2
        return _restyled(F.leaky_relu(x, 0.2), self.style_2(w2))


def _taken_out(x: Tensor) -> tuple[Tensor, Tensor]:
    """Maps without their mean and deviation, and these (batch, 2 · channels)."""
    mean = x.mean((2, 3))
    variance = (x - mean[:, :, None, None]).square().mean((2, 3))
    some = variance > 0  # the root's slope at 0 is no number
    deviation = torch.where(some, variance.where(some, 1).sqrt(), 0)
    return F.instance_norm(x), torch.cat([mean, deviation], 1)


def _restyled(x: Tensor, style: Tensor) -> Tensor:
    """AdaIN: normalised maps times 1 + the first half of `style`, plus the second."""
    scale, shift = style[:, :, None, None].chunk(2, 1)
    return F.instance_norm(x, eps=1e-8) * (scale + 1) + shift


def _with_noise(x: Tensor, weight: Tensor, noise: str) -> Tensor:
    if noise == "none":
        return x
    batch = len(x) if noise == "random" else 1
    return x + weight * torch.randn(batch, 1, *x.shape[2:], dtype=x.dtype, device=x.device)


def _blur(x: Tensor) -> Tensor:
    line = x.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line)[None, None]
    return F.conv2d(x.flatten(0, 1)[:, None], kernel, padding=1).reshape(x.shape)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _wider(kernel: Tensor) -> Tensor:
    """3 × 3 to 4 × 4: the kernel, four times, each a place further."""
    k = F.pad(kernel, (1, 1, 1, 1))
    return k[..., 1:, 1:] + k[..., :-1, 1:] + k[..., 1:, :-1] + k[..., :-1, :-1]


def _colours_in(layer: nn.Module, images: Tensor) -> Tensor:
    return F.leaky_relu(F.leaky_relu(layer(images), 0.2), 0.2)  # twice, as in the authors' code


def _linear(before: int, after: int, *, gain: float = math.sqrt(2), rate: float = 1.0) -> nn.Linear:
    return _equalized(nn.Linear(before, after), before, gain, rate)


def _conv(
    before: int,
    after: int,
    side: int,
    *,
    gain: float = math.sqrt(2),
    bias: bool = True,
    transposed: bool = False,
) -> nn.Module:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(before, after, side, padding=side // 2, bias=bias)
    return _equalized(layer, before * side**2, gain, 1.0)


def _equalized(layer: nn.Module, fan_in: int, gain: float, rate: float) -> nn.Module:
    """Weights at their deviation, bias 0, and how fast they learn: see `equalized_rates`."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    layer.weight_rate, layer.bias_rate = rate * gain / math.sqrt(fan_in), rate
    return layer


def _check_rows(name: str, x: Tensor, features: int) -> None:
    check_tensor(name, x)
    if x.ndim != 2 or x.shape[1] != features:
        raise ValueError(f"{name}: expected (batch, {features}), got {tuple(x.shape)}")


def _check_sizes(blocks: int, features: int, width: int, channels: int) -> None:
    for name, value in (
        ("blocks", blocks), ("features", features), ("width", width), ("channels", channels),
    ):  # fmt: skip
        check_at_least(name, value)


def _check_level(level: int | None, blend: float, blocks: int) -> int:
    level = blocks - 1 if level is None else level
    if not 0 <= level < blocks:
        raise ValueError(f"level: expected 0 to {blocks - 1}, got {level}")
    if not 0 <= blend <= 1 or (blend < 1 and level == 0):
        raise ValueError(f"blend: expected 0 to 1, and 1 at level 0, got {blend}")
    return level


PUBLISHED_NAMES = {
    "map_blocks": "layers",
    "encode_block": "blocks",
    "decode_block": "blocks",
    **{f"fc_{i + 1}": f"layers.{i}" for i in range(3)},
    **{f"map_blocks.{i}.fc": f"layers.{i}" for i in range(16)},
    **{f"from_rgb.{i}.from_rgb": f"from_rgb.{i}" for i in range(16)},
    **{f"to_rgb.{i}.to_rgb": f"to_rgb.{i}" for i in range(16)},
    **{f"{b}_block.{i}.blur": None for b in ("encode", "decode") for i in range(16)},
}
