"""SynSin's U-Net, which regresses depth: strided convolutions down, bilinear and 3×3 up."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, zeros_around


class StridedUNet(nn.Module):
    """(batch, in_channels, H, W) to (batch, out_channels, H, W), for any height and width.

    4×4 convolutions of stride 2 (leaky ReLU before each but the first, batch norm after each but
    the first and last), down to 1 / 2^levels; then twice as large, 3×3, batch norm, and joined with
    what came down. Pictures are enlarged by zeros to multiples of 2^levels.

    Args:
        in_channels, out_channels: of the maps.
        width: channels of the first level; they double up to 8 times as many.
        levels: how often the size halves.
        conv: makes the convolutions, `nn.Conv2d` or its spectrally normalised kind.

    Raises ValueError for maps with other channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 32,
        levels: int = 8,
        conv: Callable[..., nn.Module] = nn.Conv2d,
    ) -> None:
        for name, value in (("width", width), ("levels", levels)):
            check_at_least(name, value, 1 if name == "width" else 2)
        super().__init__()
        self.in_channels, self.unit = in_channels, 2**levels
        widths = [width * min(2**i, 8) for i in range(levels)]
        self.down = nn.ModuleList(
            conv(before, after, 4, 2, 1) for before, after in pairwise([in_channels, *widths])
        )
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(w) for w in widths[1:-1])
        after = [*reversed(widths[:-1]), out_channels]
        before = [widths[-1], *(2 * w for w in after[:-1])]
        self.up = nn.ModuleList(
            conv(b, a, 3, padding=1) for b, a in zip(before, after, strict=True)
        )
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(w) for w in after[:-1])

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out height width"]:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x: expected (batch, {self.in_channels}, height, width), got {tuple(x.shape)}"
            )
        x, (rows, columns) = zeros_around(x, self.unit)
        norms = [nn.Identity(), *self.down_norm, nn.Identity()]
        seen = []
        for i, (conv, norm) in enumerate(zip(self.down, norms, strict=True)):
            x = norm(conv(F.leaky_relu(x, 0.2) if i else x))  # (B, widths[i], H / 2^(i+1), ...)
            seen.append(x)
        seen.pop()
        for conv, norm in zip(self.up, [*self.up_norm, nn.Identity()], strict=True):
            x = F.interpolate(x.relu(), scale_factor=2, mode="bilinear")
            x = norm(conv(x))
            if seen:
                x = torch.cat([x, seen.pop()], 1)
        return x[..., rows, columns]
