"""EfficientDet: one number scales a whole detector (Tan et al. 2019, arXiv:1911.09070).

    images ─ EfficientNet-B_phi ─ P3 P4 P5 ─ P6 P7 ─ BiFPN × (3 + phi) ─┬─ class net
                                                                        └─ box net
Both nets are 3×3 depthwise-separable convolutions, the same on all levels, but each level has batch
norms of its own. D0 has 3,880,067 parameters at 90 classes: trunk 3,595,388, BiFPN 196,281, class
net 69,354, box net 19,044. The authors' TensorFlow code pads asymmetrically and uses soft NMS.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.losses import sigmoid_focal_loss
from cvcourse.models._blocks import check_at_least, levels_of
from cvcourse.models.backbones.efficientnet import VARIANTS, EfficientNetFeatures
from cvcourse.models.detection._dense import flatten_maps, select_detections
from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImagePreparation,
    check_targets,
)
from cvcourse.models.detection.bifpn import BiFPN, DetectorNorm, separable_conv
from cvcourse.ops import anchor_grid, box_iou, decode_boxes, encode_boxes, match_anchors


class Scaling(NamedTuple):
    """What the compound coefficient decides."""

    image_size: int
    efficientnet: int
    channels: int
    bifpn_layers: int
    head_layers: int


# as released; the formulas of `compound_scaling` give nearly all of it
SCALINGS = (
    Scaling(512, 0, 64, 3, 3),
    Scaling(640, 1, 88, 4, 3),
    Scaling(768, 2, 112, 5, 3),
    Scaling(896, 3, 160, 6, 4),
    Scaling(1024, 4, 224, 7, 4),
    Scaling(1280, 5, 288, 7, 4),
    Scaling(1280, 6, 384, 8, 5),
    Scaling(1536, 6, 384, 8, 5),
)


def compound_scaling(phi: int | float) -> tuple[float, float, int, int]:
    """The paper's formulas: image size, channels before rounding, BiFPN layers, head layers.

    `512 + 128 phi`, `64 * 1.35 ** phi`, `3 + phi`, `3 + floor(phi / 3)`.
    """
    return 512.0 + 128 * phi, 64 * 1.35**phi, int(3 + phi), 3 + math.floor(phi / 3)


class PredictionNet(nn.Module):
    """Levels (B, channels, H, W) to maps (B, outputs, H, W): shared weights, norms by level."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        layers: int,
        levels: int,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(separable_conv(channels, channels) for _ in range(layers))
        self.norms = nn.ModuleList(
            nn.ModuleList(norm(channels) for _ in range(layers)) for _ in range(levels)
        )
        self.predict = separable_conv(channels, outputs)

    def forward(
        self, levels: list[Float[Tensor, "batch channels _ _"]]
    ) -> list[Float[Tensor, "batch outputs _ _"]]:
        maps = []
        for x, norms in zip(levels, self.norms, strict=True):
            for conv, norm in zip(self.convs, norms, strict=True):
                x = F.silu(norm(conv(x)))
            maps.append(self.predict(x))
        return maps


