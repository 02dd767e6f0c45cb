"""BiFPN: a pyramid that runs both ways, its inputs weighted (Tan et al. 2019, arXiv:1911.09070).

    P7 ───────────────────┬──────────── out7        each dot of the net is a `FusionNode`:
     │ ×2                 │          ↑ /2             w = relu(w) / (sum of relu(w) + 1e-4)
    P6 ── td6 ────────────┼──────── out6 …            depthwise 3×3, 1×1 of the weighted sum
     │ …   (P6 enters out6 again)
    P3 ── td3 = out3

Coarse to fine first, then back; every inner level enters the way back a second time. The three
rounds of EfficientDet-D0, 64 channels on five levels, have 196,281 parameters.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

DetectorNorm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)


def separable_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """3×3 on each channel by itself, then 1×1 with a bias."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1),
    )


class FusionNode(nn.Module):
    """`norm(conv(silu(sum of w_i * x_i)))`, where `w` is not negative and sums to just under 1."""

    def __init__(self, inputs: int, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(inputs))
        self.conv = separable_conv(channels, channels)
        self.norm = norm(channels)

    def fusion_weights(self) -> Float[Tensor, "inputs"]:
        positive = F.relu(self.weight)
        return positive / (positive.sum() + 1e-4)

    def forward(
        self, inputs: list[Float[Tensor, "batch channels height width"]]
    ) -> Float[Tensor, "batch channels height width"]:
        weights = self.fusion_weights()
        fused = inputs[0] * weights[0]
        for i in range(1, len(inputs)):
            fused = fused + inputs[i] * weights[i]
        return self.norm(self.conv(F.silu(fused)))


class BiFPNLayer(nn.Module):
    """One round, coarse to fine and back; levels of other widths get a 1×1 for each of their edges.

    Five levels of 64 channels have 8 nodes, 19 edge weights and 38,931 parameters.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        levels = len(in_channels)
        self.down_laterals = nn.ModuleList(_lateral(c, channels, norm) for c in in_channels)
        self.down = nn.ModuleList(FusionNode(2, channels, norm) for _ in range(levels - 1))
        self.up_laterals = nn.ModuleList(_lateral(c, channels, norm) for c in in_channels[1:])
        self.up = nn.ModuleList(
            FusionNode(2 if i == levels - 1 else 3, channels, norm) for i in range(1, levels)
        )

    def forward(
        self, maps: list[Float[Tensor, "batch _ _ _"]]
    ) -> list[Float[Tensor, "batch channels _ _"]]:
        laterals = [lateral(m) for lateral, m in zip(self.down_laterals, maps, strict=True)]
        down = [laterals[-1]]
        for node, lateral in zip(reversed(self.down), reversed(laterals[:-1]), strict=True):
            down.insert(0, node([lateral, F.interpolate(down[0], size=lateral.shape[-2:])]))
        up = [down[0]]
        last = len(maps) - 1
        for i, (node, lateral) in enumerate(zip(self.up, self.up_laterals, strict=True), start=1):
            inner = [down[i]] if i < last else []
            up.append(node([lateral(maps[i]), *inner, F.max_pool2d(up[-1], 3, 2, padding=1)]))
        return up


class BiFPN(nn.Module):
    """Feature maps of a trunk, finest first, to `levels` maps of `channels`, named "0", "1", ...

    Args:
        in_channels: channels of each map given, each map half the size of the one before.
        channels: channels of each map returned.
        layers: rounds.
        levels: maps returned; the coarser ones that are not given are pooled from the last map.
        norm: from a channel count to a layer.

    **Conventions**: nearest upsampling and 3×3 max-pooling with symmetric padding; the authors'
    TensorFlow code pads at the bottom and right only.

    Reference: Tan et al., EfficientDet, 2019, arXiv:1911.09070.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (40, 112, 320),
        channels: int = 64,
        *,
        layers: int = 3,
        levels: int = 5,
        norm: Callable[[int], nn.Module] = DetectorNorm,
    ) -> None:
        super().__init__()
        self.extra = levels - len(in_channels)
        if self.extra < 0 or layers < 1 or levels < 2:
            raise ValueError(
                f"levels, layers: expected levels >= {max(2, len(in_channels))} and layers >= 1, "
                f"got {levels} and {layers}"
            )
        self.extra_lateral = _lateral(in_channels[-1], channels, norm) if self.extra else None
        widths = [*in_channels, *[channels] * self.extra]
        self.layers = nn.ModuleList(
            BiFPNLayer(widths if i == 0 else [channels] * levels, channels, norm)
            for i in range(layers)
        )
        self.out_channels = channels

    def forward(
        self, features: list[Float[Tensor, "batch _ _ _"]]
    ) -> dict[str, Float[Tensor, "batch channels _ _"]]:
        maps = list(features)
        for i in range(self.extra):
            last = self.extra_lateral(maps[-1]) if i == 0 else maps[-1]
            maps.append(F.max_pool2d(last, 3, 2, padding=1))
        for layer in self.layers:
            maps = layer(maps)
        return {str(i): m for i, m in enumerate(maps)}


def _lateral(in_channels: int, channels: int, norm: Callable[[int], nn.Module]) -> nn.Module:
    if in_channels == channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1), norm(channels))
