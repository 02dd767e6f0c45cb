"""FCN: a classifier turned into a network that labels every pixel (Long 2014, arXiv:1411.4038).

    image ─ VGG-16 ─ pool3 ─ pool4 ─ pool5 ─ fc6 (7×7) ─ fc7 (1×1) ─ score_fr     stride 32
                       │       │                                        │ ×2
                       │       └─ score_pool4 ─ crop ────────────────── + ─ …     stride 16
                       └─ score_pool3 ─ crop ──────────────────────── ×2 + ─ …    stride 8
    … ─ bilinear deconvolution back to the image's stride ─ crop to the image's size

The linear layers of the classifier become convolutions; scores of finer maps are added to enlarged
scores of coarser ones. Enlarging is a transposed convolution with fixed bilinear weights.

Sizes are those of the authors' Caffe nets: the first convolution pads by 100, pooling rounds up,
and crops put every score back over the pixels that it was computed from. For a 500×500 image the
scores of strides 32, 16, 8 are 16, 34 and 70 wide, and the crops begin at 5 (pool4), 9 (pool3), and
19, 27 or 31 (output of FCN-32s, 16s, 8s).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.backbones.vgg import VGG, VGG16_STAGES, vgg_features


def bilinear_kernel(factor: int) -> Float[Tensor, "size size"]:
    """The weights with which a transposed convolution of stride `factor` interpolates bilinearly.

    `w(i, j) = (1 - |i - c| / factor) (1 - |j - c| / factor)`, of size `2 * factor` around its
    centre `c`. Away from the border, `F.interpolate(mode="bilinear", align_corners=False)`.
    """
    centre = factor - 0.5
    tent = 1 - (torch.arange(2.0 * factor) - centre).abs() / factor
    return torch.outer(tent, tent)


def bilinear_deconvolution(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Enlarges each channel by itself; size n becomes `factor * (n + 1)`. Frozen."""
    layer = nn.ConvTranspose2d(
        channels, channels, 2 * factor, stride=factor, groups=channels, bias=False
    )
    layer.weight = nn.Parameter(
        bilinear_kernel(factor).repeat(channels, 1, 1, 1).to(layer.weight.device),
        requires_grad=False,
    )
    return layer


