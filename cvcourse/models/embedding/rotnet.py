"""RotNet: a network in network that tells by how much a picture was turned (Gidaris et al. 2018).

image ─ blocks of (conv 5×5 or 3×3, conv 1×1, conv 1×1), halved after the first two ─ average
      ─ linear
"""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, conv_norm_act


def published_names(blocks: int = 4) -> dict[str, str]:
    """gidariss/FeatureLearningRotNet's names of layers -> ours."""
    layers = {
        f"_feature_blocks.{i}.Block{i + 1}_ConvB{j + 1}.layers.{theirs}": f"blocks.{i}.{j}.{ours}"
        for i in range(blocks)
        for j in range(3)
        for ours, theirs in enumerate(("Conv", "BatchNorm"))
    }
    return layers | {f"_feature_blocks.{blocks}.Classifier": "classifier"}


PUBLISHED_NAMES = published_names()


class RotNet(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes) of how they were turned.

    Args:
        num_classes: of turns; 4 in the paper.
        blocks: at least 2. With 4, 1,411,140 parameters.
        widths: channels of the first block's three convolutions, and of all others.

    Reference: Gidaris et al., Unsupervised Representation Learning by Predicting Image Rotations,
    2018, arXiv:1803.07728 (CIFAR-10's network).
    """

    def __init__(
        self,
        num_classes: int = 4,
        *,
        blocks: int = 4,
        widths: tuple[int, int, int, int] = (192, 160, 96, 192),
    ) -> None:
        check_at_least("num_classes", num_classes, 2)
        check_at_least("blocks", blocks, 2)
        super().__init__()
        first, second, third, wide = widths
        self.blocks = nn.Sequential(_block(3, (first, second, third), 5, nn.MaxPool2d(3, 2, 1)))
        channels = third
        for i in range(1, blocks):
            pool = nn.AvgPool2d(3, 2, 1) if i == 1 else nn.Identity()
            self.blocks.append(_block(channels, (wide, wide, wide), 5 if i == 1 else 3, pool))
            channels = wide
        self.classifier = nn.Linear(channels, num_classes)

    def features(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """The maps after each block: to probe them, since the last one serves the turns most."""
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        check_channels("x", x, 3)
        return self.classifier(self.blocks(x).mean((2, 3)))


def _block(in_channels: int, widths: tuple[int, int, int], side: int, pool: nn.Module):
    first, second, third = widths
    return nn.Sequential(
        conv_norm_act(in_channels, first, side),
        conv_norm_act(first, second, 1),
        conv_norm_act(second, third, 1),
        pool,
    )
