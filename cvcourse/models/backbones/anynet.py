"""AnyNet: the networks that a design space is about (Radosavovic et al. 2020, arXiv:2003.13678).

    image ─ stem ─ stage 1 ─ ... ─ stage n ─ average ─ linear

A stage is so many equal blocks, the first of which strides. The X block is 1×1, a 3×3 in groups,
1×1, plus its input; the Y block re-weights the channels after its 3×3. Depth, width, bottleneck and
group width of each stage are free: this is AnyNetX, of which RegNet is the part that pays. Names
and numbers are those of torchvision's RegNet; `PUBLISHED_NAMES` are pycls'.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, conv_norm_act
from cvcourse.models.backbones.efficientnet import SqueezeExcitation
from cvcourse.ops._checks import check_rgb

Norm = Callable[[int], nn.Module]


class ResidualBlock(nn.Module):
    """`f(x)` plus x (projected by a strided 1×1 where shapes differ), then ReLU."""

    def __init__(
        self, f: nn.Module, in_channels: int, out_channels: int, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        self.proj = None
        if stride != 1 or in_channels != out_channels:
            self.proj = conv_norm_act(
                in_channels, out_channels, 1, stride=stride, norm=norm, act=None
            )
        self.f = f
        self.activation = nn.ReLU(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        return self.activation(self.f(x) + (x if self.proj is None else self.proj(x)))


def x_block(
    in_channels: int,
    out_channels: int,
    *,
    stride: int,
    bottleneck: float,
    group_width: int,
    se_ratio: float,
    norm: Norm,
) -> ResidualBlock:
    """1×1, a strided 3×3 in groups of `group_width` channels, 1×1.

    The 3×3 has `bottleneck * out_channels` channels. With an `se_ratio` it is the Y block, whose
    squeeze has `se_ratio * in_channels`: of the block's input, not of the 3×3.
    """
    wide = round(out_channels * bottleneck)
    layers = OrderedDict(a=conv_norm_act(in_channels, wide, 1, norm=norm))
    layers["b"] = conv_norm_act(wide, wide, stride=stride, groups=wide // group_width, norm=norm)
    if se_ratio:
        layers["se"] = SqueezeExcitation(wide, round(se_ratio * in_channels), act=nn.ReLU)
    layers["c"] = conv_norm_act(wide, out_channels, 1, norm=norm, act=None)
    return ResidualBlock(nn.Sequential(layers), in_channels, out_channels, stride, norm)


def basic_block(
    in_channels: int,
    out_channels: int,
    *,
    stride: int,
    bottleneck: float,
    group_width: int,
    se_ratio: float,
    norm: Norm,
) -> ResidualBlock:
    """A strided 3×3 and a 3×3; bottleneck, groups and squeeze are not for it."""
    layers = OrderedDict(
        a=conv_norm_act(in_channels, out_channels, stride=stride, norm=norm),
        b=conv_norm_act(out_channels, out_channels, norm=norm, act=None),
    )
    return ResidualBlock(nn.Sequential(layers), in_channels, out_channels, stride, norm)


def simple_stem(width: int, norm: Norm) -> nn.Sequential:
    """3×3, stride 2."""
    return conv_norm_act(3, width, stride=2, norm=norm)


def cifar_stem(width: int, norm: Norm) -> nn.Sequential:
    """3×3, stride 1, for small pictures."""
    return conv_norm_act(3, width, norm=norm)


def resnet_stem(width: int, norm: Norm) -> nn.Sequential:
    """7×7 of stride 2 and a maximum of stride 2."""
    return conv_norm_act(3, width, 7, stride=2, norm=norm).append(nn.MaxPool2d(3, 2, padding=1))


def compatible_widths(
    widths: Sequence[int],
    bottlenecks: Sequence[float],
    group_widths: Sequence[int],
    *,
    rounding: str = "torchvision",
) -> tuple[list[int], list[int]]:
    """(widths, group widths) of the stages, moved so that groups divide bottleneck * width.

    A group wider than its 3×3 becomes as wide; then the 3×3 goes to the nearest multiple.

    rounding: "torchvision" rounds half up and never takes more than a tenth away; "pycls" rounds
        half to even, and to multiples of the bottleneck too.
    """
    if rounding not in ("torchvision", "pycls"):
        raise ValueError(f"rounding must be 'torchvision' or 'pycls', got {rounding!r}")
    if not len(widths) == len(bottlenecks) == len(group_widths):
        raise ValueError(
            "widths, bottlenecks and group_widths must be as many, got "
            f"{len(widths)}, {len(bottlenecks)} and {len(group_widths)}"
        )
    new_widths, groups = [], []
    for width, bottleneck, group in zip(widths, bottlenecks, group_widths, strict=True):
        wide = max(1, int(width * bottleneck))
        group = min(group, wide)
        if rounding == "pycls":
            unit = math.lcm(group, int(bottleneck)) if bottleneck > 1 else group
            wide = max(unit, round(wide / unit) * unit)
        else:
            wide = _half_up(wide, group)
        new_widths.append(int(wide / bottleneck))
        groups.append(group)
    return new_widths, groups


def _half_up(value: int, unit: int) -> int:
    rounded = max(unit, int(value + unit / 2) // unit * unit)
    return rounded + unit if rounded < 0.9 * value else rounded


class AnyNet(nn.Module):
    """Images (batch, 3, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart.
        depths, widths: blocks and channels of each stage.
        group_widths: channels of a group of the 3×3; by default one group in each stage. Widths
            that groups do not divide are moved, by pycls' rule of `compatible_widths`.
        bottlenecks: channels of the 3×3 over those of the stage, by default 1.
        strides: of each stage, by default 2.
        se_ratio: of the squeeze of Y blocks to a block's input; 0 for X blocks.
        block: `x_block`, `basic_block`, or another of their signature.
        stem, stem_width: `simple_stem`, `cifar_stem` or `resnet_stem`, and its channels.
        head_width: of a 1×1 before the average; 0 for none, as in RegNet.
        norm: from a channel count to a layer.

    Defaults are the stages of pycls' RegNetX-400MF. `out_channels` lists the widths
    as they are.

    Raises ValueError for lists of unequal length, or counts below 1.
    Reference: Radosavovic et al., Designing Network Design Spaces, 2020, arXiv:2003.13678.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        depths: Sequence[int] = (1, 2, 7, 12),
        widths: Sequence[int] = (32, 64, 160, 384),
        group_widths: Sequence[int] | None = (16, 16, 16, 16),
        bottlenecks: Sequence[float] | None = None,
        strides: Sequence[int] | None = None,
        se_ratio: float = 0.0,
        block: Callable[..., nn.Module] = x_block,
        stem: Callable[[int, Norm], nn.Module] = simple_stem,
        stem_width: int = 32,
        head_width: int = 0,
        norm: Norm = nn.BatchNorm2d,
    ) -> None:
        check_at_least("num_classes", num_classes)
        stages = len(depths)
        bottlenecks = [1.0] * stages if bottlenecks is None else list(bottlenecks)
        strides = [2] * stages if strides is None else list(strides)
        if group_widths is None:
            group_widths = [round(w * b) for w, b in zip(widths, bottlenecks, strict=False)]
        _check_stages(depths, widths, group_widths, bottlenecks, strides)
        widths, group_widths = compatible_widths(
            widths, bottlenecks, group_widths, rounding="pycls"
        )
        super().__init__()
        self.stem = stem(stem_width, norm)
        self.trunk_output = nn.Sequential()
        channels = stem_width
        for i, depth in enumerate(depths):
            stage, make = nn.Sequential(), partial(block, se_ratio=se_ratio, norm=norm)
            shape = {"bottleneck": bottlenecks[i], "group_width": group_widths[i]}
            for j in range(depth):
                stride = strides[i] if j == 0 else 1
                stage.add_module(
                    f"block{i + 1}-{j}", make(channels, widths[i], stride=stride, **shape)
                )
                channels = widths[i]
            self.trunk_output.add_module(f"block{i + 1}", stage)
        self.head = nn.Identity()
        if head_width:
            self.head = conv_norm_act(channels, head_width, 1, norm=norm)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(head_width or channels, num_classes)
        self.out_channels = list(widths)
        self.apply(_init_weights)

    def features(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """The maps after each stage."""
        check_rgb("x", x)
        x, maps = self.stem(x), []
        for stage in self.trunk_output:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        x = self.head(self.features(x)[-1])
        return self.fc(self.avgpool(x).flatten(1))


def _check_stages(depths, widths, group_widths, bottlenecks, strides) -> None:
    lists = {
        "depths": depths,
        "widths": widths,
        "group_widths": group_widths,
        "bottlenecks": bottlenecks,
        "strides": strides,
    }
    for name, values in lists.items():
        if not values or len(values) != len(depths):
            raise ValueError(
                f"{name}: expected one for each of {len(depths)} stages, got {list(values)}"
            )
        if not min(values) > 0:
            raise ValueError(f"{name}: expected numbers above 0, got {list(values)}")


def _init_weights(layer: nn.Module) -> None:
    """pycls': by the outputs of a kernel, whatever its groups."""
    if isinstance(layer, nn.Conv2d):
        fan_out = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels
        nn.init.normal_(layer.weight, std=(2 / fan_out) ** 0.5)
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)


def _published_names() -> dict[str, str]:
    names = {"stem.conv": "stem.0", "stem.bn": "stem.1", "head.fc": "fc"}
    names |= {"head.conv": "head.0", "head.bn": "head.1"}
    for stage in range(1, 9):
        for i in range(1, 33):
            theirs, ours = f"s{stage}.b{i}", f"trunk_output.block{stage}.block{stage}-{i - 1}"
            names |= {f"{theirs}.proj": f"{ours}.proj.0", f"{theirs}.bn": f"{ours}.proj.1"}
            for layer in "abc":
                names[f"{theirs}.f.{layer}"] = f"{ours}.f.{layer}.0"
                names[f"{theirs}.f.{layer}_bn"] = f"{ours}.f.{layer}.1"
            names[f"{theirs}.f.se.f_ex.0"] = f"{ours}.f.se.fc1"
            names[f"{theirs}.f.se.f_ex.2"] = f"{ours}.f.se.fc2"
    return names


# pycls' names (github.com/facebookresearch/pycls), of up to 8 stages of 32 blocks
PUBLISHED_NAMES = _published_names()
