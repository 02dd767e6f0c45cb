"""RetinaNet: one stage, every anchor classified at once (Lin et al. 2017, arXiv:1708.02002).

    images ─ ResNet ─ FPN P3 ... P7 ─┬─ 4 × conv 3×3 ─ classes of 9 anchors   the same two heads
                                     └─ 4 × conv 3×3 ─ boxes of 9 anchors     on every level

Of some hundred thousand anchors nearly all are background. Focal loss keeps the many easy ones from
drowning the few that matter, and the last bias starts each class at probability 0.01.
Names and numbers are torchvision's `retinanet_resnet50_fpn`; see `load_pretrained`.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.losses import sigmoid_focal_loss
from cvcourse.models._blocks import (
    accept_old_names,
    check_at_least,
    check_norm,
    conv_norm_act,
    init_convolutions,
    level_channels,
    levels_of,
)
from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.detection._anchors import check_anchors, pyramid_anchors
from cvcourse.models.detection._dense import (
    ClassificationHead,
    flatten_maps,
    select_detections,
)
from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImagePreparation,
    check_targets,
)
from cvcourse.ops import box_iou, decode_boxes, encode_boxes, match_anchors
from cvcourse.ops.match_anchors import BETWEEN

# three to an octave, truncated to integers as in torchvision: (32, 40, 50), (64, 80, 101), ...
RETINANET_SIZES = tuple(
    (size, int(size * 2 ** (1 / 3)), int(size * 2 ** (2 / 3))) for size in (32, 64, 128, 256, 512)
)


class RegressionHead(nn.Module):
    """Levels (B, C, H, W) to offsets (B, anchors, 4) as `encode_boxes` makes them."""

    def __init__(
        self,
        channels: int,
        num_anchors: int,
        *,
        layers: int,
        norm: Callable[[int], nn.Module] | None,
    ) -> None:
        super().__init__()
        self.conv = _tower(channels, layers, norm)
        self.bbox_reg = nn.Conv2d(channels, num_anchors * 4, 3, padding=1)
        init_convolutions(self)

    def forward(
        self, levels: list[Float[Tensor, "batch _ _ _"]]
    ) -> Float[Tensor, "batch anchors 4"]:
        return flatten_maps([self.bbox_reg(self.conv(m)) for m in levels], 4)


class RetinaNetHead(nn.Module):
    """Both heads, on all levels."""

    def __init__(
        self,
        channels: int,
        num_anchors: int,
        num_classes: int,
        *,
        layers: int = 4,
        norm: Callable[[int], nn.Module] | None = None,
        prior_probability: float = 0.01,
    ) -> None:
        super().__init__()
        tower = _tower(channels, layers, norm)
        self.classification_head = ClassificationHead(
            tower, channels, num_anchors, num_classes, prior_probability
        )
        self.regression_head = RegressionHead(channels, num_anchors, layers=layers, norm=norm)
        for head in (self.classification_head, self.regression_head):
            accept_old_names(head, {f"conv.{2 * i}": f"conv.{i}.0" for i in range(layers)})

    def forward(self, levels: list[Float[Tensor, "batch _ _ _"]]) -> dict[str, Tensor]:
        return {
            "cls_logits": self.classification_head(levels),
            "bbox_regression": self.regression_head(levels),
        }


class RetinaNet(nn.Module):
    """Images and targets to losses while training; images to detections in eval mode.

    Args:
        num_classes: classes that have a score, labels from 0 to `num_classes - 1`. torchvision's 91
            are COCO's with 0, the background, never used.
        backbone: from images (B, 3, H, W) to a dictionary of levels of `backbone.out_channels`.
            None: ResNet-50 with P3 to P7, frozen batch norms, three trainable layers.
        min_size, max_size, image_mean, image_std, size_divisible: see `ImagePreparation`.
        anchor_sizes: in pixels, one sequence a level. aspect_ratios: height / width, for all levels
            or one sequence a level.
        head_layers, head_norm, prior_probability: of the two heads.
        classification_loss: called with (logits, one-hot targets) of one picture, (anchors, K), and
            `reduction="sum"`; divided by the picture's anchors with an object.
        fg_iou_thresh, bg_iou_thresh: an anchor from the one on has an object, below the other none;
            between them it is left out. The best anchors of each object always have it.
        score_thresh, topk_candidates, nms_thresh, detections_per_img: what becomes a detection.

    **Conventions**: `forward(images, targets)` takes lists of images (3, H, W) in [0, 1] and of
    dictionaries: `boxes` (n, 4) as x1, y1, x2, y2 in pixels, int64 `labels` (n,); n may be 0.
    Losses `classification` and `bbox_regression` (L1) are means over the pictures. Detections are
    dictionaries with `boxes`, `scores`, `labels`, best first.
    Raises `ValueError` for images or targets that cannot be used, naming picture and box.

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv:1708.02002. As in
    torchvision P6 is made from P5; the paper's is `extra_levels=LastLevelP6P7(2048, 256)`.
    """

    def __init__(
        self,
        num_classes: int = 91,
        *,
        backbone: nn.Module | None = None,
        min_size: int | Sequence[int] | None = 800,
        max_size: int = 1333,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        size_divisible: int = 32,
        anchor_sizes: Sequence[Sequence[int | float]] = RETINANET_SIZES,
        aspect_ratios: Sequence = (0.5, 1.0, 2.0),
        head_layers: int = 4,
        head_norm: Callable[[int], nn.Module] | None = None,
        prior_probability: float = 0.01,
        classification_loss: Callable = sigmoid_focal_loss,
        fg_iou_thresh: float = 0.5,
        bg_iou_thresh: float = 0.4,
        score_thresh: float = 0.05,
        topk_candidates: int = 1000,
        nms_thresh: float = 0.5,
        detections_per_img: int = 300,
    ) -> None:
        super().__init__()
        if backbone is None:
            backbone = ResNetFPN(levels=(2, 3, 4), extra_levels=LastLevelP6P7())
        self.backbone = backbone
        check_at_least("num_classes", num_classes)
        channels = level_channels(backbone)
        check_norm("head_norm", head_norm, channels)
        self.anchor_sizes = anchor_sizes
        self.aspect_ratios, num_anchors = check_anchors(anchor_sizes, aspect_ratios)
        self.head = RetinaNetHead(
            channels,
            num_anchors,
            num_classes,
            layers=head_layers,
            norm=head_norm,
            prior_probability=prior_probability,
        )
        self.num_classes = num_classes
        self.prepare = ImagePreparation(
            min_size=min_size,
            max_size=max_size,
            mean=image_mean,
            std=image_std,
            size_divisible=size_divisible,
        )
        self.classification_loss = classification_loss
        self.match = partial(
            match_anchors,
            high_threshold=fg_iou_thresh,
            low_threshold=bg_iou_thresh,
            allow_low_quality=True,
        )
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
            check_targets(images, targets, labels=range(self.num_classes))
        batch, targets = self.prepare(
            images, targets if self.training else None, training=self.training
        )
        levels = list(levels_of(self.backbone, batch.tensors).values())
        outputs = self.head(levels)
        anchors, anchors_per_level = pyramid_anchors(
            levels, batch, self.anchor_sizes, self.aspect_ratios
        )
        logits, deltas = outputs["cls_logits"], outputs["bbox_regression"]
        if self.training:
            return self.losses(logits, deltas, anchors, targets)

        def decode(image: int, chosen: Tensor) -> Tensor:
            return decode_boxes(deltas[image, chosen], anchors[chosen])

        return self.select(logits.sigmoid(), decode, batch, anchors_per_level)

    def losses(
        self,
        logits: Float[Tensor, "batch anchors classes"],
        deltas: Float[Tensor, "batch anchors 4"],
        anchors: Float[Tensor, "anchors 4"],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        classification, regression = [], []
        for image_logits, image_deltas, target in zip(logits, deltas, targets, strict=True):
            matched = self.assign(anchors, target["boxes"])
            positive = (matched >= 0).nonzero().squeeze(1)
            objects = matched[positive]
            count = max(1, len(positive))

            one_hot = torch.zeros_like(image_logits)
            one_hot[positive, target["labels"][objects]] = 1
            decided = matched != BETWEEN
            loss = self.classification_loss(
                image_logits[decided], one_hot[decided], reduction="sum"
            )
            classification.append(loss / count)

            wanted = encode_boxes(target["boxes"][objects], anchors[positive])
            loss = F.l1_loss(image_deltas[positive], wanted, reduction="sum")
            regression.append(loss / count)
        return {
            "classification": torch.stack(classification).mean(),
            "bbox_regression": torch.stack(regression).mean(),
        }

    def assign(
        self, anchors: Float[Tensor, "anchors 4"], boxes: Float[Tensor, "boxes 4"]
    ) -> Int64[Tensor, "anchors"]:
        """The object of each anchor; -1: background, -2: undecided."""
        return self.match(box_iou(boxes, anchors))


def _tower(channels: int, layers: int, norm: Callable[[int], nn.Module] | None) -> nn.Sequential:
    return nn.Sequential(*[conv_norm_act(channels, channels, norm=norm) for _ in range(layers)])
