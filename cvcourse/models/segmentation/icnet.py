"""ICNet: look coarsely at everything, finely at little (Zhao et al. 2017, arXiv:1704.08545).

    image 1/2 ─ stem, conv2, conv3_1 ─┬─ 1/2 ─ conv3 ─ conv4 (dilated 2) ─ conv5 (dilated 4) ─
                                      │        pyramid pooling ─ 1×1 ───────────────┐ stride 32
                                      └─ 1×1 ────────────────── cascade fusion ─────┘ stride 16
    image 1/1 ─ three strided 3×3 ─ 1×1 ─────────────────────── cascade fusion ───────┘ stride 8
    ─ ×2 ─ 1×1 to the classes at stride 4 ─ ×4

The heavy network sees a quarter of the resolution; the full picture passes three cheap
convolutions. Both meet in two cascade feature fusions. Label guidance, while training: the coarser
branches are classified as well, so that each learns to be useful by itself.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, conv_norm_act
from cvcourse.models.segmentation._loss import pixel_cross_entropy
from cvcourse.ops._checks import check_tensor


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 four times as wide; as in the authors' net the first 1×1 strides."""

    def __init__(self, in_channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.reduce = conv_norm_act(in_channels, width, 1, stride=stride)
        self.conv = conv_norm_act(width, width, dilation=dilation)
        self.increase = conv_norm_act(width, 4 * width, 1, act=None)
        self.project = (
            nn.Identity()
            if in_channels == 4 * width and stride == 1
            else conv_norm_act(in_channels, 4 * width, 1, stride=stride, act=None)
        )

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        return F.relu(self.project(x) + self.increase(self.conv(self.reduce(x))))


def _stage(in_channels: int, width: int, depth: int, dilation: int = 1) -> nn.Sequential:
    channels = [in_channels] + [4 * width] * (depth - 1)
    return nn.Sequential(*(Bottleneck(c, width, dilation=dilation) for c in channels))


def resize(
    x: Float[Tensor, "batch channels _ _"], size: Sequence[int]
) -> Float[Tensor, "batch channels height width"]:
    """Bilinear, corner pixels on corner pixels: Caffe's Interp layer."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def half(x: Float[Tensor, "batch channels _ _"]) -> Float[Tensor, "batch channels height width"]:
    """Every second pixel, rounded up: Interp with shrink factor 2."""
    return resize(x, [(size + 1) // 2 for size in x.shape[-2:]])


class PyramidPooling(nn.Module):
    """Adds to each pixel the means of the regions it lies in, on grids of 1, 2, 3, 6 cells a side.

    A sum where PSPNet concatenates. The regions are those of adaptive pooling; in the released
    net, at its one image size, those of 3 and 6 overlap a little more.
    """

    def __init__(self, grids: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.grids = tuple(grids)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        means = [resize(F.adaptive_avg_pool2d(x, grid), x.shape[-2:]) for grid in self.grids]
        return x + sum(means)


class CascadeFeatureFusion(nn.Module):
    """A coarse map, enlarged and passed through a dilated 3×3, plus a fine map through a 1×1.

    Returns the fused map and the enlarged coarse one, which label guidance classifies.
    """

    def __init__(self, coarse_channels: int, fine_channels: int, channels: int) -> None:
        super().__init__()
        self.coarse = conv_norm_act(coarse_channels, channels, dilation=2, act=None)
        self.fine = conv_norm_act(fine_channels, channels, 1, act=None)

    def forward(
        self, coarse: Float[Tensor, "batch c1 h1 w1"], fine: Float[Tensor, "batch c2 height width"]
    ) -> tuple[
        Float[Tensor, "batch channels height width"], Float[Tensor, "batch c1 height width"]
    ]:
        enlarged = resize(coarse, fine.shape[-2:])
        return F.relu(self.coarse(enlarged) + self.fine(fine)), enlarged


class ICNet(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    6,699,987 parameters by default: the released Cityscapes net, whose channels are half of a
    ResNet-50's (the paper prunes to this). The heads of `LabelGuidance` are not part of it.

    Args:
        num_classes: classes told apart.
        width: of the narrowest layers; all others are multiples of it.
        depths: blocks of the four residual stages, the second of which starts at half resolution
            and goes on at a quarter.

    Small, for pictures of about 100 pixels: `ICNet(6, width=8, depths=(1, 2, 1, 1))`.

    Reference: Zhao et al., ICNet for Real-Time Semantic Segmentation on High-Resolution Images,
    2017, arXiv:1704.08545; sizes as in the authors' prototxt.
    """

    def __init__(
        self, num_classes: int = 19, *, width: int = 32, depths: Sequence[int] = (3, 4, 6, 3)
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        if len(depths) != 4 or depths[1] < 2:
            raise ValueError(
                f"depths: expected four stages, two blocks in the second, got {depths}"
            )
        w = width
        self.stem = nn.Sequential(  # of the half and the quarter resolution branch
            conv_norm_act(3, w, stride=2),
            conv_norm_act(w, w),
            conv_norm_act(w, 2 * w),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.conv2 = _stage(2 * w, w, depths[0])
        self.conv3_1 = Bottleneck(4 * w, 2 * w, stride=2)
        self.conv3 = _stage(8 * w, 2 * w, depths[1] - 1)
        self.conv4 = _stage(8 * w, 4 * w, depths[2], dilation=2)
        self.conv5 = _stage(16 * w, 8 * w, depths[3], dilation=4)
        self.pyramid_pooling = PyramidPooling()
        self.conv5_4 = conv_norm_act(32 * w, 8 * w, 1)
        self.conv_sub1 = nn.Sequential(  # of the full resolution branch
            conv_norm_act(3, w, stride=2),
            conv_norm_act(w, w, stride=2),
            conv_norm_act(w, 2 * w, stride=2),
        )
        self.fusion_sub2 = CascadeFeatureFusion(8 * w, 8 * w, 4 * w)
        self.fusion_sub1 = CascadeFeatureFusion(4 * w, 2 * w, 4 * w)
        self.classifier = nn.Conv2d(4 * w, num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def cascade(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch c16 h16 w16"], Float[Tensor, "batch c8 h8 w8"], Tensor]:
        """What label guidance classifies: features at strides 16, 8 and 4."""
        check_tensor("images", images)
        sub2 = self.conv3_1(self.conv2(self.stem(half(images))))  # (B, 8w, H/16, W/16)
        sub4 = self.conv5(self.conv4(self.conv3(half(sub2))))  # (B, 32w, H/32, W/32)
        sub4 = self.conv5_4(self.pyramid_pooling(sub4))  # (B, 8w, H/32, W/32)
        sub1 = self.conv_sub1[:2](images)  # (B, w, H/4, W/4)
        quarter = sub1.shape[-2:]
        fused, stride16 = self.fusion_sub2(sub4, sub2)  # (B, 4w, H/16, W/16), (B, 8w, …)
        fused, stride8 = self.fusion_sub1(fused, self.conv_sub1[2](sub1))  # (B, 4w, H/8, W/8) both
        return stride16, stride8, resize(fused, quarter)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        *_, stride4 = self.cascade(images)
        return resize(self.classifier(stride4), images.shape[-2:])


class LabelGuidance(nn.Module):
    """An ICNet with a 1×1 classifier on each coarser branch; only for training.

    Images to three logits, at strides 16, 8 and 4. `label_guidance_loss` compares them.
    """

    def __init__(self, net: ICNet) -> None:
        super().__init__()
        self.net = net
        num_classes = net.classifier.out_channels
        self.stride16 = nn.Conv2d(net.conv5_4[0].out_channels, num_classes, 1)
        self.stride8 = nn.Conv2d(net.classifier.in_channels, num_classes, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch classes _ _"], ...]:
        stride16, stride8, stride4 = self.net.cascade(images)
        return self.stride16(stride16), self.stride8(stride8), self.net.classifier(stride4)


def label_guidance_loss(
    logits: Sequence[Float[Tensor, "batch classes _ _"]],
    target: Integer[Tensor, "batch height width"],
    *,
    weights: Sequence[float] = (0.16, 0.4, 1.0),
    ignore_index: int = -100,
) -> Float[Tensor, ""]:
    """`Σ weight · cross_entropy` over the branches, the target shrunk to each by nearest neighbour.

    **Conventions**: each branch is a mean over its own valid pixels; one without any adds 0. The
    weights are those of the TensorFlow port; the authors released no training net.
    """
    if len(logits) != len(weights):
        raise ValueError(f"weights: expected one for each of {len(logits)} logits, got {weights}")
    check_tensor("target", target)
    total = logits[0].new_zeros(())
    for branch, weight in zip(logits, weights, strict=True):
        small = F.interpolate(target[:, None].float(), size=branch.shape[-2:])[:, 0].long()
        total = total + weight * pixel_cross_entropy(branch, small, ignore_index)
    return total
