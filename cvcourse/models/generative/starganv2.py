"""StarGAN v2: pictures into other domains, each in many styles (Choi et al. 2019,
arXiv:1912.01865).

    latent, domain  ─ mapping network ┐
    picture, domain ─ style encoder ──┴─ style ┐
    picture ─ generator: halve with instance norm, double with AdaIN of the style ─ picture
    picture, domain ─ discriminator ─ real?

All but the generator have a branch for each domain. Residual blocks throughout, whose sums are
divided by √2. Losses and steps are in `cvcourse.methods.starganv2`.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.models._blocks import (
    InstanceNorm,
    check_at_least,
    check_channels,
    check_power_of_two,
)
from cvcourse.ops._checks import check_tensor, is_plain

PUBLISHED_NAMES = {"hpf.filter": None}
MASKED_SIDES = (32, 64, 128)


class _Block(nn.Module):
    """Norm, activation, 3×3, halve; norm, activation, 3×3; beside it 1×1 and halve."""

    def __init__(self, before: int, after: int, *, norm: bool = False, down: bool = False) -> None:
        super().__init__()
        self.down = down
        self.conv1 = nn.Conv2d(before, before, 3, padding=1)
        self.conv2 = nn.Conv2d(before, after, 3, padding=1)
        self.norm1 = InstanceNorm(before) if norm else nn.Identity()
        self.norm2 = InstanceNorm(before) if norm else nn.Identity()
        if before != after:
            self.conv1x1 = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        beside = self.conv1x1(x) if hasattr(self, "conv1x1") else x
        x = self.conv1(F.leaky_relu(self.norm1(x), 0.2))
        if self.down:
            beside, x = F.avg_pool2d(beside, 2), F.avg_pool2d(x, 2)
        x = self.conv2(F.leaky_relu(self.norm2(x), 0.2))
        return (beside + x) / math.sqrt(2)


class _AdaIN(nn.Module):
    """(1 + γ) times the normed features plus β, both linear in the style."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.fc = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        gamma, beta = self.fc(style)[:, :, None, None].chunk(2, 1)
        return (1 + gamma) * self.norm(x) + beta


class _StyledBlock(nn.Module):
    """As `_Block`, but with AdaIN, and doubling; with the high-pass there is nothing beside it."""

    def __init__(
        self, before: int, after: int, style: int, *, up: bool = False, beside: bool = True
    ) -> None:
        super().__init__()
        self.up, self.beside = up, beside
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.norm1, self.norm2 = _AdaIN(style, before), _AdaIN(style, after)
        if before != after:  # with the high-pass too, where it does nothing: as released
            self.conv1x1 = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        around = x
        x = F.leaky_relu(self.norm1(x, style), 0.2)
        if self.up:
            x = F.interpolate(x, scale_factor=2)
        x = self.conv2(F.leaky_relu(self.norm2(self.conv1(x), style), 0.2))
        if not self.beside:
            return x
        if self.up:
            around = F.interpolate(around, scale_factor=2)
        around = self.conv1x1(around) if hasattr(self, "conv1x1") else around
        return (x + around) / math.sqrt(2)


