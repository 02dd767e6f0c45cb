"""Path aggregation: a way back up on top of a feature pyramid (Liu et al. 2018, arXiv:1803.01534).

    P5 ──────────────────── + ─ 3×3 ─ N5
                            │ 3×3 /2
    P4 ──────── + ─ 3×3 ─ N4            P3 ... P5: of a `FeaturePyramidNetwork`
                │ 3×3 /2
    P3 ─────── N3

In a feature pyramid, what is seen at the finest map never reaches a coarser level, save through the
trunk itself. Here it does, over two convolutions a level, each followed by a ReLU.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import conv_norm_act
from cvcourse.models.backbones.fpn import FeaturePyramidNetwork


class PathAggregationNetwork(nn.Module):
    """Feature maps, finest first, to as many maps of `out_channels`, named "0", "1", ...

    Args:
        in_channels: channels of each map given.
        out_channels: channels of each map returned.
        norm: from a channel count to a layer after each convolution; the paper's first variant has
            none.

    **Conventions**: each map must be half the size of the one before, rounded up.

    Reference: Liu et al., Path Aggregation Network for Instance Segmentation, 2018,
    arXiv:1803.01534 (section 3.1; the paper's adaptive pooling and heads are not here).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        *,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.fpn = FeaturePyramidNetwork(in_channels, out_channels, norm=norm)
        steps = range(len(in_channels) - 1)
        self.down = nn.ModuleList(
            conv_norm_act(out_channels, out_channels, stride=2, norm=norm) for _ in steps
        )
        self.fuse = nn.ModuleList(
            conv_norm_act(out_channels, out_channels, norm=norm) for _ in steps
        )

    def forward(
        self, features: list[Float[Tensor, "batch _ _ _"]]
    ) -> dict[str, Float[Tensor, "batch channels _ _"]]:
        first, *coarser = self.fpn(features).values()
        levels = [first]
        for level, down, fuse in zip(coarser, self.down, self.fuse, strict=True):
            levels.append(fuse(level + down(levels[-1])))  # (B, out_channels, h / 2, w / 2)
        return {str(i): level for i, level in enumerate(levels)}
