"""StyleGAN2: a style for each layer scales its weights, noise adds detail, pictures add up.

    z ─ unit length ─ fc × 8 ─ w                                                  mapping
    constant 4×4 ─ conv ─┬─ conv up ─ conv ─┬─ conv up ─ conv ─┬ ...               synthesis
                       toRGB ────── up ─── + toRGB ──── up ─── + toRGB ... picture
    picture ─ fromRGB ─ (conv ─ conv down, + skip 1×1 down) × 8 ─ deviation of the batch
            ─ conv ─ fc ─ fc 1                                                     discriminator

Each convolution of the synthesis is `modulated_conv2d` by a style A(w), plus noise of learned
strength, bias, leaky ReLU × √2. Weights begin at deviation 1 and are scaled where they are used
(equalised learning rate): by 1/√fan-in, and in the mapping by 0.01 more.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops import modulated_conv2d, upfirdn2d
from cvcourse.ops._checks import check_tensor

NOISES = ("random", "const", "none")


def published_names(resolution: int = 1024, mapping_layers: int = 8) -> dict[str, str | None]:
    """NVlabs/stylegan2-ada-pytorch's names, of generator and discriminator -> ours."""
    names: dict[str, str | None] = {"b4": "last"}  # of the discriminator
    names |= {f"mapping.fc{i}": f"mapping.layers.{i}" for i in range(mapping_layers)}
    for side in _sides(resolution):
        theirs, ours = f"synthesis.b{side}", f"synthesis.blocks.{side}"
        names |= {theirs: ours, f"{theirs}.resample_filter": None}
        names |= {f"{theirs}.{conv}.resample_filter": None for conv in ("conv0", "conv1")}
        if side > 4:
            names |= {f"b{side}": f"blocks.{side}", f"b{side}.resample_filter": None}
            parts = ("fromrgb", "conv0", "conv1", "skip")
            names |= {f"b{side}.{part}.resample_filter": None for part in parts}
    return names | {"b4.conv.resample_filter": None}


