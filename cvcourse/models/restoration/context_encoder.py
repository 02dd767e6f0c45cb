"""Context encoder: what was in the hole (Pathak et al. 2016, arXiv:1604.07379).

image with a hole ─ convolutions ×½ down to one cell ─ bottleneck ─ ×2 up to the hole's pixels
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_power_of_two
from cvcourse.ops._checks import check_tensor


class ContextEncoder(nn.Module):
    """Images (batch, 3, side, side) with a hole to what fills it, (batch, 3, side/2, side/2).

    In [-1, 1] both. At the paper's 128 pixels the centre of 64 is filled.

    Args:
        side: of the images, a power of two from 16.
        width: channels of the first two convolutions; twice as many after each further one, and
            the decoder mirrors them.
        bottleneck: features of the whole image. With 128, 64 and 4000, 71,130,531 parameters.

    Reference: Pathak et al., Context Encoders: Feature Learning by Inpainting, 2016; the network of
    pathak22/context-encoder, `train.lua`.
    """

    def __init__(self, side: int = 128, *, width: int = 64, bottleneck: int = 4000) -> None:
        check_power_of_two("side", side, 16)
        check_at_least("width", width)
        check_at_least("bottleneck", bottleneck)
        super().__init__()
        halvings = side.bit_length() - 3  # down to 4 × 4
        widths = [width, *(width << i for i in range(halvings - 1))]
        layers = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(widths[-1], bottleneck, 4)]
        self.encoder = nn.Sequential(*layers, nn.BatchNorm2d(bottleneck), nn.LeakyReLU(0.2))
        layers, channels = [], bottleneck
        for i, wide in enumerate(widths[:0:-1]):
            up = nn.ConvTranspose2d(channels, wide, 4, *((1, 0) if i == 0 else (2, 1)))
            layers += [up, nn.BatchNorm2d(wide), nn.ReLU()]
            channels = wide
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(channels, 3, 4, 2, 1), nn.Tanh())
        self.side = side

    def forward(
        self, images: Float[Tensor, "batch 3 side side"]
    ) -> Float[Tensor, "batch 3 half half"]:
        _check("images", images, self.side)
        return self.decoder(self.encoder(images))


class HoleDiscriminator(nn.Module):
    """What fills a hole (batch, 3, side, side) to logits (batch,) of its being real.

    Args:
        side: a power of two from 8; 64 in the paper.
        width: channels of the first convolution, doubled by each further one. With 64 and 64,
            2,766,529 parameters.

    It sees the filling alone, not its surroundings.
    """

    def __init__(self, side: int = 64, *, width: int = 64) -> None:
        check_power_of_two("side", side, 8)
        check_at_least("width", width)
        super().__init__()
        layers, channels = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)], width
        for _ in range(side.bit_length() - 4):
            conv = nn.Conv2d(channels, 2 * channels, 4, 2, 1)
            layers += [conv, nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2)]
            channels *= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4))
        self.side = side

    def forward(self, filling: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, " batch"]:
        _check("filling", filling, self.side)
        return self.layers(filling).flatten()


def _check(name: str, images: Tensor, side: int) -> None:
    check_channels(name, images, 3)
    if images.shape[2:] != (side, side):
        raise ValueError(f"{name} must be {side} x {side} pixels, got {tuple(images.shape[2:])}")


class ChannelwiseLinear(nn.Module):
    """Maps (batch, channels, height, width), each mixed over its places, none with another.

    The fully connected layer between encoder and decoder of the paper's features: m n⁴ weights for
    m maps of n × n, instead of m² n⁴.

    Args:
        channels, height, width: of the maps.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        for name, value in (("channels", channels), ("height", height), ("width", width)):
            check_at_least(name, value)
        super().__init__()
        places = height * width
        self.weight = nn.Parameter(torch.empty(channels, places, places))
        self.bias = nn.Parameter(torch.zeros(channels, places))
        nn.init.uniform_(self.weight, -(places**-0.5), places**-0.5)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        check_tensor("x", x)
        mixed = torch.einsum("cpq,bcq->bcp", self.weight, x.flatten(2)) + self.bias
        return mixed.view(x.shape)
