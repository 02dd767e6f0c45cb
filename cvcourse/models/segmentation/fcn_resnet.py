"""FCN on a dilated ResNet, torchvision's modern form of the idea (Long 2014, arXiv:1411.4038).

    image ─ ResNet-50, layer3 and layer4 dilated ─┬─ head ─ bilinear ×8 ─ "out"
                                     layer3 ──────┴─ head ─ bilinear ×8 ─ "aux", while training

Dilation instead of stride in the last two stages keeps the maps at stride 8, so one bilinear
enlargement replaces the skips of FCN-8s. A head is a 3×3 convolution to a quarter of the channels
and a 1×1 convolution to the classes; the auxiliary one gives layer3 a shorter way to the loss.
Names and numbers are torchvision's: its `state_dict` loads with `strict=True`.
"""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, conv_norm_act
from cvcourse.models.backbones.resnet import Bottleneck, ResNetFeatures


def fcn_head(
    in_channels: int,
    num_classes: int,
    *,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    dropout: float = 0.1,
) -> nn.Sequential:
    """3×3 convolution to a quarter of the channels, norm, ReLU, dropout, 1×1 to the classes."""
    return nn.Sequential(
        *conv_norm_act(in_channels, in_channels // 4, norm=norm),
        nn.Dropout(dropout),
        nn.Conv2d(in_channels // 4, num_classes, 1),
    )


class FCNResNet(nn.Module):
    """Images (batch, 3, height, width) to a dictionary of logits at the images' size.

    Keys: `out`, and `aux` where the auxiliary head exists (torchvision's pre-trained weights have
    it). torchvision trains with `cross_entropy(out) + 0.5 * cross_entropy(aux)`.

    Args:
        num_classes: classes, background included.
        block, depths, width, norm: of the trunk, see `ResNetFeatures`.
        dilate: for the second and later stages, whether to dilate instead of stride.
        aux_loss: build the auxiliary head on the last map but one.
        dropout: probability of dropping a value before the last 1×1 convolution while training.

    Small, for pictures of about 100 pixels, at stride 4: `FCNResNet(6, block=BasicBlock,
    depths=(1, 1, 1), width=16, dilate=(True, True))`.

    Reference: Long et al., Fully Convolutional Networks, 2014, arXiv:1411.4038; dilated trunk as in
    Chen et al., DeepLabv3, 2017, arXiv:1706.05587.
    """

    def __init__(
        self,
        num_classes: int = 21,
        *,
        block: type[nn.Module] = Bottleneck,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        dilate: Sequence[bool] = (False, True, True),
        aux_loss: bool = True,
        dropout: float = 0.1,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        if len(depths) < 2:
            raise ValueError(f"depths: expected two stages or more, got {depths}")
        self.backbone = ResNetFeatures(
            block=block, depths=depths, width=width, norm=norm, dilate=dilate
        )
        *_, middle, last = self.backbone.out_channels
        self.classifier = fcn_head(last, num_classes, norm=norm, dropout=dropout)
        self.aux_classifier = (
            fcn_head(middle, num_classes, norm=norm, dropout=dropout) if aux_loss else None
        )

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> dict[str, Float[Tensor, "batch classes height width"]]:
        *_, middle, last = self.backbone(images)  # (B, C, H/8, W/8) each
        logits = {"out": self.classifier(last)}
        if self.aux_classifier is not None:
            logits["aux"] = self.aux_classifier(middle)
        return {
            name: F.interpolate(x, size=images.shape[-2:], mode="bilinear", align_corners=False)
            for name, x in logits.items()
        }


def fcn_resnet50(num_classes: int = 21, *, aux_loss: bool = True) -> FCNResNet:
    """35,322,218 parameters for 21 classes, 32,957,013 without the auxiliary head."""
    return FCNResNet(num_classes, aux_loss=aux_loss)
