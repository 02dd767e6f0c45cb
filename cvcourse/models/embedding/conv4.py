"""Conv-4: the small encoder of few-shot learning (Snell et al. 2017, and FEAT, Ye et al. 2020).

image ─ 4 × (conv 3×3, batch norm, ReLU, max pool 2) ─ max pool `last_pool` ─ flatten
"""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_image_size

PUBLISHED_NAMES = {f"encoder.{i}": f"blocks.{i}" for i in range(4)}  # Sha-Lab/FEAT


class Conv4(nn.Module):
    """Images (batch, 3, height, width) to embeddings (batch, features).

    At the paper's 84 × 84 pixels and with FEAT's last pooling, 64 features; without it
    (`last_pool=1`, Snell's), 1,600, or 64 at Omniglot's 28 × 28.

    Args:
        in_channels: of the images, 1 for Omniglot.
        channels: of every block. With 64 and 3 input channels, 113,088 parameters.
        last_pool: side of the pooling after the last block.

    Reference: Snell et al., Prototypical Networks, 2017, arXiv:1703.05175; Ye et al., FEAT, 2020,
    arXiv:1812.03664.
    """

    def __init__(self, in_channels: int = 3, channels: int = 64, last_pool: int = 5) -> None:
        check_at_least("in_channels", in_channels)
        check_at_least("channels", channels)
        check_at_least("last_pool", last_pool)
        super().__init__()
        widths = [in_channels, channels, channels, channels, channels]
        self.blocks = nn.Sequential(*map(_block, widths[:-1], widths[1:]))
        self.pool = nn.MaxPool2d(last_pool)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch features"]:
        check_channels("x", x, self.blocks[0][0].in_channels)
        check_image_size(x, 16 * self.pool.kernel_size)
        return self.pool(self.blocks(x)).flatten(1)


def _block(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