class FCN(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    Trainable parameters at 21 classes, VGG-16: 134,346,581 (stride 32), 134,357,354 (16),
    134,362,751 (8), the authors' numbers. Caffe also stores each frozen deconvolution as a dense
    (classes × classes) tensor that is zero off its diagonal; here only the diagonal exists.

    Args:
        num_classes: classes, background included.
        stride: of the finest scores used: 32, 16 or 8.
        stages: widths of VGG's convolutions, five stages.
        hidden: channels of fc6 and fc7.
        fc_kernel: side of fc6's kernel, 4 or more; 7 is VGG's last map.
        padding: of the first convolution, at least `16 * fc_kernel - 31`, so that scores cover the
            whole image. The paper's 100 makes small pictures mostly border: for pictures of about
            100 pixels use `fc_kernel=4, padding=49`, which puts the scores of stride 32 in the
            middle of 32×32 cells. With the least padding they fade to 0 at the border.
        pool_scales: pool4 and pool3 are multiplied by them before they are scored; the authors'
            "at once" training of FCN-8s has (0.01, 0.0001), stage-wise training has 1.
        batch_norm: normalise after VGG's convolutions, for training from scratch; not in the paper.
        dropout: probability of dropping a channel's pixel after fc6 and fc7 while training.

    As in the paper, score layers begin at zero. `initialise_from_vgg` brings VGG's weights.

    Reference: Long, Shelhamer & Darrell, Fully Convolutional Networks for Semantic Segmentation,
    2014, arXiv:1411.4038.
    """

    def __init__(
        self,
        num_classes: int = 21,
        *,
        stride: int = 8,
        stages: Sequence[Sequence[int]] = VGG16_STAGES,
        hidden: int = 4096,
        fc_kernel: int = 7,
        padding: int = 100,
        pool_scales: tuple[float, float] = (1.0, 1.0),
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        if stride not in (32, 16, 8):
            raise ValueError(f"stride: expected 32, 16 or 8, got {stride}")
        if len(stages) != 5:
            raise ValueError(f"stages: expected five, got {len(stages)}")
        if fc_kernel < 4:
            raise ValueError(f"fc_kernel: expected 4 or more, got {fc_kernel}")
        if padding < 16 * fc_kernel - 31:
            raise ValueError(
                f"padding: expected at least {16 * fc_kernel - 31} for fc_kernel={fc_kernel}, "
                f"got {padding}"
            )
        self.stride, self.fc_kernel, self.pool_scales = stride, fc_kernel, pool_scales
        self.min_size = max(1, 32 * fc_kernel - 2 * padding - 29)  # fc6 fits once on the last map
        # where the image begins in the enlarged scores: the padding less what fc6 and pooling ate
        self.offset = padding - 16 * fc_kernel + 47 - stride // 2
        self.features = vgg_features(stages, batch_norm=batch_norm)
        self.features[0].padding = (padding, padding)
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True
        self.fc6 = nn.Conv2d(stages[4][-1], hidden, fc_kernel)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.relu, self.dropout = nn.ReLU(inplace=True), nn.Dropout(dropout)
        for module in (self.features, self.fc6, self.fc7):
            _init_convolutions(module)
        self.score_fr = _score_layer(hidden, num_classes)
        if stride <= 16:
            self.score_pool4 = _score_layer(stages[3][-1], num_classes)
            self.upscore2 = bilinear_deconvolution(num_classes, 2)
        if stride == 8:
            self.score_pool3 = _score_layer(stages[2][-1], num_classes)
            self.upscore_pool4 = bilinear_deconvolution(num_classes, 2)
        self.upscore = bilinear_deconvolution(num_classes, stride)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        if min(images.shape[-2:]) < self.min_size:
            raise ValueError(
                f"images: expected at least {self.min_size} pixels each way, "
                f"got {tuple(images.shape[-2:])}"
            )
        x, pools = images, []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pools.append(x)  # five of them, each half as large as the one before, rounded up
        x = self.dropout(self.relu(self.fc6(x)))  # (B, hidden, h5 - fc_kernel + 1, …)
        x = self.dropout(self.relu(self.fc7(x)))
        score = self.score_fr(x)  # (B, classes, h, w), stride 32
        if self.stride <= 16:
            score = self.upscore2(score)  # (B, classes, 2h + 2, 2w + 2), stride 16
            fine = self.score_pool4(pools[3] * self.pool_scales[0])
            score = score + _crop(fine, self.fc_kernel - 2, score.shape[-2:])
        if self.stride == 8:
            score = self.upscore_pool4(score)  # (B, classes, 4h + 6, 4w + 6), stride 8
            fine = self.score_pool3(pools[2] * self.pool_scales[1])
            score = score + _crop(fine, 2 * self.fc_kernel - 5, score.shape[-2:])
        return _crop(self.upscore(score), self.offset, images.shape[-2:])

    @torch.no_grad()
    def initialise_from_vgg(self, vgg: VGG) -> None:
        """Copy a classifier's convolutions, and its two hidden linear layers as convolutions.

        `vgg` must have the same `stages`, `batch_norm` and `hidden`, and this model `fc_kernel=7`.
        """
        if self.fc_kernel != 7:
            raise ValueError(f"fc_kernel: VGG's first linear layer is 7×7, got {self.fc_kernel}")
        self.features.load_state_dict(vgg.features.state_dict())
        for convolution, linear in ((self.fc6, vgg.classifier[0]), (self.fc7, vgg.classifier[3])):
            convolution.weight.copy_(linear.weight.view_as(convolution.weight))
            convolution.bias.copy_(linear.bias)


def _crop(x: Tensor, offset: int, size: torch.Size) -> Tensor:
    return x[..., offset : offset + size[0], offset : offset + size[1]]


def _score_layer(channels: int, num_classes: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, num_classes, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _init_convolutions(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