class StyleGAN2Generator(nn.Module):
    """Latents (batch, z_features) to pictures (batch, channels, resolution, resolution), mostly in
    [-1, 1].

    Args:
        resolution: a power of two from 8 on.
        z_features, w_features: length of z and w.
        mapping_layers: of the mapping.
        width, most: a layer of side s has min(width / s, most) channels.
        channels: of the pictures.

    `mapping` makes w of z, `synthesis` pictures of w. 30,370,060 parameters (2,101,248 and
    28,268,812).

    Reference: Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020,
    arXiv:1912.04958, configuration F; the authors' generator of stylegan2-ada-pytorch.
    """

    def __init__(
        self,
        resolution: int = 1024,
        *,
        z_features: int = 512,
        w_features: int = 512,
        mapping_layers: int = 8,
        width: int = 32768,
        most: int = 512,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.mapping = StyleMapping(z_features, w_features, layers=mapping_layers)
        self.synthesis = StyleSynthesis(
            resolution, w_features=w_features, width=width, most=most, channels=channels
        )

    def forward(
        self,
        z: Float[Tensor, "batch z_features"],
        *,
        truncation: float = 1.0,
        noise: Literal["random", "const", "none"] = "random",
    ) -> Float[Tensor, "batch channels resolution resolution"]:
        """`truncation`: ψ, how far from the mean of all w, at 0, to w itself, at 1."""
        return self.synthesis(self.mapping(z, truncation=truncation), noise=noise)


class StyleMapping(nn.Module):
    """z (batch, z_features), of any length, to w (batch, w_features).

    `w_avg` is the running mean of w; `update_average` moves it.
    """

    def __init__(self, z_features: int = 512, w_features: int = 512, *, layers: int = 8) -> None:
        for name, value in (
            ("z_features", z_features),
            ("w_features", w_features),
            ("mapping_layers", layers),
        ):
            check_at_least(name, value)
        super().__init__()
        self.z_features = z_features
        sizes = [z_features] + [w_features] * layers
        self.layers = nn.ModuleList(
            EqualizedLinear(a, b, act=True, rate=0.01) for a, b in pairwise(sizes)
        )
        self.register_buffer("w_avg", torch.zeros(w_features))

    def forward(
        self, z: Float[Tensor, "batch z_features"], *, truncation: float = 1.0
    ) -> Float[Tensor, "batch w_features"]:
        check_tensor("z", z)
        if z.ndim != 2 or z.shape[1] != self.z_features:
            raise ValueError(f"z: expected (batch, {self.z_features}), got {tuple(z.shape)}")
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = layer(x)
        return x if truncation == 1 else self.w_avg.lerp(x, truncation)

    @torch.no_grad()
    def update_average(self, w: Float[Tensor, "batch w_features"], decay: float = 0.995) -> None:
        """Move `w_avg` towards the mean of a batch of training."""
        self.w_avg.copy_(w.detach().mean(0).lerp(self.w_avg, decay))


class StyleSynthesis(nn.Module):
    """w to pictures: (batch, w_features), or (batch, num_ws, w_features) with one for each layer.

    `num_ws` is 2 log₂(resolution) - 2, 18 at 1024. Two that mix: the first layers' from one z, the
    others' from another.
    """

    def __init__(
        self,
        resolution: int = 1024,
        *,
        w_features: int = 512,
        width: int = 32768,
        most: int = 512,
        channels: int = 3,
    ) -> None:
        sides = _sides(resolution)
        for name, value in (("w_features", w_features), ("channels", channels)):
            check_at_least(name, value)
        super().__init__()
        widths = [min(width // side, most) for side in sides]
        check_at_least("width", min(widths))
        self.w_features, self.num_ws = w_features, 2 * len(sides)
        self.blocks = nn.ModuleDict(
            {
                str(side): _SynthesisBlock(before, after, side, w_features, channels)
                for side, before, after in zip(sides, [0, *widths[:-1]], widths, strict=True)
            }
        )

    def forward(
        self,
        w: Float[Tensor, "batch ... w_features"],
        *,
        noise: Literal["random", "const", "none"] = "random",
    ) -> Float[Tensor, "batch channels resolution resolution"]:
        """`noise`: drawn anew, the same for all pictures and calls, or left out."""
        if noise not in NOISES:
            raise ValueError(f"noise: expected one of {NOISES}, got {noise!r}")
        if w.ndim == 2:
            w = w[:, None].expand(-1, self.num_ws, -1)
        if w.ndim != 3 or tuple(w.shape[1:]) != (self.num_ws, self.w_features):
            raise ValueError(
                f"w: expected (batch, {self.w_features}) or (batch, {self.num_ws}, "
                f"{self.w_features}), got {tuple(w.shape)}"
            )
        x = image = None
        at = 0
        for block in self.blocks.values():
            x, image = block(x, image, w[:, at:], noise)
            at += block.convolutions
        return image


class StyleGAN2Discriminator(nn.Module):
    """Pictures (batch, channels, resolution, resolution) to scores (batch,) before the sigmoid.

    Args:
        resolution: a power of two from 8 on.
        width, most: a layer of side s has min(width / s, most) channels.
        channels: of the pictures.
        group: pictures whose deviation, averaged over all, is one more channel at the end: a
            generator that repeats itself is seen by it. The largest number up to `group` that
            divides the batch is taken.

    29,012,513 parameters.

    Reference: Karras et al. 2020, arXiv:1912.04958, section 4, and the authors' residual one.
    """

    def __init__(
        self,
        resolution: int = 1024,
        *,
        width: int = 32768,
        most: int = 512,
        channels: int = 3,
        group: int = 4,
    ) -> None:
        sides = _sides(resolution)
        check_at_least("channels", channels)
        check_at_least("group", group)
        super().__init__()
        widths = [min(width // side, most) for side in sides]
        check_at_least("width", min(widths))
        self.shape = (channels, resolution, resolution)
        self.blocks = nn.ModuleDict()
        for i in reversed(range(1, len(sides))):
            from_rgb = channels if i == len(sides) - 1 else None
            self.blocks[str(sides[i])] = _ResidualBlock(widths[i], widths[i - 1], from_rgb)
        self.last = _Verdict(widths[0], group)

    def forward(
        self, images: Float[Tensor, "batch channels resolution resolution"]
    ) -> Float[Tensor, " batch"]:
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images: expected each of {self.shape}, got {tuple(images.shape)}")
        x = images
        for block in self.blocks.values():
            x = block(x)
        return self.last(x)


class EqualizedLinear(nn.Module):
    """A linear layer whose weights are scaled by `rate`/√fan-in at use, and begin at 1/`rate`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        act: bool = False,
        rate: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / rate)
        self.bias = nn.Parameter(torch.full((out_features,), bias))
        self.act, self.rate = act, rate

    def forward(self, x: Float[Tensor, "batch in"]) -> Float[Tensor, "batch out"]:
        scale = self.rate / math.sqrt(self.weight.shape[1])
        x = F.linear(x, self.weight * scale, self.bias * self.rate)
        return _act(x) if self.act else x


class EqualizedConv2d(nn.Module):
    """A convolution, scaled as `EqualizedLinear`; `down` 2 filters and halves the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        act: bool = True,
        bias: bool = True,
        down: int = 1,
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.act, self.down = act, down

    def forward(self, x: Float[Tensor, "batch in _ _"]) -> Float[Tensor, "batch out _ _"]:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        half = weight.shape[2] // 2
        if self.down == 1:
            x = F.conv2d(x, weight, self.bias, padding=half)
        elif half:  # the filter reaches as far beyond the picture as the convolution needs it
            x = F.conv2d(upfirdn2d(x, padding=(half + 1, half + 1)), weight, self.bias, stride=2)
        else:
            x = F.conv2d(upfirdn2d(x, down=2), weight, self.bias)
        return _act(x) if self.act else x


class _SynthesisBlock(nn.Module):
    def __init__(self, before: int, after: int, side: int, w_features: int, channels: int) -> None:
        super().__init__()
        self.convolutions = 2 if before else 1
        if before:
            self.conv0 = _StyledConv(before, after, side, w_features, up=2)
        else:
            self.const = nn.Parameter(torch.randn(after, side, side))
        self.conv1 = _StyledConv(after, after, side, w_features)
        self.torgb = _ToRGB(after, channels, w_features)

    def forward(
        self, x: Tensor | None, image: Tensor | None, w: Tensor, noise: str
    ) -> tuple[Tensor, Tensor]:
        if x is None:
            x = self.const.expand(len(w), -1, -1, -1)
        else:
            x = self.conv0(x, w[:, 0], noise)
        x = self.conv1(x, w[:, self.convolutions - 1], noise)
        more = self.torgb(x, w[:, self.convolutions])
        return x, more if image is None else upfirdn2d(image, up=2) + more


class _StyledConv(nn.Module):
    def __init__(
        self, in_channels: int, out_channels: int, side: int, w_features: int, *, up: int = 1
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_features, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(side, side))
        self.up = up

    def forward(self, x: Tensor, w: Tensor, noise: str) -> Tensor:
        x = modulated_conv2d(x, self.weight, self.affine(w), up=self.up)
        if noise == "random":
            drawn = torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype, device=x.device)
            x = x + drawn * self.noise_strength
        elif noise == "const":
            x = x + self.noise_const * self.noise_strength
        return _act(x + self.bias[:, None, None])


class _ToRGB(nn.Module):
    def __init__(self, in_channels: int, channels: int, w_features: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_features, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) / math.sqrt(x.shape[1])
        x = modulated_conv2d(x, self.weight, style, demodulate=False)
        return x + self.bias[:, None, None]


class _ResidualBlock(nn.Module):
    def __init__(self, before: int, after: int, from_rgb: int | None) -> None:
        super().__init__()
        self.fromrgb = nn.Identity()
        if from_rgb is not None:
            self.fromrgb = EqualizedConv2d(from_rgb, before, 1)
        self.conv0 = EqualizedConv2d(before, before, 3)
        self.conv1 = EqualizedConv2d(before, after, 3, down=2)
        self.skip = EqualizedConv2d(before, after, 1, act=False, bias=False, down=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fromrgb(x)
        return (self.skip(x) + self.conv1(self.conv0(x))) * math.sqrt(0.5)


class _Verdict(nn.Module):
    def __init__(self, channels: int, group: int) -> None:
        super().__init__()
        self.group = group
        self.conv = EqualizedConv2d(channels + 1, channels, 3)
        self.fc = EqualizedLinear(16 * channels, channels, act=True)
        self.out = EqualizedLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(torch.cat([x, _deviation_of_batch(x, self.group)], 1))
        return self.out(self.fc(x.flatten(1)))[:, 0]


def _deviation_of_batch(x: Tensor, group: int) -> Tensor:
    """One map: the deviation of each value over a group of pictures, averaged over all values."""
    batch = max(1, len(x))
    size = max(n for n in range(1, min(group, batch) + 1) if batch % n == 0)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    groups = wide.view(size, -1, *x.shape[1:])  # pictures i, i + batch / size, ... together
    squares = (groups - groups.mean(0)).square().mean(0)
    deviation = (squares + 1e-8).sqrt().mean((1, 2, 3))  # one for each group
    return deviation.to(x.dtype).repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:])


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def _sides(resolution: int) -> list[int]:
    """4, 8, ... resolution."""
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution: expected a power of two from 8 on, got {resolution}")
    return [2**i for i in range(2, resolution.bit_length())]


PUBLISHED_NAMES = published_names()
