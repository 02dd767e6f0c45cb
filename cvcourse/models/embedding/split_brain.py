"""Split-brain autoencoder: lightness guesses colour, colour guesses lightness (Zhang et al. 2017).

L  ─ half of AlexNet ─ logits of colours     features: those of both halves, side by side
ab ─ half of AlexNet ─ logits of lightness
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_image_size
from cvcourse.ops._checks import check_rgb, check_tensor


class CrossChannelNetwork(nn.Module):
    """Some channels (batch, in_channels, height, width) to logits (batch, bins, h, w) of others.

    Half of AlexNet's channels, its last layers as convolutions, with an answer about every 16
    pixels.

    Args:
        in_channels: seen.
        bins: of what is predicted.
        widths: of the five convolutions.
        hidden: of fc6, 6 × 6 places two apart, and fc7.
    """

    def __init__(
        self,
        in_channels: int,
        bins: int,
        *,
        widths: tuple[int, int, int, int, int] = (48, 128, 192, 192, 128),
        hidden: int = 2048,
    ) -> None:
        check_at_least("in_channels", in_channels)
        check_at_least("bins", bins, 2)
        check_at_least("hidden", hidden)
        super().__init__()
        a, b, c, d, e = widths
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(in_channels, a, 11, stride=4, padding=5), nn.ReLU()),
                nn.Sequential(pool, nn.Conv2d(a, b, 5, padding=2), nn.ReLU()),
                nn.Sequential(pool, nn.Conv2d(b, c, 3, padding=1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(c, d, 3, padding=1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(d, e, 3, padding=1), nn.ReLU()),
            ]
        )
        self.head = nn.Sequential(
            nn.MaxPool2d(3, 1, padding=1),
            nn.Conv2d(e, hidden, 6, padding=5, dilation=2), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, bins, 1),
        )  # fmt: skip

    def maps(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """Those of the five convolutions."""
        check_tensor("x", x)
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch bins high wide"]:
        return self.head(self.maps(x)[-1])


class SplitBrain(nn.Module):
    """Lab images (batch, 3, height, width) to logits of their colours and of their lightness.

    Args:
        bins: of colours and of lightness. With the paper's 313 and 100, 15,211,161 + 14,780,532
            parameters.
        widths, hidden: of each half.

    L from 0 to 100, a and b about -110 to 110. Returns (batch, bins, h, w) twice. The halves share
    nothing, no norm either, so that no channel reaches its own prediction. `maps` gives the
    features of both side by side, for each of the five convolutions.

    Reference: Zhang et al., Split-Brain Autoencoders: Unsupervised Learning by Cross-Channel
    Prediction, 2017, arXiv:1611.09842. No training code was published: the answer every 16 pixels
    and the layout of fc6 are those of the authors' colorization with AlexNet.
    """

    def __init__(
        self,
        bins: tuple[int, int] = (313, 100),
        *,
        widths: tuple[int, int, int, int, int] = (48, 128, 192, 192, 128),
        hidden: int = 2048,
    ) -> None:
        super().__init__()
        self.of_lightness = CrossChannelNetwork(1, bins[0], widths=widths, hidden=hidden)
        self.of_color = CrossChannelNetwork(2, bins[1], widths=widths, hidden=hidden)

    def maps(
        self, lab: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        halves = [half.maps(x) for half, x in self._halves(lab)]
        return [torch.cat(both, 1) for both in zip(*halves, strict=True)]

    def forward(
        self, lab: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch colors high wide"], Float[Tensor, "batch levels high wide"]]:
        colors, lightness = (half(x) for half, x in self._halves(lab))
        return colors, lightness

    def _halves(self, lab: Tensor) -> list[tuple[CrossChannelNetwork, Tensor]]:
        check_rgb("lab", lab)
        check_image_size(lab, 16)
        lightness, color = (lab[:, :1] - 50) / 100, lab[:, 1:] / 110
        return [(self.of_lightness, lightness), (self.of_color, color)]
