"""ResNet of 3D convolutions: R3D-18 (Tran et al. 2018, arXiv:1711.11248).

    video ─ conv 3×7×7 / (1, 2, 2) ─ norm ─ ReLU           stem
          ─ layer1: 2 blocks of two 3×3×3                   64 channels
          ─ layer2 … 4: twice the channels, half the time, height and width
          ─ average ─ linear

Names and numbers are torchvision's: its `state_dict` loads with `strict=True`.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import check_floating


class BasicBlock3d(nn.Module):
    """3×3×3, 3×3×3, plus the input (projected by a strided 1×1×1 where shapes differ)."""

    def __init__(self, in_channels: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            *_conv_norm(in_channels, width, stride=stride), nn.ReLU(inplace=True)
        )
        self.conv2 = _conv_norm(width, width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != width:
            self.downsample = _conv_norm(in_channels, width, 1, stride)

    def forward(
        self, x: Float[Tensor, "batch in_channels time height width"]
    ) -> Float[Tensor, "batch channels new_time new_height new_width"]:
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(self.conv2(self.conv1(x)).add_(identity))


class ResNet3d(nn.Module):
    """Videos (batch, 3, time, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart; with 400, 33,371,472 parameters.
        depths: blocks in each stage.
        width: channels of the first stage, doubled in each later one.

    Any number of frames. Raises ValueError for `num_classes` below 1, or inputs of other axes.

    Reference: Tran et al., A Closer Look at Spatiotemporal Convolutions, 2018, arXiv:1711.11248.
    """

    def __init__(
        self, num_classes: int = 400, *, depths: Sequence[int] = (2, 2, 2, 2), width: int = 64
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        channels = width
        for i, depth in enumerate(depths):
            blocks = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(BasicBlock3d(channels, width * 2**i, stride=stride))
                channels = width * 2**i
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.stages = len(depths)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(
        self, x: Float[Tensor, "batch 3 time height width"]
    ) -> Float[Tensor, "batch classes"]:
        check_video(x)
        x = self.stem(x)  # (B, width, T, H/2, W/2)
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(self.avgpool(x).flatten(1))


def r3d_18(num_classes: int = 400) -> ResNet3d:
    """33,371,472 parameters for 400 classes."""
    return ResNet3d(num_classes)


def check_video(x: Tensor, channels: int = 3) -> None:
    check_floating("x", x)
    if x.ndim != 5 or x.shape[1] != channels or not x.shape[2]:
        raise ValueError(
            f"x: expected (batch, {channels}, time, height, width) of at least one frame, "
            f"got {tuple(x.shape)}"
        )


def _conv_norm(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    conv = nn.Conv3d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(out_channels))
