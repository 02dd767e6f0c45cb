"""ENet: segmentation in a third of a million parameters (Paszke et al. 2016, arXiv:1606.02147).

    stage    blocks                                                           512² input
    initial  3×3 /2 to 13 channels beside max-pool of the image               16 × 256²
    1        down, 4 regular                                                  64 × 128²
    2, 3     down (2 only); regular, dilated 2, asymmetric 5, dilated 4,     128 × 64²
             regular, dilated 8, asymmetric 5, dilated 16
    4        up, 2 regular                                                    64 × 128²
    5        up, 1 regular                                                    16 × 256²
    full     transposed 2×2 /2 to the classes                                 C × 512²

A block adds to its input what a bottleneck (1×1 to a quarter, one other convolution, 1×1 back)
makes of it. Downsampling pools the input and fills up channels with zeros; upsampling sends it
through a 1×1 and puts it where the pooling of the same size found its maxima.

Activations, norms and biases are those of the authors' Torch code: PReLU with one slope per channel
on the way down, ReLU on the way up; a bias in the 3×3, in the second half of an asymmetric pair and
in the last layer, and nowhere else.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Num
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops import max_unpool
from cvcourse.ops._checks import as_float, check_tensor


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def regular(channels: int, dilation: int = 1) -> nn.Module:
    """A bottleneck's middle: 3×3, dilated if asked."""
    return nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)


def asymmetric(channels: int, size: int = 5) -> nn.Module:
    """A bottleneck's middle: size×size in two convolutions, along the rows, then the columns."""
    half = size // 2
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, size), padding=(0, half), bias=False),
        nn.Conv2d(channels, channels, (size, 1), padding=(half, 0)),
    )