class _HighPass(nn.Module):
    """Eight times a pixel less its neighbours, over `weight`."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        kernel = torch.full((1, 1, 3, 3), -1 / weight)
        kernel[..., 1, 1] = 8 / weight
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        return F.conv2d(x, self.kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)


class StarGANv2Generator(nn.Module):
    """Pictures (batch, 3, height, width) and styles (batch, style) to pictures of the same size.

    Args:
        image_size: a power of two from 16 that says how often to halve, until 16 pixels are left,
            or 8 with the high-pass.
        style: numbers in a style.
        width: channels after the first layer, doubled by each halving. The authors take 2 ** 14 /
            image_size.
        max_width: channels at most.
        high_pass: 0, as for animals; for faces the authors take 1: then blocks on the way up have
            no shortcut, and what is fine in the picture comes from features on the way down through
            a high-pass of 1 / `high_pass`, within `masks`.

    33,892,995 parameters, 43,467,395 with the high-pass. Sizes that are not multiples of the
    smallest are enlarged by repeating the border, and the answer is cut.

    Forward takes `masks`, None or two of (batch, 1, height, width), of any size: where to add what
    the high-pass leaves at 32 pixels, and at 64 and 128. The authors draw them around facial
    landmarks.

    Raises ValueError for pictures, styles or masks of another shape, or masks without a high-pass.
    """

    def __init__(
        self,
        *,
        image_size: int = 256,
        style: int = 64,
        width: int = 64,
        max_width: int = 512,
        high_pass: float = 0.0,
    ) -> None:
        halvings = _halvings(image_size, 16) + (high_pass > 0)
        for name, value in (("style", style), ("width", width), ("max_width", max_width)):
            check_at_least(name, value)
        if not 0 <= high_pass < math.inf:
            raise ValueError(f"high_pass: expected a number from 0, got {high_pass}")
        super().__init__()
        self.style, self.high_pass, self.unit = style, high_pass, 2**halvings
        beside = high_pass == 0
        self.from_rgb = nn.Conv2d(3, width, 3, padding=1)
        self.to_rgb = nn.Sequential(InstanceNorm(width), nn.LeakyReLU(0.2), nn.Conv2d(width, 3, 1))
        encode, decode = [], []
        for _ in range(halvings):
            after = min(2 * width, max_width)
            encode.append(_Block(width, after, norm=True, down=True))
            decode.insert(0, _StyledBlock(after, width, style, up=True, beside=beside))
            width = after
        for _ in range(2):
            encode.append(_Block(width, width, norm=True))
            decode.insert(0, _StyledBlock(width, width, style, beside=beside))
        self.encode, self.decode = nn.ModuleList(encode), nn.ModuleList(decode)
        self.edges = _HighPass(high_pass) if high_pass else None

    def forward(
        self,
        x: Float[Tensor, "batch 3 height width"],
        style: Float[Tensor, "batch style"],
        masks: Sequence[Float[Tensor, "batch 1 mask_height mask_width"]] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        self._check(x, style, masks)
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.unit, 0, -height % self.unit), mode="replicate")
        x = self.from_rgb(x)
        fine = {}
        for block in self.encode:
            fine[x.shape[2]] = x
            x = block(x)
        for block in self.decode:
            x = block(x, style)
            if masks is not None and x.shape[2] in MASKED_SIDES:
                mask = masks[0] if x.shape[2] == MASKED_SIDES[0] else masks[1]
                mask = F.interpolate(mask, x.shape[2:], mode="bilinear")
                x = x + self.edges(mask * fine[x.shape[2]])
        return self.to_rgb(x)[..., :height, :width]

    def _check(self, x: Tensor, style: Tensor, masks: Sequence[Tensor] | None) -> None:
        check_channels("x", x, 3)
        check_tensor("style", style)
        if style.shape != (len(x), self.style):
            raise ValueError(f"style: expected {(len(x), self.style)}, got {tuple(style.shape)}")
        if masks is None:
            return
        if not self.high_pass:
            raise ValueError("masks: expected None, since high_pass is 0")
        if len(masks) != 2 or any(m.ndim != 4 or m.shape[1] != 1 for m in masks):
            shapes = [tuple(mask.shape) for mask in masks]
            raise ValueError(f"masks: expected two of (batch, 1, height, width), got {shapes}")


class StarGANv2Mapping(nn.Module):
    """Latents (batch, latent), usually normal, and domains (batch,) to styles (batch, style).

    Four linear layers for all, four for each domain, ReLU between them; 2,438,272 parameters for
    two domains, 3,259,072 for three.

    Raises ValueError for latents or domains of another shape; on the CPU, for a domain that is not.
    """

    def __init__(
        self, *, domains: int = 2, latent: int = 16, style: int = 64, hidden: int = 512
    ) -> None:
        values = {"domains": domains, "latent": latent, "style": style, "hidden": hidden}
        for name, value in values.items():
            check_at_least(name, value)
        super().__init__()
        self.latent = latent
        layers = [nn.Linear(latent, hidden), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.shared = nn.Sequential(*layers)
        self.unshared = nn.ModuleList()
        for _ in range(domains):
            branch = []
            for _ in range(3):
                branch += [nn.Linear(hidden, hidden), nn.ReLU()]
            self.unshared.append(nn.Sequential(*branch, nn.Linear(hidden, style)))

    def forward(
        self, latent: Float[Tensor, "batch latent"], domain: Integer[Tensor, " batch"]
    ) -> Float[Tensor, "batch style"]:
        check_tensor("latent", latent)
        if latent.ndim != 2 or latent.shape[1] != self.latent:
            raise ValueError(f"latent: expected (batch, {self.latent}), got {tuple(latent.shape)}")
        hidden = self.shared(latent)
        return _of_domain(torch.stack([branch(hidden) for branch in self.unshared], 1), domain)


class StarGANv2StyleEncoder(nn.Module):
    """Pictures (batch, 3, image_size, image_size) and domains (batch,) to styles (batch, style).

    Args as of `StarGANv2Generator`. 20,916,928 parameters for two domains, 20,949,760 for three.

    Raises ValueError for pictures or domains of another shape; on the CPU, for a domain that is
    not.
    """

    def __init__(
        self,
        *,
        domains: int = 2,
        image_size: int = 256,
        style: int = 64,
        width: int = 64,
        max_width: int = 512,
    ) -> None:
        for name, value in (("domains", domains), ("style", style)):
            check_at_least(name, value)
        super().__init__()
        self.image_size = image_size
        layers, width = _trunk(image_size, width, max_width)
        self.shared = nn.Sequential(*layers)
        self.unshared = nn.ModuleList([nn.Linear(width, style) for _ in range(domains)])

    def forward(
        self, x: Float[Tensor, "batch 3 side side"], domain: Integer[Tensor, " batch"]
    ) -> Float[Tensor, "batch style"]:
        _check_side(x, self.image_size)
        features = self.shared(x).flatten(1)
        return _of_domain(torch.stack([branch(features) for branch in self.unshared], 1), domain)


class StarGANv2Discriminator(nn.Module):
    """Pictures (batch, 3, image_size, image_size) and domains (batch,) to logits (batch,).

    Args as of `StarGANv2Generator`. 20,852,290 parameters for two domains, 20,852,803 for three.

    Raises ValueError for pictures or domains of another shape; on the CPU, for a domain that is
    not.
    """

    def __init__(
        self, *, domains: int = 2, image_size: int = 256, width: int = 64, max_width: int = 512
    ) -> None:
        check_at_least("domains", domains)
        super().__init__()
        self.image_size = image_size
        layers, width = _trunk(image_size, width, max_width)
        self.main = nn.Sequential(*layers, nn.Conv2d(width, domains, 1))

    def forward(
        self, x: Float[Tensor, "batch 3 side side"], domain: Integer[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        _check_side(x, self.image_size)
        return _of_domain(self.main(x).flatten(1), domain)


def _trunk(image_size: int, width: int, max_width: int) -> tuple[list[nn.Module], int]:
    """From a picture to one pixel of features, and how many there are."""
    halvings = _halvings(image_size, 4)
    for name, value in (("width", width), ("max_width", max_width)):
        check_at_least(name, value)
    layers = [nn.Conv2d(3, width, 3, padding=1)]
    for _ in range(halvings):
        after = min(2 * width, max_width)
        layers.append(_Block(width, after, down=True))
        width = after
    return [*layers, nn.LeakyReLU(0.2), nn.Conv2d(width, width, 4), nn.LeakyReLU(0.2)], width


def _halvings(image_size: int, least: int) -> int:
    check_power_of_two("image_size", image_size, least)
    return image_size.bit_length() - least.bit_length()


def _check_side(x: Tensor, side: int) -> None:
    check_tensor("x", x)
    if x.ndim != 4 or x.shape[1:] != (3, side, side):
        raise ValueError(f"x: expected (batch, 3, {side}, {side}), got {tuple(x.shape)}")


def _of_domain(values: Tensor, domain: Tensor) -> Tensor:
    """From (batch, domains, ...) the one that each asks for."""
    check_tensor("domain", domain)
    if domain.shape != values.shape[:1] or domain.is_floating_point():
        raise ValueError(
            f"domain: expected {len(values)} integers, got {domain.dtype} {tuple(domain.shape)}"
        )
    count = values.shape[1]
    if is_plain(domain) and domain.numel() and not 0 <= domain.min() <= domain.max() < count:
        raise ValueError(f"domain: expected 0 to {count - 1}, got {domain.tolist()}")
    return values[torch.arange(len(values), device=values.device), domain.long()]
