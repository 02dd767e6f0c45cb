"""SepConv: the frame between two, by a kernel for each pixel (Niklaus et al. 2017, 1708.01692).

both frames ─ encoder, 5 levels of 3 convolutions, averages between
            ─ decoder with sums as skip connections, up to half the size
            ─ 4 heads: a column and a row of 51 weights for each pixel of each frame
frame between = first frame filtered by its kernels + second frame filtered by its own
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops import separable_convolution
from cvcourse.ops._checks import check_floating

_LAYERS = {
    **{f"Conv{i + 1}": f"encoder.{i}" for i in range(5)},
    **{f"Deconv{5 - i}": f"decoder.{i}.0" for i in range(4)},
    **{f"Upsample{5 - i}": f"decoder.{i}.1" for i in range(4)},
    **{f"Vertical{i + 1}": f"vertical.{i}" for i in range(2)},
    **{f"Horizontal{i + 1}": f"horizontal.{i}" for i in range(2)},
}
# sniklaus/sepconv-slomo: "module" in the published files, "net" in the program that reads them
PUBLISHED_NAMES = {k + theirs: ours for k in ("module", "net") for theirs, ours in _LAYERS.items()}
WIDTHS = (32, 64, 128, 256, 512)
Kernels = tuple[Float[Tensor, "batch taps height width"], Float[Tensor, "batch taps height width"]]


class SepConv(nn.Module):
    """Two frames (batch, channels, height, width) to the one between them.

    Args:
        channels: of a frame.
        widths: channels of the encoder's levels; 21,675,452 parameters.
        taps: side of the kernels, odd: the largest motion is (taps - 1) / 2 pixels from each frame.

    Frames are padded at the right and below to a multiple of 2^levels for the encoder, by repeating
    border pixels; the result has their size. `kernels` gives what the frames are filtered with.

    Raises ValueError for even taps, or frames that differ in shape or have other channels.
    """

    def __init__(
        self, *, channels: int = 3, widths: Sequence[int] = WIDTHS, taps: int = 51
    ) -> None:
        check_at_least("channels", channels)
        check_taps(taps)
        if len(widths) < 2:
            raise ValueError(f"widths: expected at least two, got {widths}")
        super().__init__()
        self.channels = channels
        sizes = (2 * channels, *widths)
        self.encoder = nn.ModuleList(_basic(*sizes[i : i + 2]) for i in range(len(widths)))
        up = widths[:0:-1]  # deepest first, down to the second level
        self.decoder = nn.ModuleList(
            nn.Sequential(_basic(before, width), _upsample(width))
            for before, width in zip((up[0], *up), up, strict=False)
        )
        self.vertical = nn.ModuleList(_head(widths[1], taps) for _ in range(2))
        self.horizontal = nn.ModuleList(_head(widths[1], taps) for _ in range(2))

    def kernels(
        self,
        first: Float[Tensor, "batch channels height width"],
        second: Float[Tensor, "batch channels height width"],
    ) -> list[Kernels]:
        """For each of the two frames a column and a row of weights for each pixel."""
        check_frames(first, second, self.channels)
        height, width = first.shape[2:]
        x = pad_to_multiple(torch.cat((first, second), dim=1), 2 ** len(self.encoder))
        maps = []
        for level in self.encoder:
            maps.append(level(x))
            x = F.avg_pool2d(maps[-1], 2)
        for up in self.decoder:
            x = up(x) + maps.pop()  # back to the size of the level above
        pairs = zip(self.vertical, self.horizontal, strict=True)
        return [tuple(head(x)[..., :height, :width] for head in pair) for pair in pairs]

    def forward(
        self,
        first: Float[Tensor, "batch channels height width"],
        second: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        return frame_between((first, second), self.kernels(first, second))


def frame_between(
    frames: Sequence[Float[Tensor, "batch channels height width"]], kernels: Sequence[Kernels]
) -> Float[Tensor, "batch channels height width"]:
    """The sum of the frames, each filtered by its kernels; border pixels are repeated outside.

    Takes any maps of the frames' size, so that features can be interpolated as the frames are.
    """
    margin = kernels[0][0].shape[1] // 2
    padded = (F.pad(frame, [margin] * 4, mode="replicate") for frame in frames)
    return sum(separable_convolution(x, *pair) for x, pair in zip(padded, kernels, strict=True))


def pad_to_multiple(
    x: Float[Tensor, "batch channels height width"], multiple: int
) -> Float[Tensor, "batch channels new_height new_width"]:
    """Repeat the last row and column until both sides are multiples."""
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def check_frames(first: Tensor, second: Tensor, channels: int) -> None:
    check_channels("first", first, channels)
    check_floating("first", first)
    check_floating("second", second)
    if second.shape != first.shape:
        raise ValueError(
            f"second: expected the shape of first, {tuple(first.shape)}, got {tuple(second.shape)}"
        )


def check_taps(taps: int) -> None:
    if taps < 1 or taps % 2 == 0:
        raise ValueError(f"taps: expected an odd number, got {taps}")


def _basic(in_channels: int, out_channels: int) -> nn.Sequential:
    layers = []
    for channels in (in_channels, out_channels, out_channels):
        layers += [nn.Conv2d(channels, out_channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _twice_as_large() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


def _upsample(channels: int) -> nn.Sequential:
    return nn.Sequential(_twice_as_large(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())


def _head(channels: int, taps: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, taps, 3, padding=1),
        nn.ReLU(),
        _twice_as_large(),
        nn.Conv2d(taps, taps, 3, padding=1),
    )
