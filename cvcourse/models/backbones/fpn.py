"""Feature pyramid: strong features at every resolution (Lin et al. 2016, arXiv:1612.03144).

    C5 ─ 1×1 ──────────────── inner5 ─ 3×3 ─ P5
                               │ ×2 nearest
    C4 ─ 1×1 ─────────── + ─ inner4 ─ 3×3 ─ P4
                               │ ×2 nearest
    C3 ─ 1×1 ─────────── + ─ inner3 ─ 3×3 ─ P3

Coarser levels come on top: Faster R-CNN takes every second pixel of P5, RetinaNet and FCOS
convolve. Names of parameters are torchvision's (`backbone.body.*`, `backbone.fpn.*`); names that
older checkpoints used are understood.
"""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import accept_old_names, conv_norm_act
from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.backbones.resnet import Bottleneck, ResNetFeatures


def last_level_max_pool(
    pyramid: list[Float[Tensor, "batch _ _ _"]], features: list[Float[Tensor, "batch _ _ _"]]
) -> dict[str, Float[Tensor, "batch _ _ _"]]:
    """One more level, `pool`: every second pixel of the coarsest one (Faster R-CNN)."""
    return {"pool": F.max_pool2d(pyramid[-1], 1, 2)}


class LastLevelP6P7(nn.Module):
    """Two more levels by strided 3×3 convolutions (RetinaNet, FCOS).

    P6 is made from P5 where `in_channels == out_channels` (torchvision), else from the trunk's last
    map C5 (the RetinaNet paper, detectron2: `LastLevelP6P7(2048, 256)`).
    """

    def __init__(self, in_channels: int = 256, out_channels: int = 256) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, padding=1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, padding=1)
        self.from_p5 = in_channels == out_channels
        _init_convolutions(self)

    def forward(
        self,
        pyramid: list[Float[Tensor, "batch _ _ _"]],
        features: list[Float[Tensor, "batch _ _ _"]],
    ) -> dict[str, Float[Tensor, "batch _ _ _"]]:
        p6 = self.p6(pyramid[-1] if self.from_p5 else features[-1])
        return {"p6": p6, "p7": self.p7(F.relu(p6))}


class FeaturePyramidNetwork(nn.Module):
    """Feature maps, finest first, to as many maps of `out_channels`, named "0", "1", ...

    Args:
        in_channels: channels of each map given.
        out_channels: channels of each map returned.
        extra_levels: called with (pyramid, given maps), returns named coarser maps, or None.
        norm: from a channel count to a layer after each convolution; the paper has none.

    **Conventions**: sizes need not be powers of two (nearest upsampling to the finer map's size).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        *,
        extra_levels: Callable | None = None,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(
            conv_norm_act(channels, out_channels, 1, norm=norm, act=None)
            for channels in in_channels
        )
        self.layer_blocks = nn.ModuleList(
            conv_norm_act(out_channels, out_channels, norm=norm, act=None) for _ in in_channels
        )
        _init_convolutions(self)
        self.extra_blocks = extra_levels
        names = [
            f"{b}.{i}" for b in ("inner_blocks", "layer_blocks") for i in range(len(in_channels))
        ]
        accept_old_names(self, {name: f"{name}.0" for name in names})

    def forward(
        self, features: list[Float[Tensor, "batch _ _ _"]]
    ) -> dict[str, Float[Tensor, "batch _ _ _"]]:
        pyramid, top_down = [], None
        for feature, inner, layer in zip(
            reversed(features),
            reversed(self.inner_blocks),
            reversed(self.layer_blocks),
            strict=True,
        ):
            lateral = inner(feature)  # (B, out_channels, h, w)
            if top_down is not None:
                lateral = lateral + F.interpolate(top_down, size=lateral.shape[-2:])
            top_down = lateral
            pyramid.insert(0, layer(top_down))
        named = {str(i): level for i, level in enumerate(pyramid)}
        if self.extra_blocks is not None:
            named.update(self.extra_blocks(pyramid, features))
        return named


class ResNetFPN(nn.Module):
    """A detector's backbone: ResNet trunk `body`, pyramid `fpn`. The default is torchvision's R50.

    Small, for pictures of about 100 pixels, with levels at strides 4, 8, 16:
    `ResNetFPN(block=BasicBlock, depths=(1, 1, 1), width=16, levels=(1, 2, 3), out_channels=32,
    norm=nn.BatchNorm2d, trainable_layers=4)`.

    Args:
        block, depths, width, norm: of the trunk, see `ResNetFeatures`.
        levels: stages that enter the pyramid, counted from 1 (stride 4).
        out_channels: channels of each level.
        extra_levels: coarser levels, `last_level_max_pool`, a `LastLevelP6P7`, or None.
        fpn_norm: normalisation inside the pyramid; none in the paper.
        trainable_layers: how many of (last stage, ..., first stage, stem) are trained; the others
            do not receive gradients. `len(depths) + 1` trains all: what a model without pre-trained
            weights needs, with a `norm` that is not frozen.
    """

    def __init__(
        self,
        *,
        block: type[nn.Module] = Bottleneck,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        levels: Sequence[int] = (1, 2, 3, 4),
        out_channels: int = 256,
        extra_levels: Callable | None = last_level_max_pool,
        norm: Callable[[int], nn.Module] = FrozenBatchNorm2d,
        fpn_norm: Callable[[int], nn.Module] | None = None,
        trainable_layers: int = 3,
    ) -> None:
        super().__init__()
        if not 0 <= trainable_layers <= len(depths) + 1:
            raise ValueError(
                f"trainable_layers: expected 0 to {len(depths) + 1} (stages and stem), "
                f"got {trainable_layers}"
            )
        if not levels or list(levels) != sorted({*levels} & {*range(1, len(depths) + 1)}):
            raise ValueError(
                f"levels: expected ascending stages from 1 to {len(depths)}, got {levels}"
            )
        self.body = ResNetFeatures(block=block, depths=depths[: levels[-1]], width=width, norm=norm)
        trained = len(depths) - trainable_layers  # stages up to this one, and the stem, are frozen
        for name, parameter in self.body.named_parameters():
            stage = int(name[len("layer")]) if name.startswith("layer") else 0
            parameter.requires_grad_(stage > trained)
        self.levels = [level - 1 for level in levels]
        self.fpn = FeaturePyramidNetwork(
            [self.body.out_channels[i] for i in self.levels],
            out_channels,
            extra_levels=extra_levels,
            norm=fpn_norm,
        )
        self.out_channels = out_channels

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> dict[str, Float[Tensor, "batch channels _ _"]]:
        maps = self.body(images)
        return self.fpn([maps[i] for i in self.levels])


def _init_convolutions(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