class InitialBlock(nn.Module):
    """A strided 3×3 to all channels but three, beside the pooled image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels - 3, 3, stride=2, padding=1)
        self.norm, self.act = norm(channels), nn.PReLU(channels)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        x = torch.cat([self.conv(images), F.max_pool2d(images, 2)], dim=1)  # (B, C, H/2, W/2)
        return self.act(self.norm(x))


class Bottleneck(nn.Module):
    """`PReLU(x + bottleneck(x))`; `middle` is `regular(...)` or `asymmetric(...)` of a quarter."""

    def __init__(self, channels: int, middle: nn.Module, *, dropout: float = 0.1) -> None:
        super().__init__()
        inner = channels // 4
        self.bottleneck = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            norm(inner),
            nn.PReLU(inner),
            middle,
            norm(inner),
            nn.PReLU(inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            norm(channels),
            nn.Dropout2d(dropout),
        )
        self.act = nn.PReLU(channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return self.act(x + self.bottleneck(x))


class DownBottleneck(nn.Module):
    """Half the size: the input max-pooled and padded with zero channels, plus a bottleneck.

    Also returns where the maxima stood.
    """

    def __init__(self, in_channels: int, channels: int, *, dropout: float) -> None:
        super().__init__()
        inner, self.more = channels // 4, channels - in_channels
        self.bottleneck = nn.Sequential(
            nn.Conv2d(in_channels, inner, 2, stride=2, bias=False),
            norm(inner),
            nn.PReLU(inner),
            regular(inner),
            norm(inner),
            nn.PReLU(inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            norm(channels),
            nn.Dropout2d(dropout),
        )
        self.act = nn.PReLU(channels)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> tuple[
        Float[Tensor, "batch channels half_height half_width"],
        Int64[Tensor, "batch in_channels half_height half_width"],
    ]:
        pooled, indices = F.max_pool2d(x, 2, return_indices=True)  # (B, in_channels, H/2, W/2)
        pooled = F.pad(pooled, (0, 0, 0, 0, 0, self.more))  # (B, channels, H/2, W/2)
        return self.act(pooled + self.bottleneck(x)), indices


def _decoder_bottleneck(in_channels: int, channels: int, middle: nn.Module) -> nn.Sequential:
    inner = channels // 4
    return nn.Sequential(
        nn.Conv2d(in_channels, inner, 1, bias=False),
        norm(inner),
        nn.ReLU(inplace=True),
        middle,
        norm(inner),
        nn.ReLU(inplace=True),
        nn.Conv2d(inner, channels, 1, bias=False),
        norm(channels),
    )


class DecoderBottleneck(nn.Module):
    """`ReLU(x + bottleneck(x))` without dropout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bottleneck = _decoder_bottleneck(channels, channels, regular(channels // 4))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return F.relu(x + self.bottleneck(x))


class UpBottleneck(nn.Module):
    """Twice the size: the input through 1×1 and norm, unpooled, plus a bottleneck that strides."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        inner = channels // 4
        self.main = nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), norm(channels))
        stride_up = nn.ConvTranspose2d(inner, inner, 3, stride=2, padding=1, output_padding=1)
        self.bottleneck = _decoder_bottleneck(in_channels, channels, stride_up)

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        indices: Int64[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels double_height double_width"]:
        return F.relu(max_unpool(self.main(x), indices, 2) + self.bottleneck(x))


class ENet(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    364,376 parameters for 20 classes, 364,311 for 19, 363,856 for 12; the paper says 0.37 M. Ports
    with one PReLU slope per layer and without biases have 351,804 for 20.

    Args:
        num_classes: classes told apart.
        widths: channels of the initial block and of the two encoder stages, multiples of 4.
        dropout: probability of dropping a channel while training, in stage 1 and in later ones.

    Height and width must be multiples of 8.

    Reference: Paszke et al., ENet: A Deep Neural Network Architecture for Real-Time Semantic
    Segmentation, 2016, arXiv:1606.02147.
    """

    def __init__(
        self,
        num_classes: int = 20,
        *,
        widths: Sequence[int] = (16, 64, 128),
        dropout: tuple[float, float] = (0.01, 0.1),
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        if len(widths) != 3 or any(width % 4 for width in widths):
            raise ValueError(f"widths: expected three multiples of 4, got {widths}")
        first, second, third = widths
        self.initial = InitialBlock(first)
        self.down1 = DownBottleneck(first, second, dropout=dropout[0])
        self.stage1 = nn.Sequential(
            *(Bottleneck(second, regular(second // 4), dropout=dropout[0]) for _ in range(4))
        )
        self.down2 = DownBottleneck(second, third, dropout=dropout[1])
        self.stage2, self.stage3 = (self._dilated_stage(third, dropout[1]) for _ in range(2))
        self.up4 = UpBottleneck(third, second)
        self.stage4 = nn.Sequential(DecoderBottleneck(second), DecoderBottleneck(second))
        self.up5 = UpBottleneck(second, first)
        self.stage5 = DecoderBottleneck(first)
        self.full = nn.ConvTranspose2d(first, num_classes, 2, stride=2)

    @staticmethod
    def _dilated_stage(channels: int, dropout: float) -> nn.Sequential:
        inner = channels // 4
        middles = []
        for dilations in ((2, 4), (8, 16)):
            middles += [regular(inner), regular(inner, dilations[0])]
            middles += [asymmetric(inner), regular(inner, dilations[1])]
        return nn.Sequential(*(Bottleneck(channels, m, dropout=dropout) for m in middles))

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        if any(size % 8 for size in images.shape[-2:]):
            raise ValueError(
                "images: expected height and width to be multiples of 8, "
                f"got {tuple(images.shape[-2:])}"
            )
        x = self.initial(images)  # (B, 16, H/2, W/2)
        x, where1 = self.down1(x)  # (B, 64, H/4, W/4)
        x, where2 = self.down2(self.stage1(x))  # (B, 128, H/8, W/8)
        x = self.stage3(self.stage2(x))
        x = self.stage4(self.up4(x, where2))  # (B, 64, H/4, W/4)
        x = self.stage5(self.up5(x, where1))  # (B, 16, H/2, W/2)
        return self.full(x)


def enet_class_weights(
    pixels: Num[Tensor, " classes"], *, c: float = 1.02
) -> Float[Tensor, " classes"]:
    """Weights for `cross_entropy` that lift rare classes: `1 / ln(c + share of the pixels)`.

    Args:
        pixels: how many pixels (or what share) each class has in the training set.
        c: more than 1; 1.02 bounds the weights between 1.4 and 50.5.

    **Conventions**: without any pixel every share is 0. float32 at least.
    """
    check_tensor("pixels", pixels)
    if c <= 1:
        raise ValueError(f"c: expected more than 1, got {c}")
    (pixels,) = as_float(pixels)
    total = pixels.sum()
    return 1 / torch.log(c + pixels / total.masked_fill(total == 0, 1))
