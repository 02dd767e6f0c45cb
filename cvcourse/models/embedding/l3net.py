"""L³-Net: look, listen and learn: do this picture and this sound belong together?

picture ─ 4 × (2 convs 3×3 with batch norm and ReLU, pool) ─ largest value of each map ─┐
log-spectrogram ─ the same, with weights of its own ────────────────────────────────────┴─
      ─ linear 128 ─ ReLU ─ linear 2

Arandjelović and Zisserman 2017, arXiv:1705.08168.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_image_size, norm_relu


class L3Trunk(nn.Module):
    """Images or spectrograms (batch, in_channels, height, width), at least 8 × 8, to features.

    Args:
        in_channels: 3 of pictures, 1 of spectrograms.
        widths: of the four blocks, the last of which is the number of features.
    """

    def __init__(
        self, in_channels: int = 3, widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    ) -> None:
        check_at_least("in_channels", in_channels)
        for width in widths:
            check_at_least("widths", width)
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip((in_channels, *widths[:-1]), widths, strict=True)):
            layers += [nn.MaxPool2d(2)] if i else []
            layers += norm_relu(nn.Conv2d(a, b, 3, padding=1))
            layers += norm_relu(nn.Conv2d(b, b, 3, padding=1))
        self.layers = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten())

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch features"]:
        check_channels("x", x, self.layers[0].in_channels)
        check_image_size(x, 8)
        return self.layers(x)


class L3Net(nn.Module):
    """Pictures and spectrograms to logits (batch, 2): of two videos (0), or of one (1).

    Args:
        widths: of both trunks' blocks.
        hidden: units after the features are joined, 128.
        sound_channels: of a spectrogram.

    The logits tell whether two belong together, one pair at a time; for search, train the trunks
    with a distance instead (`info_nce_loss(symmetric=True)` of two linear layers).
    """

    def __init__(
        self,
        *,
        widths: tuple[int, int, int, int] = (64, 128, 256, 512),
        hidden: int = 128,
        sound_channels: int = 1,
    ) -> None:
        check_at_least("hidden", hidden)
        super().__init__()
        self.vision = L3Trunk(3, widths)
        self.audio = L3Trunk(sound_channels, widths)
        self.fusion = nn.Sequential(
            nn.Linear(2 * widths[-1], hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 2)
        )

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        spectrograms: Float[Tensor, "batch channels bins frames"],
    ) -> Float[Tensor, "batch 2"]:
        check_channels("images", images, 3)
        check_channels("spectrograms", spectrograms, self.audio.layers[0].in_channels)
        return self.fusion(torch.cat([self.vision(images), self.audio(spectrograms)], 1))
