"""ResNet-12: the larger encoder of few-shot learning (Lee et al. 2019; this form: FEAT).

image ─ 4 × (three convs 3×3 with a shortcut, leaky ReLU, max pool 2, dropout) ─ average
"""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_image_size, conv_norm_act

WIDTHS = (64, 160, 320, 640)
PUBLISHED_NAMES = {  # Sha-Lab/FEAT
    f"encoder.layer{i + 1}.0.{theirs}": f"blocks.{i}.{ours}"
    for i in range(4)
    for theirs, ours in (
        *((f"conv{j + 1}", f"convs.{j}.0") for j in range(3)),
        *((f"bn{j + 1}", f"convs.{j}.1") for j in range(3)),
        ("downsample", "shortcut"),
    )
}


class _Block(nn.Module):
    def __init__(self, in_channels: int, channels: int, dropout: float) -> None:
        super().__init__()
        ends = [in_channels, channels, channels, channels]
        self.convs = nn.ModuleList(conv_norm_act(a, b, act=None) for a, b in pairwise(ends))
        self.shortcut = conv_norm_act(in_channels, channels, 1, act=None)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        for conv in self.convs[:-1]:
            x = F.leaky_relu(conv(x), 0.1)
        x = F.leaky_relu(self.convs[-1](x) + shortcut, 0.1)
        return self.dropout(F.max_pool2d(x, 2))


class ResNet12(nn.Module):
    """Images (batch, 3, height, width), at least 16 × 16, to embeddings (batch, widths[-1]).

    Args:
        widths: channels of the four blocks. With the paper's, 12,424,320 parameters.
        dropout: probability of dropping a feature after each block.

    FEAT's code drops whole squares (DropBlock) in the last two blocks instead, at a rate that rises
    over the training; in evaluation the two are the same.

    Reference: Lee et al., MetaOptNet, 2019, arXiv:1904.03758; Ye et al., FEAT, 2020,
    arXiv:1812.03664.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS, *, dropout: float = 0.1) -> None:
        for width in widths:
            check_at_least("widths", width)
        super().__init__()
        ends = [3, *widths]
        self.blocks = nn.Sequential(*(_Block(a, b, dropout) for a, b in pairwise(ends)))

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features"]:
        check_channels("x", x, 3)
        check_image_size(x, 16)
        return self.blocks(x).mean((2, 3))
