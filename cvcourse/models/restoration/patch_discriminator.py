"""Is each patch of a picture real? The discriminator of pix2pix, and of background matting, which
takes one scale of pix2pixHD's (Isola et al. 2016, arXiv:1611.07004; Wang et al. 2017,
arXiv:1711.11585).

    4×4 /2 → 64 ─ 4×4 /2 → 128 ─ 4×4 /2 → 256 ─ 4×4 → 512 ─ 4×4 → 1

A norm after the middle ones, leaky ReLU of 0.2 after all but the last, zeros around each. A score
sees 70 × 70 pixels.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, has_own_shift

PUBLISHED_NAMES = {"layer0": "layers"}
PIX2PIX_NAMES = {"model": "layers"}


class PatchDiscriminator(nn.Module):
    """Pictures (batch, channels, height, width) to a score for each patch, (batch, 1, rows,
    columns), for `least_squares_gan_loss`.

    Args:
        channels: of the pictures.
        width: channels of the first layer; they double up to 8 times as many, or 512.
        strided: layers that halve the size.
        norm: an instance norm as in background matting, a batch norm as in pix2pix, or None.
        padding: pixels of zeros around each layer, 2 as in pix2pixHD or 1 as in pix2pix.

    2,764,737 parameters, biases before the norms included, as released with background matting;
    2,768,705 with `channels=6, norm=nn.BatchNorm2d`, whose convolutions need no bias, as pix2pix
    has. Read the latter's files with `names=PIX2PIX_NAMES`.

    Raises ValueError for pictures that are not (batch, channels, height, width).
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        strided: int = 3,
        norm: Callable[[int], nn.Module] | None = nn.InstanceNorm2d,
        padding: int = 2,
    ) -> None:
        for name, value in (("channels", channels), ("width", width), ("strided", strided)):
            check_at_least(name, value)
        check_at_least("padding", padding, 0)
        super().__init__()
        self.channels = channels
        conv = {"kernel_size": 4, "padding": padding}
        layers = [nn.Conv2d(channels, width, stride=2, **conv), nn.LeakyReLU(0.2, inplace=True)]
        for i in range(1, strided + 1):
            after = min(2 * width, 512)
            stride = 2 if i < strided else 1
            normed = [] if norm is None else [norm(after)]
            bias = not any(has_own_shift(layer) for layer in normed)
            layers.append(nn.Conv2d(width, after, stride=stride, bias=bias, **conv))
            layers += [*normed, nn.LeakyReLU(0.2, inplace=True)]
            width = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, **conv))
        self.least = 1  # pixels of a picture for which there is a score
        for layer in reversed([layer for layer in self.layers if isinstance(layer, nn.Conv2d)]):
            self.least = max((self.least - 1) * layer.stride[0] + 4 - 2 * padding, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        check_channels("x", x, self.channels)
        if min(x.shape[2:]) < self.least:
            raise ValueError(
                f"x: expected {self.least} pixels a side or more, got {tuple(x.shape[2:])}"
            )
        return self.layers(x)
