"""DeconvNet: a VGG-16 down to one vector, and its mirror image back (Noh et al. 2015).

    image 224² ─ conv stages and poolings of VGG-16 ─ 7² ─ fc6 (7×7) ─ fc7 (1×1) ─ 1²
                       ┊ where each maximum stood            │
    logits 224² ─ 1×1 ─ deconv stages after unpoolings ─ 7² ─ fc6-deconv (7×7)

Unpooling places what was seen; transposed convolutions fill in the shape around it. Batch norm and
ReLU follow every layer, without which the authors could not train one so deep; biases are kept
beside them, as in Caffe. Reference: arXiv:1505.04366.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.backbones.vgg import VGG16_STAGES
from cvcourse.models.segmentation.segnet import conv_stage, decode, encode, unpool_by_indices


def norm_relu(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """A (transposed) convolution with batch norm and ReLU."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(inplace=True))


def deconv_stage(in_channels: int, widths: Sequence[int]) -> nn.Sequential:
    """3×3 transposed convolutions of stride 1 to each of `widths` in turn."""
    channels = [in_channels, *widths]
    return nn.Sequential(
        *(
            norm_relu(nn.ConvTranspose2d(channels[i], width, 3, padding=1))
            for i, width in enumerate(widths)
        )
    )


class DeconvNet(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    251,805,653 parameters for 21 classes. The paper's input is a box around one object, 224×224;
    the last encoder map, 7×7 then, must be at least `fc_kernel` wide.

    Args:
        num_classes: classes told apart, background included.
        stages: widths of the encoder's convolutions; the decoder mirrors them.
        hidden: channels of fc6 and fc7.
        fc_kernel: side of fc6 and of fc6-deconv.
        unpool: as for `SegNet`.

    Reference: Noh, Hong & Han, Learning Deconvolution Network for Semantic Segmentation, 2015,
    arXiv:1505.04366; layers as in the authors' prototxt.
    """

    def __init__(
        self,
        num_classes: int = 21,
        *,
        stages: Sequence[Sequence[int]] = VGG16_STAGES,
        hidden: int = 4096,
        fc_kernel: int = 7,
        unpool: Callable[[Tensor, Tensor, Sequence[int]], Tensor] = unpool_by_indices,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        self.fc_kernel, self.unpool = fc_kernel, unpool
        inputs = [3, *(widths[-1] for widths in stages)]
        self.encoder = nn.ModuleList(
            conv_stage(channels, widths) for channels, widths in zip(inputs, stages, strict=False)
        )
        self.middle = nn.Sequential(
            norm_relu(nn.Conv2d(inputs[-1], hidden, fc_kernel)),
            norm_relu(nn.Conv2d(hidden, hidden, 1)),
            norm_relu(nn.ConvTranspose2d(hidden, inputs[-1], fc_kernel)),
        )
        inputs[0] = stages[0][0]  # the first stage comes back to its own width, not to RGB
        self.decoder = nn.ModuleList(
            deconv_stage(widths[-1], [*reversed(widths[:-1]), channels])
            for channels, widths in reversed(list(zip(inputs, stages, strict=False)))
        )
        self.score = nn.Conv2d(inputs[0], num_classes, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        x, poolings = encode(images, self.encoder)  # (B, 512, H/32, W/32)
        if min(x.shape[-2:]) < self.fc_kernel:
            raise ValueError(
                f"images: expected a last map of at least {self.fc_kernel}×{self.fc_kernel} "
                f"(fc_kernel), got {x.shape[-2]}×{x.shape[-1]} from {tuple(images.shape[-2:])}"
            )
        x = self.middle(x)  # to (B, hidden, h - fc_kernel + 1, …) and back
        return self.score(decode(x, self.decoder, poolings, self.unpool))
