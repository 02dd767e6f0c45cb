"""FlowNetS and FlowNetC: optical flow by regression (Dosovitskiy et al. 2015, arXiv:1504.06852).

    S: both pictures stacked ─ conv1 ─────┐
    C: each picture ─ conv1 … conv3 ─ correlation ─ + conv_redir(first)
                                          │
                   … conv3 ─ … ─ conv6 ─ flow6 (1/64)
                      └ skip ─ deconv5, flow6 ×2 ─ flow5 (1/32) … ─ flow2 (1/4)

Each level's flow is upsampled and goes into the next. Names are those of the well-known PyTorch
port (ClementPinard/FlowNetPytorch), whose decoder has no biases: `decoder_bias=False` reads it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops import correlation
from cvcourse.ops._checks import check_tensor

SLOPE = 0.1  # of the leaky ReLU
WIDTHS = (64, 128, 256, 512, 512, 1024)


class FlowNetS(nn.Module):
    """Two pictures stacked (batch, 2·channels, height, width) to flow, finest first.

    Args:
        channels: of one picture.
        widths: channels of the encoder at strides 2 to 64; 38,676,514 parameters.
        decoder_bias: as Caffe's original has; without 38,675,536 parameters.

    Returns five flows (batch, 2, height/4, width/4) to (batch, 2, height/64, width/64), in training
    and in evaluation. Each is that of whole pictures in units of training (the paper: pixels / 20),
    not of its own grid: upsample it to the picture's size without scaling its values. Any size
    from 2 pixels on: what is upsampled is cropped to its skip connection.

    Raises ValueError for inputs of another number of channels.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        widths: Sequence[int] = WIDTHS,
        decoder_bias: bool = True,
    ) -> None:
        _check_widths(widths)
        check_at_least("channels", channels)
        super().__init__()
        self.channels = channels
        w1, w2, w3, *_ = widths
        self.conv1 = _conv(2 * channels, w1, 7, 2)
        self.conv2 = _conv(w1, w2, 5, 2)
        self.conv3 = _conv(w2, w3, 5, 2)
        self.conv3_1 = _conv(w3, w3)
        _add_deep_half(self, widths, decoder_bias)

    def forward(
        self, pictures: Float[Tensor, "batch two_channels height width"]
    ) -> list[Float[Tensor, "batch 2 _ _"]]:
        _check_pictures(pictures, self.channels)
        x2 = self.conv2(self.conv1(pictures))
        return flows_of(self, x2, self.conv3_1(self.conv3(x2)))


class FlowNetC(nn.Module):
    """The same, with each picture's features correlated at stride 8.

    Args:
        channels: of one picture.
        widths: channels of the encoder at strides 2 to 64; 39,175,298 parameters.
        max_displacement, stride: of `correlation`, in steps of the features (8 pixels each).
        redirected: features of the first picture that pass beside the correlation.
        decoder_bias: as Caffe's original has; without 39,174,320 parameters.

    Inputs, outputs and errors as `FlowNetS`.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        widths: Sequence[int] = WIDTHS,
        max_displacement: int = 20,
        stride: int = 2,
        redirected: int = 32,
        decoder_bias: bool = True,
    ) -> None:
        _check_widths(widths)
        check_at_least("channels", channels)
        check_at_least("max_displacement", max_displacement, 0)
        check_at_least("stride", stride)
        super().__init__()
        self.channels = channels
        self.max_displacement, self.stride = max_displacement, stride
        w1, w2, w3, *_ = widths
        self.conv1 = _conv(channels, w1, 7, 2)
        self.conv2 = _conv(w1, w2, 5, 2)
        self.conv3 = _conv(w2, w3, 5, 2)
        self.conv_redir = _conv(w3, redirected, 1)
        maps = (2 * (max_displacement // stride) + 1) ** 2
        self.conv3_1 = _conv(redirected + maps, w3)
        _add_deep_half(self, widths, decoder_bias)

    def forward(
        self, pictures: Float[Tensor, "batch two_channels height width"]
    ) -> list[Float[Tensor, "batch 2 _ _"]]:
        _check_pictures(pictures, self.channels)
        first, second = (self.conv2(self.conv1(x)) for x in pictures.chunk(2, dim=1))
        a, b = self.conv3(first), self.conv3(second)
        alike = F.leaky_relu(correlation(a, b, self.max_displacement, self.stride), SLOPE)
        x3 = self.conv3_1(torch.cat((self.conv_redir(a), alike), dim=1))
        return flows_of(self, first, x3)


def _conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE, inplace=True))


def _add_deep_half(net: nn.Module, widths: Sequence[int], bias: bool) -> None:
    """The layers from stride 16 on, and the way back to stride 4."""
    for level in (4, 5, 6):
        below, width = widths[level - 2], widths[level - 1]
        setattr(net, f"conv{level}", _conv(below, width, stride=2))
        setattr(net, f"conv{level}_1", _conv(width, width))
    decoded = widths[5]
    net.predict_flow6 = nn.Conv2d(decoded, 2, 3, padding=1, bias=bias)
    for level in (5, 4, 3, 2):
        width, skip = widths[level - 2], widths[level - 1]
        deconv = nn.ConvTranspose2d(decoded, width, 4, 2, padding=1, bias=bias)
        upsampled = nn.ConvTranspose2d(2, 2, 4, 2, padding=1, bias=bias)
        setattr(net, f"deconv{level}", nn.Sequential(deconv, nn.LeakyReLU(SLOPE, inplace=True)))
        setattr(net, f"upsampled_flow{level + 1}_to_{level}", upsampled)
        decoded = skip + width + 2
        setattr(net, f"predict_flow{level}", nn.Conv2d(decoded, 2, 3, padding=1, bias=bias))
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def flows_of(net: nn.Module, x2: Tensor, x3: Tensor) -> list[Tensor]:
    """The way down from features at strides 4 and 8 of a `FlowNetS` or `FlowNetC`, and back: five
    flows, finest first."""
    skips = {2: x2, 3: x3}
    for level in (4, 5, 6):
        halved = getattr(net, f"conv{level}")(skips[level - 1])
        skips[level] = getattr(net, f"conv{level}_1")(halved)
    x = skips.pop(6)
    flows = [net.predict_flow6(x)]
    for level in (5, 4, 3, 2):
        skip = skips[level]
        height, width = skip.shape[2:]
        up = getattr(net, f"upsampled_flow{level + 1}_to_{level}")(flows[0])
        deconv = getattr(net, f"deconv{level}")(x)
        x = torch.cat((skip, *(part[..., :height, :width] for part in (deconv, up))), dim=1)
        flows.insert(0, getattr(net, f"predict_flow{level}")(x))
    return flows


def _check_widths(widths: Sequence[int]) -> None:
    if len(widths) != 6 or min(widths) < 1:
        raise ValueError(f"widths: expected six numbers of channels, got {widths}")


def _check_pictures(pictures: Tensor, channels: int) -> None:
    check_tensor("pictures", pictures)
    if pictures.ndim != 4 or pictures.shape[1] != 2 * channels:
        raise ValueError(
            f"pictures: expected (batch, {2 * channels}, height, width), two pictures stacked, "
            f"got {tuple(pictures.shape)}"
        )
