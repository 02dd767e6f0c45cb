"""RegNet: the widths of all blocks from one straight line (Radosavovic et al. 2020, 2003.13678).

    u_j = w_0 + w_a j                         one width for each of d blocks: a line
    s_j = log(u_j / w_0) / log w_m            in powers of w_m ...
    w_j = w_0 · w_m^round(s_j), to 8          ... rounded: blocks of equal width are a stage

Then widths are moved to multiples of the group width. RegNetX has X blocks, RegNetY squeezes too.
torchvision rounds that last step half up and pycls half to even, so that some published networks
differ: the last width of X-400MF is 400 or 384. Names and numbers are torchvision's: its
`state_dict` loads with `strict=True`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.backbones.anynet import AnyNet, compatible_widths

QUANTUM = 8


class Line(NamedTuple):
    """The numbers that a RegNet is made of."""

    depth: int
    w_0: int
    w_a: float
    w_m: float
    group_width: int


X_VARIANTS = {  # pycls' configs/dds_baselines
    "200mf": Line(13, 24, 36.44, 2.49, 8),
    "400mf": Line(22, 24, 24.48, 2.54, 16),
    "600mf": Line(16, 48, 36.97, 2.24, 24),
    "800mf": Line(16, 56, 35.73, 2.28, 16),
    "1_6gf": Line(18, 80, 34.01, 2.25, 24),
    "3_2gf": Line(25, 88, 26.31, 2.25, 48),
    "4gf": Line(23, 96, 38.65, 2.43, 40),
    "6_4gf": Line(17, 184, 60.83, 2.07, 56),
    "8gf": Line(23, 80, 49.56, 2.88, 120),
    "12gf": Line(19, 168, 73.36, 2.37, 112),
    "16gf": Line(22, 216, 55.59, 2.1, 128),
    "32gf": Line(23, 320, 69.86, 2.0, 168),
}
Y_VARIANTS = {
    "200mf": Line(13, 24, 36.44, 2.49, 8),
    "400mf": Line(16, 48, 27.89, 2.09, 8),
    "600mf": Line(15, 48, 32.54, 2.32, 16),
    "800mf": Line(14, 56, 38.84, 2.4, 16),
    "1_6gf": Line(27, 48, 20.71, 2.65, 24),
    "3_2gf": Line(21, 80, 42.63, 2.66, 24),
    "4gf": Line(22, 96, 31.41, 2.24, 64),
    "6_4gf": Line(25, 112, 33.22, 2.27, 72),
    "8gf": Line(17, 192, 76.82, 2.19, 56),
    "12gf": Line(19, 168, 73.36, 2.37, 112),
    "16gf": Line(18, 200, 106.23, 2.48, 112),
    "32gf": Line(20, 232, 115.89, 2.53, 232),
    "128gf": Line(27, 456, 160.83, 2.52, 264),  # torchvision's
}


def quantized_widths(depth: int, w_0: int, w_a: float, w_m: float) -> tuple[list[int], list[int]]:
    """(depths, widths) of the stages that the line w_0 + w_a j gives for j = 0 ... depth - 1.

    `depth` is the number of all blocks. Widths are multiples of 8, not yet of a group width.
    Halves round to even.

    Raises ValueError for a depth below 1, a w_0 that is no positive multiple of 8, a negative w_a,
    or a w_m of 1 or less.
    """
    check_at_least("depth", depth)
    if w_0 <= 0 or w_0 % QUANTUM:
        raise ValueError(f"w_0: expected a positive multiple of {QUANTUM}, got {w_0}")
    if not 0 <= w_a < math.inf:
        raise ValueError(f"w_a: expected a slope of 0 or more, got {w_a}")
    if not 1 < w_m < math.inf:
        raise ValueError(f"w_m: expected a factor above 1, got {w_m}")
    line = w_0 + w_a * np.arange(depth)
    powers = np.round(np.log(line / w_0) / np.log(w_m))
    widths = QUANTUM * np.round(w_0 * w_m**powers / QUANTUM).astype(int)
    widths, depths = np.unique(widths, return_counts=True)
    return depths.tolist(), widths.tolist()


class RegNet(AnyNet):
    """Images (batch, 3, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart.
        depth: number of all blocks.
        w_0, w_a, w_m: first width, slope of the line, and factor between stages.
        group_width: channels of a group of the 3×3, for all stages.
        bottleneck: channels of the 3×3 over those of its stage.
        se_ratio: 0 for RegNetX, 0.25 for RegNetY.
        stem_width, norm: as in `AnyNet`.
        rounding: of widths to multiples of the group width, see `compatible_widths`.

    Defaults are RegNetX-400MF: 5,495,976 parameters as torchvision, 5,157,512 as pycls.

    Raises ValueError as `quantized_widths` and `compatible_widths` do.
    Reference: Radosavovic et al., Designing Network Design Spaces, 2020, arXiv:2003.13678.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        depth: int = 22,
        w_0: int = 24,
        w_a: float = 24.48,
        w_m: float = 2.54,
        group_width: int = 16,
        bottleneck: float = 1.0,
        se_ratio: float = 0.0,
        stem_width: int = 32,
        rounding: str = "torchvision",
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        depths, widths = quantized_widths(depth, w_0, w_a, w_m)
        bottlenecks = [bottleneck] * len(depths)
        widths, groups = compatible_widths(
            widths, bottlenecks, [group_width] * len(depths), rounding=rounding
        )
        super().__init__(
            num_classes,
            depths=depths,
            widths=widths,
            group_widths=groups,
            bottlenecks=bottlenecks,
            se_ratio=se_ratio,
            stem_width=stem_width,
            norm=norm,
        )


def regnet_x(
    size: str = "400mf", num_classes: int = 1000, *, rounding: str = "torchvision"
) -> RegNet:
    """A published RegNetX: "200mf", "400mf", "600mf", "800mf", "1_6gf", "3_2gf" ... "32gf"."""
    return _variant(X_VARIANTS, size, num_classes, 0.0, rounding)


def regnet_y(
    size: str = "400mf", num_classes: int = 1000, *, rounding: str = "torchvision"
) -> RegNet:
    """A published RegNetY: sizes as for X, and "128gf"."""
    return _variant(Y_VARIANTS, size, num_classes, 0.25, rounding)


def _variant(variants, size, num_classes, se_ratio, rounding) -> RegNet:
    if size not in variants:
        raise ValueError(f"size must be one of {', '.join(variants)}, got {size!r}")
    line = variants[size]._asdict()
    return RegNet(num_classes, **line, se_ratio=se_ratio, rounding=rounding)
