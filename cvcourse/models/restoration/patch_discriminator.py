"""Is each patch of a picture real? The discriminator of background matting, one scale of
pix2pixHD's (Isola et al. 2016, arXiv:1611.07004; Wang et al. 2017, arXiv:1711.11585).

    4×4 /2 → 64 ─ 4×4 /2 → 128 ─ 4×4 /2 → 256 ─ 4×4 → 512 ─ 4×4 → 1

Instance norm after the middle ones, leaky ReLU of 0.2 after all but the last, two pixels of zeros
around each. A score sees 70 × 70 pixels.
"""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least

PUBLISHED_NAMES = {"layer0": "layers"}


class PatchDiscriminator(nn.Module):
    """Pictures (batch, channels, height, width) to a score for each patch, (batch, 1, rows,
    columns), for `least_squares_gan_loss`.

    Args:
        channels: of the pictures.
        width: channels of the first layer; they double up to 8 times as many, or 512.
        strided: layers that halve the size.

    2,764,737 parameters, biases before the norms included, as released.

    Raises ValueError for pictures that are not (batch, channels, height, width).
    """

    def __init__(self, *, channels: int = 3, width: int = 64, strided: int = 3) -> None:
        for name, value in (("channels", channels), ("width", width), ("strided", strided)):
            check_at_least(name, value)
        super().__init__()
        self.channels = channels
        conv = {"kernel_size": 4, "padding": 2}
        layers = [nn.Conv2d(channels, width, stride=2, **conv), nn.LeakyReLU(0.2, inplace=True)]
        for i in range(1, strided + 1):
            after = min(2 * width, 512)
            stride = 2 if i < strided else 1
            layers += [
                nn.Conv2d(width, after, stride=stride, **conv),
                nn.InstanceNorm2d(after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, **conv))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(
                f"x: expected (batch, {self.channels}, height, width), got {tuple(x.shape)}"
            )
        return self.layers(x)