class EfficientDet(nn.Module):
    """Images and targets to losses while training; images to detections in eval mode. Default: D0.

    Args:
        num_classes: classes to find, labels from 1 to `num_classes`; no background.
        backbone: from images (B, 3, H, W) to a list of maps, each half the size of the one before,
            with their channels in `backbone.out_channels`. None: EfficientNet-B0.
        backbone_levels: how many of its last maps are used.
        channels, bifpn_layers, head_layers: width and depths of what follows.
        levels: of the pyramid; the coarser ones are pooled.
        neck: instead of the BiFPN, from the list of maps to a dictionary of `levels` maps of
            `channels`: a `FeaturePyramidNetwork`, say.
        norm: from a channel count to a layer. Statistics of the default follow slowly: for a short
            training take `nn.BatchNorm2d`.
        min_size, max_size, image_mean, image_std, size_divisible: see `ImagePreparation`. As they
            are, the longer side becomes 512.
        anchor_scale: size of the smallest anchors of a level, in strides; there are three to an
            octave. aspect_ratios: height / width.
        match_thresh: IoU from which on an anchor has an object; the best one of each always has it.
        score_thresh, topk_candidates, nms_thresh, detections_per_img: what becomes a detection.

    **Conventions**: `forward(images, targets)` takes lists of images (3, H, W) in [0, 1] and of
    dictionaries: `boxes` (n, 4) as x1, y1, x2, y2 in pixels, int64 `labels` (n,); n may be 0.
    Losses, over the anchors of the batch with an object plus one: `classification`, focal with
    gamma 1.5, and `bbox_regression`, 50 times the mean over four offsets of Huber's with delta 0.1.
    Detections are dictionaries with `boxes`, `scores`, `labels`, best first.
    Raises `ValueError` for images or targets that cannot be used, naming picture and box.

    Reference: Tan et al., EfficientDet, 2019, arXiv:1911.09070.
    """

    def __init__(
        self,
        num_classes: int = 90,
        *,
        backbone: nn.Module | None = None,
        backbone_levels: int = 3,
        channels: int = 64,
        bifpn_layers: int = 3,
        head_layers: int = 3,
        levels: int = 5,
        neck: nn.Module | None = None,
        norm: Callable[[int], nn.Module] = DetectorNorm,
        min_size: int | Sequence[int] | None = 512,
        max_size: int = 512,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        size_divisible: int = 128,
        anchor_scale: int | float = 4.0,
        aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        match_thresh: float = 0.5,
        score_thresh: int | float = 0.05,
        topk_candidates: int = 1000,
        nms_thresh: float = 0.5,
        detections_per_img: int = 100,
    ) -> None:
        super().__init__()
        check_at_least("num_classes", num_classes)
        self.backbone = EfficientNetFeatures(norm=norm) if backbone is None else backbone
        widths = getattr(self.backbone, "out_channels", None)
        if not isinstance(widths, Sequence) or len(widths) < backbone_levels:
            raise ValueError(
                f"backbone: expected a network from images to {backbone_levels} maps or more, with "
                f"their `out_channels`, got {type(backbone).__name__} of {widths}"
            )
        self.backbone_levels = backbone_levels
        if neck is None:
            neck = BiFPN(
                widths[-backbone_levels:],
                channels,
                layers=bifpn_layers,
                levels=levels,
                norm=norm,
            )
        self.neck = neck
        num_anchors = 3 * len(aspect_ratios)
        net = partial(PredictionNet, channels, layers=head_layers, levels=levels, norm=norm)
        self.class_net = net(num_anchors * num_classes)
        self.box_net = net(num_anchors * 4)
        nn.init.constant_(self.class_net.predict[1].bias, -math.log(99))  # a probability of 0.01
        self.num_classes = num_classes
        self.anchor_scales = [anchor_scale * 2 ** (i / 3) for i in range(3)]
        self.aspect_ratios = aspect_ratios
        self.prepare = ImagePreparation(
            min_size=min_size,
            max_size=max_size,
            mean=image_mean,
            std=image_std,
            size_divisible=size_divisible,
        )
        self.match_thresh = match_thresh
        self.select = partial(
            select_detections,
            score_thresh=score_thresh,
            topk_candidates=topk_candidates,
            nms_thresh=nms_thresh,
            detections_per_img=detections_per_img,
        )

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        if self.training:
            check_targets(images, targets, labels=range(1, self.num_classes + 1))
        batch, targets = self.prepare(
            images, targets if self.training else None, training=self.training
        )
        maps = levels_of(self.backbone, batch.tensors, Sequence)[-self.backbone_levels :]
        levels = list(self.neck(maps).values())
        logits = flatten_maps(self.class_net(levels), self.num_classes)  # (B, anchors, K)
        deltas = flatten_maps(self.box_net(levels), 4)  # (B, anchors, 4)
        anchors, anchors_per_level = self.anchors(levels, batch.padded_size)
        if self.training:
            return self.losses(logits, deltas, anchors, targets)

        def decode(image: int, chosen: Tensor) -> Tensor:
            return decode_boxes(deltas[image, chosen], anchors[chosen])

        detections = self.select(logits.sigmoid(), decode, batch, anchors_per_level)
        return [{**found, "labels": found["labels"] + 1} for found in detections]

    def anchors(
        self, levels: list[Float[Tensor, "batch channels _ _"]], padded_size: tuple[int, int]
    ) -> tuple[Float[Tensor, "anchors 4"], list[int]]:
        """Anchors of all levels, centred in their cells, and how many each level has."""
        grids = [tuple(level.shape[-2:]) for level in levels]
        strides = [(padded_size[0] // h, padded_size[1] // w) for h, w in grids]
        sizes = [[scale * stride for scale in self.anchor_scales] for stride, _ in strides]
        anchors = anchor_grid(grids, strides, sizes, self.aspect_ratios, device=levels[0].device)
        count = len(self.anchor_scales) * len(self.aspect_ratios)
        return anchors, [height * width * count for height, width in grids]

    def losses(
        self,
        logits: Float[Tensor, "batch anchors classes"],
        deltas: Float[Tensor, "batch anchors 4"],
        anchors: Float[Tensor, "anchors 4"],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        matched = torch.stack([self.assign(anchors, target["boxes"]) for target in targets])
        image, anchor = (matched >= 0).nonzero(as_tuple=True)
        objects = [m[m >= 0] for m in matched]
        labels = torch.cat([t["labels"][o] for t, o in zip(targets, objects, strict=True)])
        boxes = torch.cat([t["boxes"][o] for t, o in zip(targets, objects, strict=True)])
        count = len(anchor) + 1

        one_hot = torch.zeros_like(logits)
        one_hot[image, anchor, labels - 1] = 1
        classification = sigmoid_focal_loss(logits, one_hot, gamma=1.5, reduction="sum")
        wanted = encode_boxes(boxes, anchors[anchor])
        box = F.huber_loss(deltas[image, anchor], wanted, delta=0.1, reduction="sum") / 4
        return {
            "classification": classification / count,
            "bbox_regression": 50 * box / count,
        }

    def assign(
        self, anchors: Float[Tensor, "anchors 4"], boxes: Float[Tensor, "boxes 4"]
    ) -> Int64[Tensor, "anchors"]:
        """The object of each anchor, -1: background."""
        return match_anchors(
            box_iou(boxes, anchors), self.match_thresh, self.match_thresh, allow_low_quality=True
        )


def efficientdet_d(phi: int, num_classes: int = 90) -> EfficientDet:
    """EfficientDet-D0 to D7, sizes of `SCALINGS`.

    All use weighted fusion; the released D6 and D7 sum without weights, for stability.
    """
    if not 0 <= phi < len(SCALINGS):
        raise ValueError(f"phi: expected 0 to {len(SCALINGS) - 1}, got {phi}")
    scaling = SCALINGS[phi]
    width, depth, _, _ = VARIANTS[scaling.efficientnet]
    return EfficientDet(
        num_classes,
        backbone=EfficientNetFeatures(width=width, depth=depth, norm=DetectorNorm),
        channels=scaling.channels,
        bifpn_layers=scaling.bifpn_layers,
        head_layers=scaling.head_layers,
        min_size=scaling.image_size,
        max_size=scaling.image_size,
        anchor_scale=5.0 if phi == 7 else 4.0,
    )
