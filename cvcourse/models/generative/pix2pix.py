"""pix2pix: pictures to pictures, from pairs (Isola et al. 2016, arXiv:1611.07004).

    4×4 /2, 64 ──────────────────────────── beside ── 4×4 ×2 → 3, tanh
      128 ───────────────────────────── beside ── 64
        256 ──────────────────────── beside ── 128
          512 ─────────────────── beside ── 256          each way: norm, leaky ReLU down, ReLU up
            512, to one pixel ── 512, dropout

The discriminator is `PatchDiscriminator(channels=6, norm=nn.BatchNorm2d, padding=1)` of input and
output one above the other, 2,768,705 parameters; the generator's loss adds 100 times L1.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, has_own_shift
from cvcourse.ops._checks import check_fraction


def published_names(levels: int = 8) -> dict[str, str]:
    """For `load_pretrained` of a network with so many levels: the authors' U-Net is nested."""
    names, prefix = {"model.model.0": "downs.0"}, "model.model.1.model"
    for level in range(1, levels):
        innermost = level == levels - 1
        names[f"{prefix}.1"] = f"downs.{level}.1"
        if not innermost:
            names[f"{prefix}.2"] = f"downs.{level}.2"
        up = 3 if innermost else 5
        names[f"{prefix}.{up}"] = f"ups.{levels - 1 - level}.1"
        names[f"{prefix}.{up + 1}"] = f"ups.{levels - 1 - level}.2"
        prefix += ".3.model"
    return {**names, "model.model.3": f"ups.{levels - 1}.1"}


PUBLISHED_NAMES = published_names()


class Pix2PixUNet(nn.Module):
    """Pictures (batch, in_channels, height, width) to others of that size, both in [-1, 1].

    Args:
        in_channels, out_channels: of the pictures.
        width: channels after the first layer; they double up to eight times as many.
        levels: how often the size is halved, to one pixel from a side of 2 ** levels.
        dropout: of the layers on the way up that join features of the largest width: the only noise
            the authors give, so that they leave it, and the statistics of the batch, on in use.
        norm: a batch norm as published, or an instance norm.

    54,413,955 parameters, as the authors' PyTorch code has; their Lua code has 54,419,459, with
    biases beside the norms, and drops out one layer earlier. Sizes that are not multiples of
    2 ** levels are enlarged by repeating the border, and the answer is cut.

    Raises ValueError for pictures of another shape.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        levels: int = 8,
        dropout: float = 0.5,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        for name, value in (
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("width", width),
        ):
            check_at_least(name, value)
        check_at_least("levels", levels, 2)
        check_fraction("dropout", dropout)
        super().__init__()
        self.in_channels, self.unit = in_channels, 2**levels
        widths = [width * min(2**level, 8) for level in range(levels)]
        size = {"kernel_size": 4, "stride": 2, "padding": 1}
        bias = not has_own_shift(norm(width))
        downs = [nn.Conv2d(in_channels, width, bias=bias, **size)]
        for level in range(1, levels):
            before, after = widths[level - 1], widths[level]
            down = [nn.LeakyReLU(0.2), nn.Conv2d(before, after, bias=bias, **size), norm(after)]
            downs.append(nn.Sequential(*down[: 2 if level == levels - 1 else 3]))
        ups = []
        for level in range(levels - 1, 0, -1):
            before = widths[level] * (1 if level == levels - 1 else 2)
            after = widths[level - 1]
            up = [nn.ReLU(), nn.ConvTranspose2d(before, after, bias=bias, **size), norm(after)]
            if 4 <= level < levels - 1:
                up.append(nn.Dropout(dropout))
            ups.append(nn.Sequential(*up))
        last = nn.ConvTranspose2d(2 * width, out_channels, **size)
        self.downs = nn.ModuleList(downs)
        self.ups = nn.ModuleList([*ups, nn.Sequential(nn.ReLU(), last, nn.Tanh())])

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        check_channels("x", x, self.in_channels)
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.unit, 0, -height % self.unit), mode="replicate")
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        x = self.ups[0](skips.pop())
        for up in self.ups[1:]:
            x = up(torch.cat([skips.pop(), x], 1))
        return x[..., :height, :width]
