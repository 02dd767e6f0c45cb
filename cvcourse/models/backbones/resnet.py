"""ResNet: blocks learn a residual that is added to their input (He et al. 2015, arXiv:1512.03385).

    image ─ conv 7×7 /2 ─ norm ─ ReLU ─ max-pool 3×3 /2          C1, stride 4 after the pool
          ─ layer1: depth blocks, width channels                  C2, stride 4
          ─ layer2 … layerN: twice the channels, half the size    C3, C4, C5: strides 8, 16, 32
          ─ average ─ linear                                      class logits

`BasicBlock` is two 3×3 convolutions; `Bottleneck` is 1×1, 3×3, 1×1, four times as wide outside.
As in torchvision ("v1.5") a bottleneck strides in its 3×3; the paper strides in the first 1×1.
Names and numbers are torchvision's: its `state_dict` loads with `strict=True`.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least


class BasicBlock(nn.Module):
    """3×3, 3×3, plus the input (projected by a strided 1×1 where shapes differ)."""

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = norm(width)
        self.downsample = _projection(in_channels, width, stride, norm)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out.add_(identity))


class Bottleneck(nn.Module):
    """1×1 down to `width`, 3×3, 1×1 up to `4 * width`, plus the input."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = norm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(in_channels, out_channels, stride, norm)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out.add_(identity))


def _projection(in_channels, out_channels, stride, norm) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), norm(out_channels)
    )


class ResNetFeatures(nn.Module):
    """The trunk: an image to its feature maps, one a stage.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks in each stage; as many stages as numbers.
        width: channels of the first stage, doubled in each later one.
        norm: from a channel count to a layer: `nn.BatchNorm2d`, `FrozenBatchNorm2d`, or
            `functools.partial(nn.GroupNorm, 8)`.
        dilate: for the second and later stages, whether to dilate instead of stride (dense
            prediction; the first block of such a stage keeps the dilation before it).
    """

    def __init__(
        self,
        *,
        block: type[nn.Module] = Bottleneck,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        dilate: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        dilate = (False,) * (len(depths) - 1) if dilate is None else dilate
        if len(dilate) != len(depths) - 1:
            raise ValueError(
                f"dilate: expected one value for each stage but the first ({len(depths) - 1}), "
                f"got {dilate}"
            )
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels, dilation = width, 1
        self.out_channels = []
        for i, depth in enumerate(depths):
            stride, first_dilation = (1 if i == 0 else 2), dilation
            if i > 0 and dilate[i - 1]:
                stride, dilation = 1, dilation * 2
            blocks = []
            for j in range(depth):
                blocks.append(
                    block(
                        channels,
                        width * 2**i,
                        stride=stride if j == 0 else 1,
                        dilation=first_dilation if j == 0 else dilation,
                        norm=norm,
                    )
                )
                channels = width * 2**i * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
            self.out_channels.append(channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (B, width, H/4, W/4)
        maps = []
        for i in range(len(self.out_channels)):
            x = getattr(self, f"layer{i + 1}")(x)  # (B, out_channels[i], H/2^(i+2), W/2^(i+2))
            maps.append(x)
        return maps

    def forward(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        return self.features(x)


class ResNet(ResNetFeatures):
    """The classifier: the trunk's last map averaged over the picture, and a linear layer.

    Arguments as in `ResNetFeatures`. Takes images (batch, 3, height, width), normalised by mean and
    deviation of ImageNet for torchvision's weights; gives logits (batch, num_classes).

    Reference: He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        block: type[nn.Module] = Bottleneck,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        dilate: Sequence[bool] | None = None,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__(block=block, depths=depths, width=width, norm=norm, dilate=dilate)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.out_channels[-1], num_classes)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.fc(self.avgpool(self.features(x)[-1]).flatten(1))


def resnet18(num_classes: int = 1000) -> ResNet:
    """11,689,512 parameters for 1000 classes."""
    return ResNet(num_classes, block=BasicBlock, depths=(2, 2, 2, 2))


def resnet50(num_classes: int = 1000) -> ResNet:
    """25,557,032 parameters for 1000 classes."""
    return ResNet(num_classes)
