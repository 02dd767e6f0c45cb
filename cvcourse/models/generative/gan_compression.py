"""A generator with all its smaller ones inside (GAN compression, Li et al. 2020, arXiv:2003.08936).

    7×7, c0 ─ 3×3 /2, 2c1 ─ 3×3 /2, 4c2 ─ 9 residual blocks ─ 3×3 ×2, 2c6 ─ 3×3 ×2, c7 ─ 7×7, tanh

Instance norm and ReLU after each; a block goes from 4c2 channels to 4c3 (the first three blocks),
4c4 or 4c5 and back. A smaller generator takes the first channels of each layer: its weights are a
slice. Instance norms without weights and statistics make the slice exact.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_image_size
from cvcourse.ops._checks import check_tensor

CYCLEGAN_CHANNELS = (24, 24, 24, 32, 20, 16)  # found for horses to zebras
GROUPS = 8


def published_names(blocks: int = 9, separable: bool = True) -> dict[str, str]:
    """For `load_pretrained` of the authors' generators, and of CycleGAN's (`separable=False`)."""
    names = {"model.1": "stem", "model.4": "downs.0", "model.7": "downs.1"}
    for i in range(blocks):
        block = f"model.{10 + i}.conv_block"
        if separable:
            for theirs, ours in (("1", "first"), ("6", "second")):
                names[f"{block}.{theirs}.conv.0"] = f"blocks.{i}.{ours}.depthwise"
                names[f"{block}.{theirs}.conv.2"] = f"blocks.{i}.{ours}.pointwise"
        else:  # 5 without dropout in between, 6 with it
            names |= {f"{block}.{k}": f"blocks.{i}.second" for k in (5, 6)}
            names[f"{block}.1"] = f"blocks.{i}.first"
    after = 10 + blocks
    ups = {f"model.{after}": "ups.0", f"model.{after + 3}": "ups.1"}
    return {**names, **ups, f"model.{after + 7}": "head"}


PUBLISHED_NAMES = published_names()
CYCLEGAN_NAMES = published_names(separable=False)


class SlimConv2d(nn.Conv2d):
    """A convolution that can be called for its first channels: as many as come in, `out` go out."""

    def forward(self, x: Tensor, out: int | None = None) -> Tensor:
        _check_slice(self, x, out)
        bias = None if self.bias is None else self.bias[:out]
        weight = self.weight[:out, : x.shape[1]]
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation)


class SlimConvTranspose2d(nn.ConvTranspose2d):
    """As `SlimConv2d`, the other way."""

    def forward(self, x: Tensor, out: int | None = None) -> Tensor:
        _check_slice(self, x, out)
        bias = None if self.bias is None else self.bias[:out]
        weight = self.weight[: x.shape[1], :out]
        inner, outer = self.padding, self.output_padding
        return F.conv_transpose2d(x, weight, bias, self.stride, inner, outer, 1, self.dilation)


class SlimSeparableConv2d(nn.Module):
    """A filter for each channel, instance norm, 1×1: of the first channels, as `SlimConv2d`."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, padding: int = 0):
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, padding=padding, groups=in_channels
        )
        self.norm = nn.InstanceNorm2d(in_channels)
        self.pointwise = SlimConv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, out: int | None = None) -> Tensor:
        _check_slice(self.pointwise, x, out)
        conv, count = self.depthwise, x.shape[1]
        x = F.conv2d(x, conv.weight[:count], conv.bias[:count], padding=conv.padding, groups=count)
        return self.pointwise(F.instance_norm(x, eps=self.norm.eps), out)


class _Block(nn.Module):
    def __init__(self, channels: int, inside: int, *, separable: bool) -> None:
        super().__init__()
        conv = SlimSeparableConv2d if separable else _conv3x3
        self.first, self.second = conv(channels, inside), conv(inside, channels)

    def forward(self, x: Tensor, inside: int) -> Tensor:
        y = F.pad(x, (1, 1, 1, 1), mode="reflect")
        y = _norm(self.first(y, inside)).relu()
        y = self.second(F.pad(y, (1, 1, 1, 1), mode="reflect"), x.shape[1])
        return x + _norm(y)


