"""Pictures from what a classifier saw, at a depth of one's choice (Shocher et al. 2020,
arXiv:2003.06221).

    latent ─ linear + last vector ─ linear + vector before ─ 4×4 maps
           ─ block ×2 + deepest map ─ ... ─ block ×2 + first map ─ ×2 ─ 3×3, 1×1 ─ tanh

The generator mirrors the classifier: what this computed, times a mask, is added where the generator
has the same size. All masks but one level's are 0: of that level comes what the picture shows, and
of the latent what the classifier had forgotten there. Blocks are residual, with batch norm and
leaky ReLU of 0.2; convolutions and linear layers have spectral norm, and maps of one size see
each other by self-attention (Zhang et al. 2018, arXiv:1805.08318). Losses are
`semantic_reconstruction_loss` and `diversity_loss`; masks come from `pyramid_masks`.

The authors have published no code; sizes follow a re-implementation, but norms know no class.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import check_tensor

VGG16_MAPS = (64, 128, 256, 512, 512)  # pool1 to pool5
VGG16_VECTORS = (4096, 365)  # fc7 and fc8 for Places365


class _Attention(nn.Module):
    """What other places of the map say, weighted by likeness, times a number that begins at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query, self.key = _conv(channels, few, 1), _conv(channels, few, 1)
        self.value, self.out = _conv(channels, half, 1), _conv(half, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)  # (B, C/8, HW)
        key, value = (F.max_pool2d(f(x), 2).flatten(2) for f in (self.key, self.value))
        likeness = (query.mT @ key).softmax(2)  # (B, HW, HW/4)
        seen = (value @ likeness.mT).unflatten(2, x.shape[2:])
        return x + self.gamma * self.out(seen)


