"""Learnt contrast enhancement from two frequency bands (Cai, Gu, Zhang 2018, IEEE TIP 27(4)).

    picture, luminance ─ five 3×3 → 64 ┐
                                       ├ 3×3 → 64 ─ five 3×3 → 64 ─ 3×3 → 3 ─ added to the picture
    picture, detail    ─ five 3×3 → 64 ┘

ReLU after each convolution but the last of a branch and the first and last of the trunk.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, cat, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops._checks import check_tensor


def _convolutions(widths: list[int]) -> list[nn.Module]:
    """With ReLU between them."""
    layers = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return layers[:-1]


def _init(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


class ContrastEnhancer(nn.Module):
    """The second of the paper's networks, 560,323 parameters.

    Takes pictures (batch, 3, height, width) in [0, 1], and the luminance and detail (batch, 1,
    height, width) of `split_frequencies`; gives better pictures.

    Args:
        width: channels of all hidden layers.
        branch_layers: convolutions in each branch.
        trunk_layers: convolutions with ReLU after the two are joined.

    Raises ValueError for pictures or bands of another shape.

    Reference: Cai, Gu, Zhang, Learning a Deep Single Image Contrast Enhancer from Multi-Exposure
    Images, 2018. The authors publish a Caffe model, which cannot be read here.
    """

    def __init__(self, *, width: int = 64, branch_layers: int = 5, trunk_layers: int = 5) -> None:
        for name, value in (("width", width), ("branch_layers", branch_layers)):
            check_at_least(name, value)
        check_at_least("trunk_layers", trunk_layers, 0)
        super().__init__()
        branch = [4] + [width] * branch_layers
        self.luminance = nn.Sequential(*_convolutions(branch))
        self.detail = nn.Sequential(*_convolutions(branch))
        self.join = nn.Conv2d(2 * width, width, 3, padding=1)
        self.trunk = nn.Sequential(*_convolutions([width] * (trunk_layers + 1) + [3]))
        _init(self)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        luminance: Float[Tensor, "batch 1 height width"],
        detail: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 3 height width"]:
        check_channels("images", images, 3)
        for name, band in (("luminance", luminance), ("detail", detail)):
            check_tensor(name, band)
            expected = (len(images), 1, *images.shape[2:])
            if band.shape != expected:
                raise ValueError(f"{name}: expected {expected}, got {tuple(band.shape)}")
        low = self.luminance(cat([images, luminance], 1))
        high = self.detail(cat([images, detail], 1))
        return images + self.trunk(self.join(cat([low, high], 1)))


class ResidualEnhancer(nn.Module):
    """The first of the paper's networks, without the split: 557,443 parameters.

    Pictures (batch, 3, height, width) in [0, 1] to better ones: 17 convolutions whose result is
    added. ReLU after each but the last, and the last of the head.

    Args:
        width: channels of all hidden layers.
        head_layers, trunk_layers: convolutions before and after the one without ReLU, which is the
            last of the head; one more makes the picture.

    Raises ValueError for pictures that are not (batch, 3, height, width).
    """

    def __init__(self, *, width: int = 64, head_layers: int = 5, trunk_layers: int = 11) -> None:
        check_at_least("width", width)
        check_at_least("head_layers", head_layers)
        check_at_least("trunk_layers", trunk_layers, 0)
        super().__init__()
        head = _convolutions([3] + [width] * head_layers)
        trunk = _convolutions([width] * (trunk_layers + 1) + [3])
        self.body = nn.Sequential(*head, *trunk)
        _init(self)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        check_channels("images", images, 3)
        return images + self.body(images)
