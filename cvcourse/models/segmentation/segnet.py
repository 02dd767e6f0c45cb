"""SegNet: unpool where the pooling was (Badrinarayanan et al. 2015, arXiv:1511.00561).

    image ─ conv conv ─ pool ─ … five stages of VGG-16 … ─ pool ─┐
                          ┊ where each maximum stood              │
    logits ─ conv conv ─ unpool ─ … the same stages backwards … ─ unpool

Each convolution is 3×3, with batch norm and ReLU, and keeps its bias as in Caffe. The encoder hands
over positions instead of features: two bits a value. Pooling rounds up, as Caffe's does: 360×480
passes 45×60 to 23×30, and unpooling is told which size to return to.

`SegNetBasic` is the paper's small variant: four stages of one 7×7 convolution, no ReLU on the way
up.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.backbones.vgg import VGG16_STAGES
from cvcourse.ops import max_unpool
from cvcourse.ops._checks import check_tensor


def conv_bn_relu(in_channels: int, out_channels: int, kernel_size: int = 3) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def conv_stage(in_channels: int, widths: Sequence[int]) -> nn.Sequential:
    """Convolutions to each of `widths` in turn, with batch norm and ReLU."""
    layers, channels = [], in_channels
    for width in widths:
        layers += conv_bn_relu(channels, width)
        channels = width
    return nn.Sequential(*layers)


def unpool_by_indices(
    x: Float[Tensor, "batch channels half_height half_width"],
    indices: Int64[Tensor, "batch channels half_height half_width"],
    size: Sequence[int],
) -> Float[Tensor, "batch channels height width"]:
    """Each value goes back to where its maximum stood; the rest is zero."""
    return max_unpool(x, indices, 2, output_size=size)


def encode(
    x: Float[Tensor, "batch channels height width"], stages: Iterable[nn.Module]
) -> tuple[Float[Tensor, "batch _ _ _"], list[tuple[Tensor, torch.Size]]]:
    """Each stage, then a pooling, of which the positions and the size before it are kept."""
    poolings = []
    for stage in stages:
        x = stage(x)
        size = x.shape[-2:]
        # (B, C, H/2, W/2), rounded up
        x, indices = F.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
        poolings.append((indices, size))
    return x, poolings


def decode(
    x: Float[Tensor, "batch channels height width"],
    stages: Iterable[nn.Module],
    poolings: list[tuple[Tensor, torch.Size]],
    unpool: Callable[[Tensor, Tensor, Sequence[int]], Tensor],
) -> Float[Tensor, "batch _ _ _"]:
    """Each stage, after the unpooling that undoes one pooling, the last one first."""
    for stage, (indices, size) in zip(stages, reversed(poolings), strict=True):
        x = stage(unpool(x, indices, size))  # (B, C, *size)
    return x


class SegNet(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    29,449,355 parameters for 11 classes, 29,455,125 for 21, 29,464,934 for the 38 outputs of the
    authors' SUN RGB-D net (37 classes and the unlabelled).

    Args:
        num_classes: classes told apart; the paper's 11 are CamVid's.
        stages: widths of the encoder's convolutions; the decoder mirrors them.
        unpool: from (x, indices, size) to x enlarged. Another one, such as
            `lambda x, indices, size: F.interpolate(x, size)`, is the paper's ablation.

    Reference: Badrinarayanan, Kendall & Cipolla, SegNet, 2015, arXiv:1511.00561.
    """

    def __init__(
        self,
        num_classes: int = 11,
        *,
        stages: Sequence[Sequence[int]] = VGG16_STAGES,
        unpool: Callable[[Tensor, Tensor, Sequence[int]], Tensor] = unpool_by_indices,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.unpool = unpool
        encoder, decoder, channels = [], [], 3
        for widths in stages:
            encoder.append(conv_stage(channels, widths))
            backwards = [*reversed(widths[:-1]), channels]
            decoder.insert(0, conv_stage(widths[-1], backwards))
            channels = widths[-1]
        first = stages[0][0]
        decoder[-1] = nn.Sequential(  # ends in the classes, without norm and ReLU
            *conv_stage(stages[0][-1], [*reversed(stages[0][:-1])]),
            nn.Conv2d(first, num_classes, 3, padding=1),
        )
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        x, poolings = encode(images, self.encoder)
        return decode(x, self.decoder, poolings, self.unpool)


class SegNetBasic(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    1,416,587 parameters for 11 classes.

    Args:
        num_classes: classes told apart.
        width: channels of every convolution.
        unpool: as for `SegNet`.
    """

    def __init__(
        self,
        num_classes: int = 11,
        *,
        width: int = 64,
        unpool: Callable[[Tensor, Tensor, Sequence[int]], Tensor] = unpool_by_indices,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.unpool = unpool
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        self.encoder = nn.ModuleList(
            nn.Sequential(*conv_bn_relu(channels, width, 7))
            for channels in (3, width, width, width)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(*conv_bn_relu(width, width, 7)[:2]) for _ in range(4)
        )
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        check_tensor("images", images)
        x, poolings = encode(self.norm(images), self.encoder)
        return self.classifier(decode(x, self.decoder, poolings, self.unpool))