class _Block(nn.Module):
    """Twice as large, beside a 1×1, and the masked features and their mask added."""

    def __init__(self, before: int, after: int, features: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), _conv(before, after, 3)
        self.norm2, self.conv2 = nn.BatchNorm2d(after), _conv(after, after, 3)
        self.beside = _conv(before, after, 1)
        self.features = _conv(features + 1, after, 3)

    def forward(self, x: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        y = F.interpolate(F.leaky_relu(self.norm1(x), 0.2), scale_factor=2)
        y = self.conv2(F.leaky_relu(self.norm2(self.conv1(y)), 0.2))
        y = y + self.beside(F.interpolate(x, scale_factor=2))
        given = torch.cat([features * mask, mask.expand(-1, 1, *features.shape[2:])], 1)
        return y + self.features(given)


class SemanticPyramidGenerator(nn.Module):
    """Latents (batch, latent), features of a classifier, and masks, to pictures in [-1, 1].

    Args:
        maps: channels of the classifier's maps, the first layer's first; each has half the side of
            the one before it, and the first half the picture's.
        vectors: numbers in its vectors after them, the deepest last; at least one.
        latent: random numbers, usually normal.
        widths: channels of the generator where it takes each map; by default the map's own, at most
            512.
        side: of the deepest map, over 2: where the generator's maps begin. 4 for VGG-16 and
            pictures of 256.
        base: channels there before they are as many as widths has.
        attention: the map after which self-attention comes, counted as `maps` is; None for none.
        out_channels: of the pictures.

    Forward takes `features` and `masks`, as many as there are maps and vectors in that order: maps
    (batch, channels, height, width) with masks (batch, 1, height, width), vectors (batch, numbers)
    with masks (batch, 1) or (batch, numbers). The picture's side is 2 ** (len(maps) + 1) * side.

    Raises ValueError for latents, features or masks of another shape.
    """

    def __init__(
        self,
        maps: Sequence[int] = VGG16_MAPS,
        vectors: Sequence[int] = VGG16_VECTORS,
        *,
        latent: int = 128,
        widths: Sequence[int] | None = None,
        side: int = 4,
        base: int = 128,
        attention: int | None = 2,
        out_channels: int = 3,
    ) -> None:
        widths = tuple(min(c, 512) for c in maps) if widths is None else tuple(widths)
        if len(widths) != len(maps):
            raise ValueError(f"widths: expected {len(maps)}, one for each map, got {widths}")
        if attention is not None and not 0 <= attention < len(maps):
            raise ValueError(f"attention: expected 0 to {len(maps) - 1}, or None, got {attention}")
        sizes = {"latent": latent, "side": side, "base": base, "out_channels": out_channels}
        lists = {"maps": maps, "vectors": vectors, "widths": widths}
        for name, values in lists.items():
            check_at_least(f"len({name})", len(values))
            sizes |= {f"{name}[{i}]": value for i, value in enumerate(values)}
        for name, value in sizes.items():
            check_at_least(name, value)
        super().__init__()
        self.maps, self.vectors, self.latent, self.side = tuple(maps), tuple(vectors), latent, side
        self.enter = spectral_norm(nn.Linear(latent, latent))
        self.linears, self.of_vectors = nn.ModuleList(), nn.ModuleList()
        before = latent
        for level in reversed(range(len(vectors))):  # the deepest first
            after = vectors[level] if level else base * side**2
            self.linears.append(spectral_norm(nn.Linear(before, after)))
            self.of_vectors.append(spectral_norm(nn.Linear(vectors[level], after)))
            before = after
        self.widen = _conv(base, widths[-1], 1)
        self.blocks = nn.ModuleList()
        before = widths[-1]
        for channels, width in zip(reversed(self.maps), reversed(widths), strict=True):
            self.blocks.append(_Block(before, width, channels))
            before = width
        self.attention = attention
        if attention is not None:
            self.attend = _Attention(widths[attention])
        self.norm = nn.BatchNorm2d(before)
        self.conv = _conv(before, before, 3)
        self.out = _conv(before, out_channels, 1)

    def forward(
        self,
        latent: Float[Tensor, "batch latent"],
        features: Sequence[Float[Tensor, "..."]],
        masks: Sequence[Float[Tensor, "..."]],
    ) -> Float[Tensor, "batch out_channels height width"]:
        self._check(latent, features, masks)
        x = self.enter(latent)
        deepest = len(features) - 1
        for i, (linear, given) in enumerate(zip(self.linears, self.of_vectors, strict=True)):
            masked = features[deepest - i] * masks[deepest - i]
            x = linear(F.leaky_relu(x, 0.2)) + given(masked)
        x = x.unflatten(1, (-1, self.side, self.side))
        x = self.widen(F.leaky_relu(x, 0.2))
        for i, block in enumerate(self.blocks):
            level = len(self.maps) - 1 - i
            x = block(x, features[level], masks[level])
            if level == self.attention:
                x = self.attend(x)
        x = F.interpolate(F.leaky_relu(self.norm(x), 0.2), scale_factor=2)
        return self.out(F.leaky_relu(self.conv(x), 0.2)).tanh()

    def _check(self, latent: Tensor, features: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
        check_tensor("latent", latent)
        if latent.ndim != 2 or latent.shape[1] != self.latent:
            raise ValueError(f"latent: expected (batch, {self.latent}), got {tuple(latent.shape)}")
        levels = len(self.maps) + len(self.vectors)
        for name, given in (("features", features), ("masks", masks)):
            if len(given) != levels:
                raise ValueError(f"{name}: expected {levels}, one for each level, got {len(given)}")
        batch = len(latent)
        for i in range(levels):
            if i < len(self.maps):
                size = (self.side * 2 ** (len(self.maps) - i),) * 2
                of_features = [(batch, self.maps[i], *size)]
                of_mask = [(batch, 1, *size)]
            else:
                numbers = self.vectors[i - len(self.maps)]
                of_features = [(batch, numbers)]
                of_mask = [(batch, 1), (batch, numbers)]
            for name, x, shapes in (
                ("features", features[i], of_features),
                ("masks", masks[i], of_mask),
            ):
                check_tensor(f"{name}[{i}]", x)
                if x.shape not in shapes:
                    wanted = " or ".join(map(str, shapes))
                    raise ValueError(f"{name}[{i}]: expected {wanted}, got {tuple(x.shape)}")


def _conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Module:
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    return spectral_norm(layer)
