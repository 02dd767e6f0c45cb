"""How a depth edge goes on behind what hides it, for 3D photography (Shih et al. 2020, 2004.04727).

    RGB, disparity, edges, context, mask ─ 7×7 → 64 ─ 4×4 /2 → 128 ─ 4×4 /2 → 256
    ─ 8 residual blocks, dilated by 2 ─ 4×4 ×2 → 128 ─ 4×4 ×2 → 64 ─ 7×7 → 1 ─ sigmoid

Each layer of the way up also sees its like of the way down. Spectral norm in all convolutions but
the last, instance norm after them; after EdgeConnect (Nazeri et al. 2019, arXiv:1901.00212).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from cvcourse.models._blocks import check_at_least, zeros_around

_CONVOLUTIONS = {
    "encoder_0.1": "encoder.0.1",
    "encoder_1.0": "encoder.1.0",
    "encoder_2.0": "encoder.2.0",
    **{f"middle.{i}.conv_block.{k}": f"blocks.{i}.branch.{k}" for i in range(8) for k in (1, 5)},
    "decoder_0.0": "decoder.0.0",
    "decoder_1.0": "decoder.1.0",
}
_SPECTRAL = {
    "bias": "bias",
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}
PUBLISHED_NAMES = {
    **{
        f"{theirs}.{t}": f"{ours}.{o}"
        for theirs, ours in _CONVOLUTIONS.items()
        for t, o in _SPECTRAL.items()
    },
    "decoder_2.1": "out.1",
}


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(2),
            spectral_norm(nn.Conv2d(channels, channels, 3, dilation=2, bias=False)),
            nn.InstanceNorm2d(channels),
            nn.LeakyReLU(0.2),
            nn.ReflectionPad2d(1),
            spectral_norm(nn.Conv2d(channels, channels, 3, bias=False)),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _normed(conv: nn.Module) -> list[nn.Module]:
    return [spectral_norm(conv), nn.InstanceNorm2d(conv.out_channels), nn.ReLU()]


class EdgeInpainting(nn.Module):
    """(batch, 7, height, width): RGB in [0, 1], disparity over its maximum, edges, context, mask;
    to the probability of an edge (batch, 1, height, width).

    Args:
        width: channels of the first layer; four times as many in the blocks.
        blocks: residual blocks.

    11,432,129 parameters. Sizes that are not multiples of 4 are enlarged by zeros on all sides
    alike. (The authors enlarge to multiples of 128 first.)

    Raises ValueError for pictures of another shape, or smaller than 12 pixels a side.
    """

    def __init__(self, *, width: int = 64, blocks: int = 8) -> None:
        check_at_least("width", width)
        check_at_least("blocks", blocks, 0)
        super().__init__()
        half, quarter = 2 * width, 4 * width
        halve = {"kernel_size": 4, "stride": 2, "padding": 1}
        self.encoder = nn.ModuleList(
            [
                nn.Sequential(nn.ReflectionPad2d(3), *_normed(nn.Conv2d(7, width, 7))),
                nn.Sequential(*_normed(nn.Conv2d(width, half, **halve))),
                nn.Sequential(*_normed(nn.Conv2d(half, quarter, **halve))),
            ]
        )
        self.blocks = nn.Sequential(*[_Block(quarter) for _ in range(blocks)])
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(*_normed(nn.ConvTranspose2d(2 * quarter, half, **halve))),
                nn.Sequential(*_normed(nn.ConvTranspose2d(2 * half, width, **halve))),
            ]
        )
        self.out = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(2 * width, 1, 7))

    def forward(
        self, x: Float[Tensor, "batch 7 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        if x.ndim != 4 or x.shape[1] != 7 or min(x.shape[2:]) < 12:
            raise ValueError(
                "x: expected (batch, 7, height, width), 12 pixels a side or more, "
                f"got {tuple(x.shape)}"
            )
        x, (rows, columns) = zeros_around(x, 4)
        full = self.encoder[0](x)
        half = self.encoder[1](full)  # (B, 128, H/2, W/2)
        quarter = self.encoder[2](half)  # (B, 256, H/4, W/4)
        x = self.decoder[0](torch.cat([self.blocks(quarter), quarter], 1))
        x = self.decoder[1](torch.cat([x, half], 1))
        x = self.out(torch.cat([x, full], 1)).sigmoid()
        return x[..., rows, columns]