class SlimmableGenerator(nn.Module):
    """Pictures (batch, in_channels, height, width), to others of that size, both in [-1, 1].

    Args:
        in_channels, out_channels: of the pictures.
        channels: c0 to c7 of the largest generator, (64,) * 8 in the authors' teacher; or six, of
            which the fourth counts for all blocks.
        blocks: residual ones.
        separable: a filter for each channel and 1×1 convolutions in the blocks, as in the paper;
            False for those of CycleGAN's generator, 3×3.

    `forward(x, channels)` calls the generator with the first `channels` alone, `extract(channels)`
    copies it out, `features(x, channels)` gives what is distilled.

    1,987,075 parameters and 11.07 × 10⁹ multiply-adds for 256 × 256 pixels; CycleGAN's, with
    `separable=False`, 11,378,179 and 49.55 × 10⁹; with `CYCLEGAN_CHANNELS` 341,627 and 1.94 × 10⁹.
    The authors count 56.8 and 2.67 × 10⁹ for these two: a transposed convolution at each pixel that
    goes out, of which three in four are multiplications with zeros, and the norms.

    Sizes that are not multiples of 4 are enlarged by repeating the border, and the answer is cut.

    Raises ValueError for pictures of another shape, or below 5 pixels a side, and channels that are
    not eight or six numbers from 1 to the largest.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        channels: Sequence[int] = (64,) * GROUPS,
        blocks: int = 9,
        separable: bool = True,
    ) -> None:
        values = {"in_channels": in_channels, "out_channels": out_channels, "blocks": blocks}
        for name, value in values.items():
            check_at_least(name, value)
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.separable = separable
        self.channels = self._eight(channels)
        c = self.channels
        half = {"kernel_size": 3, "stride": 2, "padding": 1}
        self.stem = SlimConv2d(in_channels, c[0], 7)
        self.downs = nn.ModuleList(
            [SlimConv2d(c[0], 2 * c[1], **half), SlimConv2d(2 * c[1], 4 * c[2], **half)]
        )
        self.blocks = nn.ModuleList(
            [
                _Block(4 * c[2], 4 * c[3 + i * 3 // blocks], separable=separable)
                for i in range(blocks)
            ]
        )
        double = {**half, "output_padding": 1}
        self.ups = nn.ModuleList(
            [
                SlimConvTranspose2d(4 * c[2], 2 * c[6], **double),
                SlimConvTranspose2d(2 * c[6], c[7], **double),
            ]
        )
        self.head = SlimConv2d(c[7], out_channels, 7)

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        channels: Sequence[int] | None = None,
    ) -> Float[Tensor, "batch out_channels height width"]:
        return self._run(x, channels)[0]

    def features(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        channels: Sequence[int] | None = None,
    ) -> tuple[Float[Tensor, "batch out_channels height width"], list[Tensor]]:
        """The answer, and four maps at a quarter of the size, (batch, 4c2, height/4, width/4).

        Those before the blocks, and after each third of them.
        """
        return self._run(x, channels)

    def _run(self, x: Tensor, channels: Sequence[int] | None) -> tuple[Tensor, list[Tensor]]:
        check_channels("x", x, self.in_channels)
        check_image_size(x, 5)
        c = self.channels if channels is None else self._eight(channels, self.channels)
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate").clamp(-1, 1)
        x = _norm(self.stem(F.pad(x, (3, 3, 3, 3), mode="reflect"), c[0])).relu()
        x = _norm(self.downs[0](x, 2 * c[1])).relu()
        x = _norm(self.downs[1](x, 4 * c[2])).relu()
        taken = [x]
        for i, block in enumerate(self.blocks):
            group = i * 3 // len(self.blocks)
            x = block(x, 4 * c[3 + group])
            if (i + 1) * 3 // len(self.blocks) > group:
                taken.append(x)
        x = _norm(self.ups[0](x, 2 * c[6])).relu()
        x = _norm(self.ups[1](x, c[7])).relu()
        x = self.head(F.pad(x, (3, 3, 3, 3), mode="reflect")).tanh()
        return x[..., :height, :width], taken

    def extract(self, channels: Sequence[int]) -> "SlimmableGenerator":
        """The generator of the first `channels` by itself, with a copy of its weights."""
        small = SlimmableGenerator(
            self.in_channels,
            self.out_channels,
            channels=self._eight(channels, self.channels),
            blocks=len(self.blocks),
            separable=self.separable,
        )
        own = self.state_dict()
        for name, value in small.state_dict().items():
            value.copy_(own[name][tuple(slice(size) for size in value.shape)])
        return small.to(self.stem.weight)

    def multiply_adds(self, height: int, width: int, channels: Sequence[int] | None = None) -> int:
        """Multiplications, each with its addition, of the convolutions for one picture."""
        c = self.channels if channels is None else self._eight(channels, self.channels)
        height, width = height + -height % 4, width + -width % 4
        whole, quarter = height * width, height * width // 16
        cost = 49 * whole * (self.in_channels * c[0] + c[7] * self.out_channels)
        cost += 9 * whole // 4 * 2 * c[0] * c[1] + 9 * quarter * 8 * c[1] * c[2]
        for i in range(len(self.blocks)):
            outer, inner = 4 * c[2], 4 * c[3 + i * 3 // len(self.blocks)]
            pair = 2 * outer * inner
            cost += quarter * (9 * (outer + inner) + pair if self.separable else 9 * pair)
        # a transposed convolution multiplies at each pixel that comes in
        return cost + 9 * quarter * 8 * c[2] * c[6] + 9 * whole // 4 * 2 * c[6] * c[7]

    def _eight(self, channels: Sequence[int], most: Sequence[int] | None = None) -> tuple[int, ...]:
        c = tuple(channels)
        if len(c) == 6:
            c = (*c[:4], c[3], c[3], *c[4:])
        limits = most or (float("inf"),) * GROUPS
        if len(c) != GROUPS or not all(
            isinstance(n, int) and 1 <= n <= high for n, high in zip(c, limits, strict=True)
        ):
            up_to = f" to {most}" if most else ""
            raise ValueError(
                f"channels: expected eight whole numbers, or six, from 1{up_to}, got {channels}"
            )
        return c


class DistillationConnectors(nn.ModuleList):
    """1×1 convolutions from a student's maps to the teacher's, which learn with the student.

    Args:
        student, teacher: channels of their maps, 4c2.
        layers: how many maps.

    Forward takes the student's maps (batch, student or fewer, height, width) and returns them with
    the teacher's channels: sum over them the mean squared differences.
    """

    def __init__(self, student: int, teacher: int, *, layers: int = 4) -> None:
        for name, value in (("student", student), ("teacher", teacher), ("layers", layers)):
            check_at_least(name, value)
        super().__init__(SlimConv2d(student, teacher, 1) for _ in range(layers))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        if len(maps) != len(self):
            raise ValueError(f"maps: expected {len(self)}, got {len(maps)}")
        return [layer(x) for layer, x in zip(self, maps, strict=True)]


@torch.no_grad()
def transfer_channels(source: SlimmableGenerator, target: SlimmableGenerator) -> None:
    """Copy from `source` into the smaller, or as large, `target` the channels with most weight.

    Those with the largest sum of absolute weights come first, so that small slices hold what counts
    most. With the same channels in both the function stays the same: they are only sorted.

    Raises ValueError where the two differ in more than channels, or target has more.
    """
    alike = ("in_channels", "out_channels", "separable")
    if any(getattr(source, name) != getattr(target, name) for name in alike) or len(
        source.blocks
    ) != len(target.blocks):
        raise ValueError("target: expected a network like source in all but its channels")
    if any(n > most for n, most in zip(target.channels, source.channels, strict=True)):
        raise ValueError(f"target: expected at most {source.channels}, got {target.channels}")
    kept = torch.arange(source.in_channels, device=source.stem.weight.device)
    pairs = zip([source.stem, *source.downs], [target.stem, *target.downs], strict=True)
    for a, b in pairs:
        kept = _transfer(a, b, kept)
    for a, b in zip(source.blocks, target.blocks, strict=True):
        inside = _transfer(a.first, b.first, kept)
        _transfer(a.second, b.second, inside, kept)
    for a, b in zip(source.ups, target.ups, strict=True):
        kept = _transfer(a, b, kept)
    all_colors = torch.arange(source.out_channels, device=kept.device)
    _transfer(source.head, target.head, kept, all_colors)


def _transfer(
    a: nn.Module, b: nn.Module, entering: Tensor, leaving: Tensor | None = None
) -> Tensor:
    """Which of the source's channels the target's are, in order."""
    if isinstance(a, SlimSeparableConv2d):
        b.depthwise.weight.copy_(a.depthwise.weight[entering])
        b.depthwise.bias.copy_(a.depthwise.bias[entering])
        return _transfer(a.pointwise, b.pointwise, entering, leaving)
    first = 1 if isinstance(a, nn.ConvTranspose2d) else 0  # the dimension of what leaves
    weight = a.weight.index_select(1 - first, entering)
    if leaving is None:
        size = weight.abs().transpose(0, first).flatten(1).sum(1)
        leaving = size.topk(b.out_channels).indices
    b.weight.copy_(weight.index_select(first, leaving))
    b.bias.copy_(a.bias[leaving])
    return leaving


def _conv3x3(in_channels: int, out_channels: int) -> SlimConv2d:
    return SlimConv2d(in_channels, out_channels, 3)


def _norm(x: Tensor) -> Tensor:
    return F.instance_norm(x)


def _check_slice(conv: nn.Module, x: Tensor, out: int | None) -> None:
    check_tensor("x", x)
    if x.ndim != 4 or not 1 <= x.shape[1] <= conv.in_channels:
        axes = f"(batch, 1 to {conv.in_channels}, height, width)"
        raise ValueError(f"x: expected {axes}, got {tuple(x.shape)}")
    if out is not None and not 1 <= out <= conv.out_channels:
        raise ValueError(f"out: expected 1 to {conv.out_channels}, got {out}")
