"""Spotting artifacts: which parts of a picture were dropped and repaired? (Jenni and Favaro 2018)

image ─ encoder ─ code ─ frozen decoder ─ "whole" ────────────────────────────────┬─ AlexNet ─ which
                    └ places dropped ─ (repair ─ stage of the decoder)s ─ repaired ─┘       └─ where
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops._checks import check_tensor

MEAN_COLOR = (123.68, 116.78, 103.94)  # of 0 to 255, taken from what the discriminator sees
EPS, MOMENTUM = 1e-3, 0.025  # of the authors' batch norms


class ArtifactAutoencoder(nn.Module):
    """Images (batch, 3, height, width) in [-1, 1] to what their code keeps of them, the same shape.

    Args:
        widths: channels of the encoder's convolutions, each after the first at half the side; the
            decoder mirrors them. With the paper's, 699,168 and 1,568,547 parameters.

    Sides are multiples of 2 to the power of len(widths) - 1. `encoder` and `decoder` are its parts.

    Reference: Jenni and Favaro, Self-Supervised Feature Learning by Learning to Spot Artifacts,
    2018, arXiv:1806.05024; the network of sjenni/LearningToSpotArtifacts for STL-10. Enlarging here
    is symmetric; TensorFlow's, there, was half a pixel off.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256, 512)) -> None:
        check_at_least("len(widths)", len(widths), 2)
        super().__init__()
        first = widths[0]
        layers = [_convolution(3, first, 3)]
        layers += [_convolution(a, b, 2, stride=2) for a, b in pairwise(widths)]
        self.encoder = nn.Sequential(*layers)
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), *_convolution(a, b, 3))
                for a, b in pairwise(widths[::-1])
            ),
            nn.Sequential(nn.Conv2d(first, 3, 3, padding=1), nn.Tanh()),
        )
        self.widths = tuple(widths)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        check_channels("images", images, 3)
        unit = 2 ** (len(self.widths) - 1)
        if any(side % unit for side in images.shape[2:]):
            raise ValueError(
                f"images must have sides that {unit} divides, got {tuple(images.shape[2:])}"
            )
        return self.decoder(self.encoder(images))


class RepairNetwork(nn.Module):
    """A code with dropped places to an image, repaired before each stage of a frozen decoder.

    Args:
        autoencoder: trained; its decoder is frozen here, and its norms stay in evaluation.

    `repairs` holds what learns: with the paper's autoencoder, 6,297,216 parameters.

    Call with code (batch, channels, height, width) and `kept` (batch, 1, height, width), 1 where a
    place was kept and 0 where it was dropped. Only what was dropped is changed:
    D = D' + (1 - kept) · R(D'), with R two convolutions of D' beside `kept`.
    """

    def __init__(self, autoencoder: ArtifactAutoencoder) -> None:
        super().__init__()
        self.decoder = autoencoder.decoder.requires_grad_(False).eval()
        self.repairs = nn.ModuleList(
            nn.Sequential(*_convolution(wide + 1, wide, 3), nn.Conv2d(wide, wide, 3, padding=1))
            for wide in autoencoder.widths[::-1]
        )

    def train(self, mode: bool = True) -> "RepairNetwork":
        super().train(mode)
        self.decoder.eval()
        return self

    def forward(
        self,
        code: Float[Tensor, "batch channels height width"],
        kept: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 3 high wide"]:
        check_tensor("code", code)
        check_tensor("kept", kept)
        if kept.shape != (len(code), 1, *code.shape[2:]):
            raise ValueError(
                f"kept must have shape {(len(code), 1, *code.shape[2:])}, got {tuple(kept.shape)}"
            )
        x = code
        for repair, stage in zip(self.repairs, self.decoder, strict=True):
            mask = F.interpolate(kept, x.shape[2:], mode="nearest").to(x.dtype)
            x = stage(x + (1 - mask) * repair(torch.cat([x, mask], 1)))
        return x


class ArtifactDiscriminator(nn.Module):
    """Images (batch, 3, side, side) in [-1, 1] to logits of which they are, and of what was kept.

    Args:
        side: of the images, a multiple of 16; 96 in the authors' code.
        widths: channels of AlexNet's five convolutions, of which the second, fourth and fifth work
            in two groups.
        hidden: features before the two logits. With the defaults, 40,097,411 parameters.
        dropout: of them.

    Returns logits (batch, 2), class 1 an image of the autoencoder alone and class 0 a repaired one,
    and logits (batch, side/16, side/16) of a place's having been kept. `features` is what is
    learnt.
    """

    def __init__(
        self,
        side: int = 96,
        *,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        if side < 16 or side % 16:
            raise ValueError(f"side must be a multiple of 16, got {side}")
        check_at_least("hidden", hidden)
        super().__init__()
        a, b, c, d, e = widths
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.features = nn.Sequential(
            nn.ZeroPad2d((3, 4, 3, 4)), nn.Conv2d(3, a, 11, stride=4), nn.ReLU(),
            pool, nn.LocalResponseNorm(5),
            nn.Conv2d(a, b, 5, padding=2, groups=2), nn.ReLU(), pool, nn.LocalResponseNorm(5),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1, groups=2), nn.ReLU(),
            nn.Conv2d(d, e, 3, padding=1, groups=2, bias=False), _centred(e), nn.ReLU(),
        )  # fmt: skip
        self.where = nn.Conv2d(e, 1, 3, padding=1)
        self.which = nn.Sequential(
            nn.Conv2d(e, hidden, side // 16, bias=False), _centred(hidden), nn.ReLU(),
            nn.Dropout(dropout), nn.Flatten(), nn.Linear(hidden, 2),
        )  # fmt: skip
        self.side = side

    def forward(
        self, images: Float[Tensor, "batch 3 side side"]
    ) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch small small"]]:
        check_tensor("images", images)
        if images.shape[1:] != (3, self.side, self.side):
            raise ValueError(
                f"images must have shape (B, 3, {self.side}, {self.side}), "
                f"got {tuple(images.shape)}"
            )
        mean = images.new_tensor(MEAN_COLOR)[:, None, None]
        maps = self.features(127.5 * images - (mean - 127.5))
        return self.which(maps), self.where(maps)[:, 0]


def _convolution(in_channels: int, channels: int, side: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(
        in_channels, channels, side, stride, padding=side // 2 * (side % 2), bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(channels, EPS, MOMENTUM), nn.LeakyReLU(0.2))


def _centred(channels: int) -> nn.BatchNorm2d:
    """A batch norm that learns a shift and no scale, as TF-slim's default."""
    norm = nn.BatchNorm2d(channels, EPS, MOMENTUM)
    norm.weight = None
    return norm
