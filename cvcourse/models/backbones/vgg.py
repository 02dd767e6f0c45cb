"""VGG: 3×3 convolutions and 2×2 max-pooling only (Simonyan & Zisserman 2014, arXiv:1409.1556).

    64 64 /2  128 128 /2  256 256 256 /2  512 512 512 /2  512 512 512 /2    VGG-16, "D" in the paper
    ─ average-pool to 7×7 ─ 4096 ─ 4096 ─ classes

At 224×224 the last maps are 7×7 already and the average pool does nothing; it lets other sizes in.
Names and numbers are torchvision's: its `state_dict` loads with `strict=True`.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least

VGG16_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
VGG19_STAGES = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)  # "E" in the paper
# of Gatys' vgg_conv.pth, for `vgg_features(VGG19_STAGES)`
PUBLISHED_NAMES = {
    f"conv{stage}_{i + 1}": str(first + 2 * i)
    for stage, first, depth in ((1, 0, 2), (2, 5, 2), (3, 10, 4), (4, 19, 4), (5, 28, 4))
    for i in range(depth)
}


def vgg_features(
    stages: Sequence[Sequence[int]] = VGG16_STAGES,
    *,
    batch_norm: bool = False,
    pool: Callable[[int], nn.Module] = nn.MaxPool2d,
) -> nn.Sequential:
    """The convolutions of a VGG: in each stage its widths, then a pool that halves the size.

    `pool=nn.AvgPool2d` is what Gatys et al. 2015 found better for making pictures.
    """
    layers, channels = [], 3
    for widths in stages:
        for width in widths:
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(pool(2))
    return nn.Sequential(*layers)


def vgg_layers(
    stages: Sequence[Sequence[int]] = VGG16_STAGES, *, batch_norm: bool = False
) -> dict[str, str]:
    """Where in `vgg_features` the layers are that papers name: {"conv1_1": "0", "relu1_1": "1", ...
    "pool1": "4", ...}.
    """
    names = {}
    index = 0
    for stage, widths in enumerate(stages, 1):
        for i in range(1, len(widths) + 1):
            names[f"conv{stage}_{i}"] = str(index)
            index += 1 + batch_norm
            names[f"relu{stage}_{i}"] = str(index)
            index += 1
        names[f"pool{stage}"] = str(index)
        index += 1
    return names


class VGG(nn.Module):
    """Images (batch, 3, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart.
        stages: output channels of the convolutions of each stage.
        batch_norm: normalise after each convolution, as torchvision's `vgg16_bn`; not in the paper.
        pool: from its size and stride to a pooling layer.
        hidden: width of the two hidden linear layers.
        dropout: probability of dropping one of their outputs while training.

    Reference: Simonyan & Zisserman, Very Deep Convolutional Networks, 2014, arXiv:1409.1556.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        stages: Sequence[Sequence[int]] = VGG16_STAGES,
        batch_norm: bool = False,
        pool: Callable[[int], nn.Module] = nn.MaxPool2d,
        hidden: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.features = vgg_features(stages, batch_norm=batch_norm, pool=pool)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(stages[-1][-1] * 7 * 7, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        x = self.features(x)  # (B, 512, H/32, W/32)
        return self.classifier(self.avgpool(x).flatten(1))


def vgg16(num_classes: int = 1000) -> VGG:
    """138,357,544 parameters for 1000 classes."""
    return VGG(num_classes)


def vgg16_bn(num_classes: int = 1000) -> VGG:
    """138,365,992 parameters for 1000 classes."""
    return VGG(num_classes, batch_norm=True)


def vgg19(num_classes: int = 1000, *, pool: Callable[[int], nn.Module] = nn.MaxPool2d) -> VGG:
    """143,667,240 parameters for 1000 classes."""
    return VGG(num_classes, stages=VGG19_STAGES, pool=pool)
