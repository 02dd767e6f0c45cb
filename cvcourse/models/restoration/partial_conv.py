"""Partial convolutions: a convolution over the known pixels alone (Liu et al. 2018, 1804.07723).

    out = W · (x m) · (all / known) + b        where any pixel under the kernel is known
    the result is known there, and 0 elsewhere

and the U-Net of them that 3D photography fills depth and colour with.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, zeros_around

WIDTHS = (64, 128, 256, 512, 512, 512, 512)
_KERNELS = (7, 5, 5)  # of the first layers; then 3


class PartialConv2d(nn.Conv2d):
    """`nn.Conv2d` of one group, called with a mask; returns its output and the new mask.

    The mask is (batch, channels, height, width) of 0 and 1, or has one channel for all; so does the
    new one, (batch, 1, rows, columns). With a full mask and without padding it is the convolution.
    Known pixels are counted in float32.

    Raises ValueError for a mask of another shape.
    """

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        mask: Float[Tensor, "batch _ height width"],
    ) -> tuple[Float[Tensor, "batch out rows columns"], Float[Tensor, "batch 1 rows columns"]]:
        if mask.shape not in (x.shape, (len(x), 1, *x.shape[2:])):
            raise ValueError(
                f"mask: expected {tuple(x.shape)}, or one channel, got {tuple(mask.shape)}"
            )
        sums = F.conv2d(x * mask, self.weight, None, self.stride, self.padding, self.dilation)
        known, everything = self._count(mask, x.shape[1])
        seen = known > 0
        wide = torch.promote_types(sums.dtype, torch.float32)
        out = sums * (everything / known.clamp(min=1).to(wide)).to(sums.dtype)
        if self.bias is not None:
            out = out + self.bias[:, None, None].to(out.dtype)
        return out.masked_fill(~seen, 0), seen.to(mask.dtype)

    def _count(self, mask: Tensor, channels: int) -> tuple[Tensor, int]:
        """How many values under the kernel are known, of how many."""
        per_pixel = mask.float().sum(1, keepdim=True) * (channels // mask.shape[1])
        ones = per_pixel.new_ones(1, 1, *self.kernel_size)
        with torch.no_grad(), torch.autocast(mask.device.type, enabled=False):
            known = F.conv2d(per_pixel, ones, None, self.stride, self.padding, self.dilation)
        return known, channels * self.kernel_size[0] * self.kernel_size[1]


class _Layer(nn.Module):
    """A partial convolution, batch norm, and a leaky ReLU, where there is any."""

    def __init__(
        self, conv: PartialConv2d, *, norm: bool = True, slope: float | None = 0.0
    ) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels) if norm else nn.Identity()
        self.act = nn.Identity() if slope is None else nn.LeakyReLU(slope)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x, mask = self.conv(x, mask)
        return self.act(self.norm(x)), mask.expand(-1, x.shape[1], -1, -1)


class PartialConvUNet(nn.Module):
    """From (batch, in_channels, height, width), whose last two channels are the context and the
    mask of what to fill, to (batch, out_channels, height, width).

    Known are context and mask together: a partial convolution over known-or-to-fill, for what is to
    be filled lies among pixels that belong to other layers and must not be looked at.

    Args:
        in_channels, out_channels: of the pictures.
        widths: channels of the encoder's levels; each halves the size.
        biased: how many of the encoder's first convolutions have a bias.

    Pictures are enlarged by zeros, on all sides alike, to multiples of 2 to the number of levels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        widths: Sequence[int] = WIDTHS,
        biased: int = 0,
    ) -> None:
        check_at_least("in_channels", in_channels, 3)
        check_at_least("widths", len(widths))
        super().__init__()
        self.in_channels, self.unit = in_channels, 2 ** len(widths)
        before, encoder, decoder = in_channels, [], []
        for i, width in enumerate(widths):
            kernel = _KERNELS[i] if i < len(_KERNELS) else 3
            conv = PartialConv2d(before, width, kernel, 2, kernel // 2, bias=i < biased)
            encoder.append(_Layer(conv, norm=i > 0))
            before = width
        skips = (in_channels, *widths[:-1])
        for skip in reversed(skips[1:]):
            conv = PartialConv2d(before + skip, skip, 3, padding=1, bias=False)
            decoder.append(_Layer(conv, slope=0.2))
            before = skip
        last = PartialConv2d(before + in_channels, out_channels, 3, padding=1)
        decoder.append(_Layer(last, norm=False, slope=None))
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        for layer in self.modules():
            if isinstance(layer, PartialConv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out height width"]:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x: expected (batch, {self.in_channels}, height, width), got {tuple(x.shape)}"
            )
        x, (rows, columns) = zeros_around(x, self.unit)
        mask = (x[:, -2:-1] + x[:, -1:]).clamp(0, 1).expand_as(x)
        levels = [(x, mask)]
        for layer in self.encoder:
            x, mask = layer(x, mask)
            levels.append((x, mask))
        for layer, (skip, known) in zip(self.decoder, reversed(levels[:-1]), strict=True):
            x = torch.cat([_doubled(x), skip], 1)
            mask = torch.cat([_doubled(mask), known], 1)
            x, mask = layer(x, mask)
        return x[..., rows, columns]


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2)


def published_names(decoder: Sequence[str]) -> dict[str, str | None]:
    """Of the authors' networks, whose decoder's layers have these names, in the order of use."""
    layers = {f"enc_{i + 1}": f"encoder.{i}" for i in range(len(WIDTHS))}
    layers |= {name: f"decoder.{i}" for i, name in enumerate(decoder)}
    names = {}
    for theirs, ours in layers.items():
        names[f"{theirs}.conv.input_conv"] = f"{ours}.conv"
        names[f"{theirs}.conv.mask_conv"] = None  # ones
        names[f"{theirs}.bn"] = f"{ours}.norm"
    return names
