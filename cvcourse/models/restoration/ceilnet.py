"""CEILNet: edges first, then the picture without its reflection (Fan et al. 2017, 1708.03474).

    E-CNN   picture, 50 × its edge map ─ network ─ 50 × edge map of the background
    I-CNN   picture, that edge map     ─ network ─ background

    network: 3×3 → 64 twice ─ 3×3 /2 → 64 ─ 13 residual blocks ─ 4×4 ×2 → 64 (transposed) ─
             3×3 → 64 ─ 1×1 → 1 or 3;  batch norm and ReLU after each but the last

Pictures are 0 ... 255. The authors run the network in training mode at test time, too: on one
picture its batch norm works as an instance norm. Their Torch7 files cannot be read here: export
them into a state_dict of these names first.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, is_float16_autocast, norm_relu
from cvcourse.ops import edge_map

EDGE_SCALE = 50.0  # what the E-CNN's maps are multiplied by
_SHIFT = 115.0  # what is taken off all inputs


class _Block(nn.Module):
    """BN conv ReLU BN conv (x) + 2 ReLU(x).

    The paper adds x; in the released code the branches "ReLU" and "identity" both see the x that
    the first of them has rectified in place.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + 2 * x.relu()


class CEILSubnetwork(nn.Module):
    """E-CNN (1,142,913 parameters) or, of 3 `out_channels`, I-CNN (1,143,043).

    Args:
        out_channels: 1 | 3.
        blocks: residual blocks.
        width: channels of all hidden layers.

    Takes (batch, 4, height, width), less 115 of the scale of 0 ... 255. Under float16 autocast it
    is computed in the dtype of its weights: 50 times an edge map reaches 76,500, and 13 blocks that
    add 2x multiply by 2¹³, where float16 ends at 65,504.

    Raises ValueError for another shape.
    """

    def __init__(self, out_channels: int = 1, *, blocks: int = 13, width: int = 64) -> None:
        check_at_least("out_channels", out_channels)
        check_at_least("blocks", blocks, 0)
        check_at_least("width", width)
        super().__init__()
        self.head = nn.Sequential(
            *norm_relu(nn.Conv2d(4, width, 3, padding=1)),
            *norm_relu(nn.Conv2d(width, width, 3, padding=1)),
            *norm_relu(nn.Conv2d(width, width, 3, stride=2, padding=1)),
        )
        self.blocks = nn.Sequential(*[_Block(width) for _ in range(blocks)])
        self.tail = nn.Sequential(
            *norm_relu(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)),
            *norm_relu(nn.Conv2d(width, width, 3, padding=1)),
            nn.Conv2d(width, out_channels, 1),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                sides = layer.kernel_size[0] * layer.kernel_size[1]
                bound = math.sqrt(12 / (sides * (layer.in_channels + layer.out_channels)))
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch 4 height width"]) -> Float[Tensor, "batch out h w"]:
        check_channels("x", x, 4)
        if is_float16_autocast(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.forward(x.to(self.head[0].weight.dtype))
        height, width = x.shape[-2:]
        x = self.blocks(self.head(x))  # (B, 64, ⌈H/2⌉, ⌈W/2⌉)
        return self.tail(x)[..., :height, :width]


class CEILNet(nn.Module):
    """Pictures (batch, 3, height, width), 0 ... 255, to their background and its edge map.

    Args:
        blocks, width: of both subnetworks.

    The E-CNN learns from `EDGE_SCALE * edge_map(background)` (mean squared error), the I-CNN from
    0.2 mean square + 0.4 mean |∂x| + 0.4 mean |∂y| of its error, first with the true edge map
    (`restore(images, edges)`), then both together, the edge map at scale 1 with weight 0.4.

    Raises ValueError for pictures that are not (batch, 3, height, width).
    """

    def __init__(self, *, blocks: int = 13, width: int = 64) -> None:
        super().__init__()
        self.edges = CEILSubnetwork(1, blocks=blocks, width=width)
        self.image = CEILSubnetwork(3, blocks=blocks, width=width)

    def find_edges(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """What the E-CNN makes of the pictures: an edge map at the scale of `edge_map`."""
        check_channels("images", images, 3)
        guide = EDGE_SCALE * edge_map(images.to(self.edges.head[0].weight.dtype))
        return self.edges(torch.cat([images, guide], 1) - _SHIFT) / EDGE_SCALE

    def restore(
        self,
        images: Float[Tensor, "batch 3 height width"],
        edges: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """What the I-CNN makes of the pictures and an edge map of their background."""
        return self.image(torch.cat([images, edges], 1) - _SHIFT)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 1 height width"]]:
        edges = self.find_edges(images)
        return self.restore(images, edges), edges
