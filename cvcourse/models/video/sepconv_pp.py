"""SepConv++: the same with a series of small improvements (Niklaus et al. 2021, 2011.01280).

    each frame, normalised together ─ one convolution, shared ─ both stacked
        ─ four strided blocks ─ y_i = block(skip_i) + up(y_{i+1}), to half the size
        ─ 4 heads: columns and rows of 51 weights
    frame between = both frames filtered / both maps of ones filtered

Its parts are functions here, each of which can be used without the others: `normalize_frames`,
`normalized_frame_between`, `self_ensemble`. Padding is delayed: frames are padded where they are
filtered, not before the network.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.video.sepconv import (
    Kernels,
    check_frames,
    check_taps,
    frame_between,
    pad_to_multiple,
)

PUBLISHED_NAMES = {  # sniklaus/revisiting-sepconv
    "netInput": "stem",
    **{f"netEncode.0.netVer.{i + 1}.netMain": f"encoder.{i}" for i in range(4)},
    **{f"netDecode.0.netHor.{i}.netMain": f"lateral.{i}" for i in range(4)},
    **{f"netDecode.0.netVer.{i + 1}.netMain": f"up.{i}" for i in range(3)},
    **{f"netVer{n}.netMain": f"vertical.{i}" for i, n in enumerate(("one", "two"))},
    **{f"netHor{n}.netMain": f"horizontal.{i}" for i, n in enumerate(("one", "two"))},
}
WIDTHS = (64, 128, 256, 512)
Frame = Float[Tensor, "batch channels height width"]


class SepConvPP(nn.Module):
    """Two frames (batch, channels, height, width) to the one between them.

    Args:
        channels: of a frame.
        stem: channels made of each frame.
        widths: channels at strides 2 to 16; 13,560,102 parameters.
        taps: side of the kernels, odd.

    Frames are padded at the right and below to even sides, by repeating border pixels; a level
    has half of the sides above it, rounded up. The result has the frames' size. Errors as
    `SepConv`.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        stem: int = 16,
        widths: Sequence[int] = WIDTHS,
        taps: int = 51,
    ) -> None:
        check_at_least("channels", channels)
        check_taps(taps)
        if not widths:
            raise ValueError(f"widths: expected at least one, got {widths}")
        super().__init__()
        self.channels = channels
        self.stem = nn.Conv2d(channels, stem, 3, padding=1)
        sizes = (2 * stem, *widths)
        self.encoder = nn.ModuleList(
            _block(*sizes[i : i + 2], stride=2) for i in range(len(widths))
        )
        deepest_first = widths[::-1]
        self.lateral = nn.ModuleList(_block(width, width) for width in deepest_first)
        self.up = nn.ModuleList(
            nn.Sequential(nn.PReLU(), _twice_as_large(), *_block(below, width)[1:])
            for below, width in pairwise(deepest_first)
        )
        self.vertical = nn.ModuleList(_head(widths[0], taps) for _ in range(2))
        self.horizontal = nn.ModuleList(_head(widths[0], taps) for _ in range(2))

    def kernels(self, first: Frame, second: Frame) -> list[Kernels]:
        """For each of the two frames a column and a row of weights for each pixel."""
        check_frames(first, second, self.channels)
        height, width = first.shape[2:]
        frames = normalize_frames(*(pad_to_multiple(frame, 2) for frame in (first, second)))
        x = torch.cat([self.stem(frame) for frame in frames], dim=1)
        maps = []
        for block in self.encoder:
            x = block(x)
            maps.append(x)
        skips = [x + block(x) for x, block in zip(maps[::-1], self.lateral, strict=True)]
        x = skips[0]
        for skip, up in zip(skips[1:], self.up, strict=True):
            x = skip + up(x)[..., : skip.shape[2], : skip.shape[3]]  # 1 less where it is odd
        pairs = zip(self.vertical, self.horizontal, strict=True)
        return [tuple(head(x)[..., :height, :width] for head in pair) for pair in pairs]

    def forward(self, first: Frame, second: Frame) -> Frame:
        return normalized_frame_between((first, second), self.kernels(first, second))


def normalize_frames(first: Frame, second: Frame, eps: float = 1e-7) -> tuple[Frame, Frame]:
    """Both less their common mean, over their common standard deviation, of each example.

    Over all pixels and channels of both frames together, so that a change of brightness between
    them remains. The deviation is the population's.
    """
    both = torch.stack((first, second), dim=1)  # (B, 2, C, H, W)
    deviation, mean = torch.std_mean(both, dim=(1, 2, 3, 4), correction=0, keepdim=True)
    return ((both - mean) / (deviation + eps)).unbind(1)


def normalized_frame_between(
    frames: Sequence[Frame], kernels: Sequence[Kernels], least: float = 0.01
) -> Frame:
    """`frame_between` over what it makes of frames of ones: kernels then sum to 1.

    A sum nearer to 0 than `least` counts as 1; elsewhere frames of one colour stay as they are.
    """
    with_ones = [torch.cat((frame, torch.ones_like(frame[:, :1])), dim=1) for frame in frames]
    filtered = frame_between(with_ones, kernels)
    total = filtered[:, -1:]
    return filtered[:, :-1] / torch.where(total.abs() < least, 1, total)


def self_ensemble(
    interpolate: Callable[[Frame, Frame], Frame], first: Frame, second: Frame
) -> Frame:
    """The mean of eight predictions: of the frames flipped and transposed, and turned back."""
    predictions = []
    for transposed in (False, True):
        for flips in ((), (2,), (3,), (2, 3)):
            turned = [frame.mT if transposed else frame for frame in (first, second)]
            found = interpolate(*(frame.flip(flips) for frame in turned)).flip(flips)
            predictions.append(found.mT if transposed else found)
    return torch.stack(predictions).mean(0)


def _block(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.PReLU(),
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1),
        nn.PReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
    )


def _twice_as_large() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def _head(channels: int, taps: int) -> nn.Sequential:
    return nn.Sequential(
        _twice_as_large(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.PReLU(),
        nn.Conv2d(channels, taps, 3, padding=1),
    )
