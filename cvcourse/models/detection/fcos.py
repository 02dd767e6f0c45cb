"""FCOS: every place on a map says how far the four sides are (Tian et al. 2019, arXiv:1904.01355).

    images ─ ResNet ─ FPN P3 ... P7 ─┬─ 4 × conv 3×3, group norm ─ classes
                                     └─ 4 × conv 3×3, group norm ─┬─ left, top, right, bottom
                                                                  └─ centre-ness

No anchors to choose. Which level learns an object follows from its size, which places from its
middle; centre-ness learns how central a place is and lowers the score of boxes seen from the edge.
Names and numbers are torchvision's `fcos_resnet50_fpn`. It differs from the authors' first code:
distances are relu(x) × stride instead of exp(scale × x), centre-ness hangs on the regression tower,
places count within 1.5 strides of an object's centre, and the boxes are trained by GIoU.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.losses import generalized_box_iou_loss, sigmoid_focal_loss
from cvcourse.models._blocks import (
    check_at_least,
    check_norm,
    init_convolutions,
    level_channels,
    levels_of,
)
from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.detection._anchors import pyramid_anchors
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

HeadNorm = partial(nn.GroupNorm, 32)


class RegressionHead(nn.Module):
    """Levels to distances (B, places, 4) in strides, and centre-ness logits (B, places, 1)."""

    def __init__(self, channels: int, *, layers: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv = _tower(channels, layers, norm)
        self.bbox_reg = nn.Conv2d(channels, 4, 3, padding=1)
        self.bbox_ctrness = nn.Conv2d(channels, 1, 3, padding=1)
        init_convolutions(self)

    def forward(
        self, levels: list[Float[Tensor, "batch _ _ _"]]
    ) -> tuple[Float[Tensor, "batch places 4"], Float[Tensor, "batch places 1"]]:
        towers = [self.conv(level) for level in levels]
        distances = [F.relu(self.bbox_reg(tower)) for tower in towers]
        centerness = [self.bbox_ctrness(tower) for tower in towers]
        return flatten_maps(distances, 4), flatten_maps(centerness, 1)


class FCOSHead(nn.Module):
    """Both heads, on all levels."""

    def __init__(
        self,
        channels: int,
        num_classes: int,
        *,
        layers: int = 4,
        norm: Callable[[int], nn.Module] = HeadNorm,
        prior_probability: float = 0.01,
    ) -> None:
        super().__init__()
        tower = _tower(channels, layers, norm)
        self.classification_head = ClassificationHead(
            tower, channels, 1, num_classes, prior_probability
        )
        self.regression_head = RegressionHead(channels, layers=layers, norm=norm)

    def forward(self, levels: list[Float[Tensor, "batch _ _ _"]]) -> dict[str, Tensor]:
        distances, centerness = self.regression_head(levels)
        return {
            "cls_logits": self.classification_head(levels),
            "bbox_regression": distances,
            "bbox_ctrness": centerness,
        }


class FCOS(nn.Module):
    """Images and targets to losses while training; images to detections in eval mode.

    Args:
        num_classes: classes that have a score, labels from 0 to `num_classes - 1`. torchvision's 91
            are COCO's with 0, the background, never used.
        backbone: from images (B, 3, H, W) to a dictionary of levels of `backbone.out_channels`.
            None: ResNet-50 with P3 to P7, frozen batch norms, three trainable layers.
        min_size, max_size, image_mean, image_std, size_divisible: see `ImagePreparation`.
        anchor_sizes: of each level the unit of distances, in pixels: its stride. A level learns
            objects whose farthest side is 4 to 8 units away, the first also less, the last more.
        head_layers, head_norm, prior_probability: of the two heads.
        center_sampling_radius: in units, around an object's centre: where places learn it.
        score_thresh, topk_candidates, nms_thresh, detections_per_img: what becomes a detection. The
            score is sqrt(class probability × centre-ness).

    **Conventions**: `forward(images, targets)` takes lists of images (3, H, W) in [0, 1] and of
    dictionaries: `boxes` (n, 4) as x1, y1, x2, y2 in pixels, int64 `labels` (n,); n may be 0.
    Losses `classification`, `bbox_regression` (GIoU) and `bbox_ctrness` are sums over the places of
    the batch, divided by those with an object. Of several objects a place has the smallest.
    Detections are dictionaries with `boxes`, `scores`, `labels`, best first.
    Raises `ValueError` for images or targets that cannot be used, naming picture and box.

    Reference: Tian et al., FCOS, 2019, arXiv:1904.01355; as improved in 2020, arXiv:2006.09214.
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
        anchor_sizes: Sequence[int | float] = (8, 16, 32, 64, 128),
        head_layers: int = 4,
        head_norm: Callable[[int], nn.Module] = HeadNorm,
        prior_probability: float = 0.01,
        center_sampling_radius: int | float = 1.5,
        score_thresh: float = 0.2,
        topk_candidates: int = 1000,
        nms_thresh: float = 0.6,
        detections_per_img: int = 100,
    ) -> None:
        super().__init__()
        if backbone is None:
            backbone = ResNetFPN(levels=(2, 3, 4), extra_levels=LastLevelP6P7())
        self.backbone = backbone
        check_at_least("num_classes", num_classes)
        channels = level_channels(backbone)
        check_norm("head_norm", head_norm, channels)
        self.anchor_sizes = [(size,) for size in anchor_sizes]
        self.head = FCOSHead(
            channels,
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
        self.center_sampling_radius = center_sampling_radius
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
        cells, places_per_level = pyramid_anchors(
            levels, batch, self.anchor_sizes, [(1.0,)] * len(self.anchor_sizes)
        )
        centers, units = (cells[:, :2] + cells[:, 2:]) / 2, cells[:, 2] - cells[:, 0]
        logits, distances = outputs["cls_logits"], outputs["bbox_regression"]
        centerness = outputs["bbox_ctrness"]
        if self.training:
            assigned = [
                self.assign(centers, units, places_per_level, target["boxes"]) for target in targets
            ]
            return self.losses(logits, distances, centerness, centers, units, assigned, targets)

        def decode(image: int, chosen: Tensor) -> Tensor:
            return boxes_from_distances(centers[chosen], distances[image, chosen], units[chosen])

        scores = (logits.sigmoid() * centerness.sigmoid()).sqrt()
        return self.select(scores, decode, batch, places_per_level)

    def assign(
        self,
        centers: Float[Tensor, "places 2"],
        units: Float[Tensor, "places"],
        places_per_level: Sequence[int],
        boxes: Float[Tensor, "boxes 4"],
    ) -> Int64[Tensor, "places"]:
        """The object that each place learns, -1 where there is none."""
        if len(boxes) == 0:
            return torch.full_like(units, -1, dtype=torch.int64)
        x, y, unit = centers[:, :1], centers[:, 1:], units[:, None]  # (places, 1) each
        x1, y1, x2, y2 = boxes.unbind(1)
        middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
        off_center = torch.maximum((x - middle_x).abs(), (y - middle_y).abs())  # (places, boxes)
        sides = (x - x1, y - y1, x2 - x, y2 - y)
        nearest = torch.minimum(torch.minimum(*sides[:2]), torch.minimum(*sides[2:]))
        farthest = torch.maximum(torch.maximum(*sides[:2]), torch.maximum(*sides[2:]))
        lower, upper = unit * 4, unit * 8
        lower[: places_per_level[0]] = 0
        upper[-places_per_level[-1] :] = torch.inf
        match = (off_center < self.center_sampling_radius * unit) & (nearest > 0)
        match &= (farthest > lower) & (farthest < upper)
        areas = ((x2 - x1) * (y2 - y1)).expand_as(match).where(match, torch.inf)
        smallest, index = areas.min(dim=1)
        return index.where(smallest.isfinite(), -1)

    def losses(
        self,
        logits: Float[Tensor, "batch places classes"],
        distances: Float[Tensor, "batch places 4"],
        centerness: Float[Tensor, "batch places 1"],
        centers: Float[Tensor, "places 2"],
        units: Float[Tensor, "places"],
        assigned: list[Int64[Tensor, "places"]],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        image, place = (torch.stack(assigned) >= 0).nonzero(as_tuple=True)
        objects = [matched[matched >= 0] for matched in assigned]
        labels = torch.cat([t["labels"][o] for t, o in zip(targets, objects, strict=True)])
        boxes = torch.cat([t["boxes"][o] for t, o in zip(targets, objects, strict=True)])
        count = max(1, len(place))

        one_hot = torch.zeros_like(logits)
        one_hot[image, place, labels] = 1
        predicted = boxes_from_distances(centers[place], distances[image, place], units[place])
        return {
            "classification": sigmoid_focal_loss(logits, one_hot, reduction="sum") / count,
            "bbox_regression": generalized_box_iou_loss(predicted, boxes, reduction="sum") / count,
            "bbox_ctrness": F.binary_cross_entropy_with_logits(
                centerness[image, place, 0], centerness_of(centers[place], boxes), reduction="sum"
            )
            / count,
        }


def boxes_from_distances(
    centers: Float[Tensor, "n 2"], distances: Float[Tensor, "n 4"], units: Float[Tensor, "n"]
) -> Float[Tensor, "n 4"]:
    """x1, y1, x2, y2 from left, top, right, bottom in units."""
    pixels = distances * units[:, None]
    return torch.cat([centers - pixels[:, :2], centers + pixels[:, 2:]], dim=1)


def centerness_of(centers: Float[Tensor, "n 2"], boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n"]:
    """sqrt(min(l, r) / max(l, r) × min(t, b) / max(t, b)): 1 in a box's middle, 0 at its sides."""
    before, after = centers - boxes[:, :2], boxes[:, 2:] - centers  # (n, 2)
    return (torch.minimum(before, after) / torch.maximum(before, after)).prod(dim=1).sqrt()


def _tower(channels: int, layers: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    blocks = []
    for _ in range(layers):
        blocks += [nn.Conv2d(channels, channels, 3, padding=1), norm(channels), nn.ReLU()]
    return nn.Sequential(*blocks)
