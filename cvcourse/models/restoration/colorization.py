"""Colorization: the lightness of a picture to a distribution over colours (Zhang et al. 2016).

L ─ three stages to 1/8 ─ two of dilated convolutions ─ two more ─ up to 1/4 ─ logits of bins
"""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels

PUBLISHED_NAMES = {  # richzhang/colorization, eccv16; its fixed decoding is `annealed_mean`'s work
    **{f"model{i + 1}": f"stages.{i}" for i in range(8)},
    "model_out": None,
}


class ColorizationNet(nn.Module):
    """Lightness (batch, 1, height, width), 0 to 100, to logits (batch, bins, height/4, width/4).

    Args:
        bins: of colours; with the paper's 313, 32,235,385 parameters.
        width: channels of the first stage; the others are twice to eight times as wide.

    `cvcourse.methods.annealed_mean` turns the logits into colours. Sides are multiples of 8.

    Reference: Zhang et al., Colorful Image Colorization, 2016, arXiv:1603.08511.
    """

    def __init__(self, bins: int = 313, *, width: int = 64) -> None:
        check_at_least("bins", bins, 2)
        check_at_least("width", width)
        super().__init__()
        w = width
        up = nn.ConvTranspose2d(8 * w, 4 * w, 4, stride=2, padding=1)
        self.stages = nn.Sequential(
            _stage(1, w, 2, stride=2),
            _stage(w, 2 * w, 2, stride=2),
            _stage(2 * w, 4 * w, 3, stride=2),
            _stage(4 * w, 8 * w, 3),
            _stage(8 * w, 8 * w, 3, dilation=2),
            _stage(8 * w, 8 * w, 3, dilation=2),
            _stage(8 * w, 8 * w, 3),
            nn.Sequential(up, nn.ReLU(), *_convs(4 * w, 4 * w, 2), nn.Conv2d(4 * w, bins, 1)),
        )

    def forward(
        self, lightness: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch bins quarter_height quarter_width"]:
        check_channels("lightness", lightness, 1)
        height, width = lightness.shape[2:]
        if height % 8 or width % 8:
            raise ValueError(f"sides must be multiples of 8, got {height} x {width}")
        return self.stages((lightness - 50) / 100)


def _convs(in_channels: int, channels: int, count: int, stride: int = 1, dilation: int = 1):
    """Convolutions with ReLUs, the last one with the stride."""
    layers = []
    for i in range(count):
        step = stride if i == count - 1 else 1
        wide = in_channels if i == 0 else channels
        conv = nn.Conv2d(wide, channels, 3, step, padding=dilation, dilation=dilation)
        layers += [conv, nn.ReLU()]
    return layers


def _stage(in_channels: int, channels: int, count: int, **options) -> nn.Sequential:
    return nn.Sequential(*_convs(in_channels, channels, count, **options), nn.BatchNorm2d(channels))
