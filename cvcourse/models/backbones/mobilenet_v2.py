"""MobileNetV2: inverted residuals with linear ends (Sandler et al. 2018, arXiv:1801.04381).

    image ─ conv 3×3 /2 ─ 17 inverted residuals at strides 2 to 32 ─ conv 1×1 ─ average ─ linear

An inverted residual is narrow, wide, narrow: a 1×1 widens six times, a 3×3 filters each channel by
itself, a 1×1 narrows without an activation (which would destroy information in few channels), and
the input is added where shapes agree. Names and numbers are torchvision's: its `state_dict` loads
with `strict=True`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, conv_norm_act
from cvcourse.models.backbones.efficientnet import scale_channels


class Stage(NamedTuple):
    expand: int
    channels: int
    depth: int
    stride: int


STAGES = (  # table 2
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Narrow, wide, narrow; the input is added where neither size nor channels change."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        expand: int,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        wide = in_channels * expand
        block = partial(conv_norm_act, norm=norm, act=nn.ReLU6)
        layers = [] if expand == 1 else [block(in_channels, wide, 1)]
        layers.append(block(wide, wide, stride=stride, groups=wide))
        self.conv = nn.Sequential(
            *layers, *conv_norm_act(wide, out_channels, 1, norm=norm, act=None)
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels new_height new_width"]:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2Features(nn.Module):
    """The trunk: an image to its feature maps, the last one of each stride 2, 4, 8, 16, 32.

    Args:
        stages: of inverted residuals, before scaling.
        width: factor for all channels, rounded to multiples of 8.
        norm: from a channel count to a layer.

    `out_channels` lists the channels of the maps returned.

    Raises ValueError for images that are not (batch, 3, height, width).
    """

    def __init__(
        self,
        *,
        stages: Sequence[Stage] = STAGES,
        width: float = 1.0,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        channels = scale_channels(32, width)
        self.features = nn.Sequential(conv_norm_act(3, channels, stride=2, norm=norm, act=nn.ReLU6))
        self.levels, self.out_channels = [], []
        for i, stage in enumerate(stages):
            out = scale_channels(stage.channels, width)
            for stride in (stage.stride, *[1] * (stage.depth - 1)):
                options = {"stride": stride, "expand": stage.expand, "norm": norm}
                self.features.append(InvertedResidual(channels, out, **options))
                channels = out
            if i == len(stages) - 1 or stages[i + 1].stride == 2:
                self.levels.append(len(self.features) - 1)
                self.out_channels.append(channels)
        self.apply(_init_weights)

    def forward(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        check_channels("x", x, 3)
        maps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.levels:
                maps.append(x)
        return maps


class MobileNetV2(nn.Module):
    """Images (batch, 3, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart. With 1000, 3,504,872 parameters.
        stages, width, norm: of the trunk, see `MobileNetV2Features`.
        dropout: probability of dropping a feature before the linear layer.

    Raises ValueError for images that are not (batch, 3, height, width).

    Reference: Sandler et al., MobileNetV2, 2018, arXiv:1801.04381.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        stages: Sequence[Stage] = STAGES,
        width: float = 1.0,
        dropout: float = 0.2,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        trunk = MobileNetV2Features(stages=stages, width=width, norm=norm)
        last = scale_channels(1280, max(1.0, width))
        self.features = trunk.features.append(
            conv_norm_act(trunk.out_channels[-1], last, 1, norm=norm, act=nn.ReLU6)
        )
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        self.features[-1].apply(_init_weights)
        self.classifier.apply(_init_weights)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        check_channels("x", x, 3)
        x = self.features(x)  # (B, last, H/32, W/32)
        return self.classifier(x.mean((2, 3)))


def _init_weights(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
