"""EfficientNet: depth, width and resolution grow together (Tan & Le 2019, arXiv:1905.11946).

    image ─ conv 3×3 /2 ─ seven stages of MBConv ─ conv 1×1 ─ average ─ dropout ─ linear

`MBConv` widens by a 1×1, filters each channel by itself, re-weights the channels (squeeze and
excitation), narrows by a 1×1, and adds its input. From one variant to the next, channels grow by
about 1.1 and depth by about 1.2. Names and numbers are torchvision's: its `state_dict` loads with
`strict=True`; the authors' TensorFlow code pads asymmetrically, its batch norms have eps=1e-3.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, conv_norm_act


class Stage(NamedTuple):
    expand: int
    kernel: int
    stride: int
    channels: int
    depth: int


B0_STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
# width, depth, resolution and dropout of B0 ... B7
VARIANTS = (
    (1.0, 1.0, 224, 0.2),
    (1.0, 1.1, 240, 0.2),
    (1.1, 1.2, 260, 0.3),
    (1.2, 1.4, 300, 0.3),
    (1.4, 1.8, 380, 0.4),
    (1.6, 2.2, 456, 0.4),
    (1.8, 2.6, 528, 0.5),
    (2.0, 3.1, 600, 0.5),
)


def scale_channels(channels: int, factor: int | float) -> int:
    """`channels * factor` to the nearest multiple of 8, never less than 90 % of it."""
    scaled = channels * factor
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


class SqueezeExcitation(nn.Module):
    """Each channel times a gate in (0, 1), computed from the means of all channels."""

    def __init__(self, channels: int, squeezed: int, act: type[nn.Module] = nn.SiLU) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = act(inplace=True)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        gate = self.fc2(self.activation(self.fc1(self.avgpool(x)))).sigmoid()  # (B, C, 1, 1)
        return gate * x


class MBConv(nn.Module):
    """Inverted bottleneck; while training, the whole branch is dropped for some pictures."""

    def __init__(
        self,
        in_channels: int,
        stage: Stage,
        *,
        drop_path: float,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        wide = scale_channels(in_channels, stage.expand)
        block = partial(conv_norm_act, norm=norm, act=nn.SiLU)
        layers = [] if wide == in_channels else [block(in_channels, wide, 1)]
        layers += [
            block(wide, wide, stage.kernel, stride=stage.stride, groups=wide),
            SqueezeExcitation(wide, max(1, in_channels // 4)),
            block(wide, stage.channels, 1, act=None),
        ]
        self.block = nn.Sequential(*layers)
        self.drop_path = drop_path
        self.residual = stage.stride == 1 and in_channels == stage.channels

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        out = self.block(x)
        if not self.residual:
            return out
        if self.training and self.drop_path > 0:
            kept = torch.empty_like(out[:, :1, :1, :1]).bernoulli_(1 - self.drop_path)
            out = out * kept.div_(1 - self.drop_path)
        return out + x


class EfficientNetFeatures(nn.Module):
    """The trunk: an image to its feature maps, the last one of each stride 2, 4, 8, 16, 32.

    Args:
        stages: of `MBConv` blocks, before scaling.
        width, depth: factors for channels and for blocks in each stage.
        drop_path: probability of dropping the last branch while training; earlier ones less, in
            proportion to their depth.
        norm: from a channel count to a layer.

    `out_channels` lists the channels of the maps returned.
    """

    def __init__(
        self,
        *,
        stages: Sequence[Stage] = B0_STAGES,
        width: float = 1.0,
        depth: float = 1.0,
        drop_path: float = 0.2,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        channels = scale_channels(32, width)
        self.features = nn.Sequential(conv_norm_act(3, channels, stride=2, norm=norm, act=nn.SiLU))
        depths = [math.ceil(stage.depth * depth) for stage in stages]
        built = 0
        for stage, repeats in zip(stages, depths, strict=True):
            scaled = stage._replace(channels=scale_channels(stage.channels, width))
            blocks = []
            for _ in range(repeats):
                rate = drop_path * built / sum(depths)
                blocks.append(MBConv(channels, scaled, drop_path=rate, norm=norm))
                channels, scaled = scaled.channels, scaled._replace(stride=1)
                built += 1
            self.features.append(nn.Sequential(*blocks))
        last = len(stages) - 1
        self.levels = [i + 1 for i in range(len(stages)) if i == last or stages[i + 1].stride == 2]
        self.out_channels = [scale_channels(stages[i - 1].channels, width) for i in self.levels]
        self.apply(_init_weights)

    def forward(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        maps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.levels:
                maps.append(x)
        return maps


class EfficientNet(nn.Module):
    """Images (batch, 3, height, width), normalised, to logits (batch, num_classes). B0 by default.

    Args:
        num_classes: classes told apart.
        stages, width, depth, drop_path, norm: of the trunk, see `EfficientNetFeatures`.
        dropout: probability of dropping a feature before the linear layer.

    Reference: Tan & Le, EfficientNet, 2019, arXiv:1905.11946.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        stages: Sequence[Stage] = B0_STAGES,
        width: float = 1.0,
        depth: float = 1.0,
        drop_path: float = 0.2,
        dropout: float = 0.2,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        trunk = EfficientNetFeatures(
            stages=stages, width=width, depth=depth, drop_path=drop_path, norm=norm
        )
        channels = trunk.out_channels[-1]
        self.features = trunk.features.append(
            conv_norm_act(channels, 4 * channels, 1, norm=norm, act=nn.SiLU)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * channels, num_classes))
        self.features[-1].apply(_init_weights)
        self.classifier.apply(_init_weights)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        x = self.features(x)  # (B, 4 * channels, H/32, W/32)
        return self.classifier(self.avgpool(x).flatten(1))


def efficientnet_b(variant: int, num_classes: int = 1000) -> EfficientNet:
    """B0 (5,288,548 parameters for 1000 classes) to B7 (66,347,960).

    As in torchvision, the batch norms of B5, B6 and B7 have `eps=1e-3, momentum=0.01`.
    """
    if not 0 <= variant < len(VARIANTS):
        raise ValueError(f"variant: expected 0 to {len(VARIANTS) - 1}, got {variant}")
    width, depth, _, dropout = VARIANTS[variant]
    norm = nn.BatchNorm2d if variant < 5 else partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    return EfficientNet(num_classes, width=width, depth=depth, dropout=dropout, norm=norm)


def _init_weights(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Linear):
        bound = layer.out_features**-0.5
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(layer.bias)
