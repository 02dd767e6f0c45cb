"""PolarMask: an outline is 36 distances from its middle (Xie et al. 2019, arXiv:1909.13226).

    images ─ ResNet ─ FPN P3 ... P7 ─┬─ 4 × conv 3×3, group norm ─┬─ classes
                                     │                            └─ polar centre-ness
                                     ├─ 4 × conv 3×3, group norm ─── left, top, right, bottom
                                     └─ 4 × conv 3×3, group norm ─── 36 rays

FCOS with one more tower: at each place near an object's centre of mass, how far its outline is in
36 directions. The polygon of the ends is the mask, so a mask costs no more than a longer box.
Polar centre-ness is high where the rays are equally long; Polar IoU loss trains all rays as one.
The box only serves suppression. As in the authors' code every distance is exp(scale × x) pixels,
with a learned scale for each level.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cvcourse.losses import sigmoid_focal_loss
from cvcourse.models._blocks import check_at_least, check_norm, level_channels, levels_of
from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.detection._dense import flatten_maps
from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImageBatch,
    ImagePreparation,
    check_targets,
    resize_boxes,
)
from cvcourse.ops import anchor_grid, batched_nms, clip_boxes, masks_to_boxes
from cvcourse.ops._checks import as_float, check_tensor
from cvcourse.ops.polygons_to_masks import polygons_to_masks

HeadNorm = partial(nn.GroupNorm, 32)


def rays_to_polygons(
    centers: Float[Tensor, "n 2"], distances: Float[Tensor, "n rays"]
) -> Float[Tensor, "n rays 2"]:
    """The ends (x, y) of rays at equal angles: the first points to +y, later ones turn to +x."""
    check_tensor("centers", centers)
    check_tensor("distances", distances)
    centers, distances = as_float(centers, distances)
    angle = torch.arange(distances.shape[1], device=centers.device, dtype=centers.dtype)
    angle = angle * (2 * math.pi / distances.shape[1])
    directions = torch.stack([angle.sin(), angle.cos()], dim=1)  # (rays, 2)
    return centers[:, None] + distances[..., None] * directions


def masks_to_rays(
    masks: Bool[Tensor, "n height width"],
    centers: Float[Tensor, "n 2"],
    rays: int = 36,
    *,
    step: float = 0.5,
) -> Float[Tensor, "n {rays}"]:
    """How far each mask reaches from its centre along each ray; the inverse of `rays_to_polygons`.

    Args:
        masks: one object each.
        centers: (x, y) in pixels, (0, 0) the outer corner of the first pixel; need not lie inside.
        rays: how many, at equal angles.
        step: pixels between the places that are looked at along a ray.

    **Conventions**: where a ray leaves the object and meets it again, the farthest end counts. A
    ray that never meets it has 1e-6. Ends are within half a step of the pixels' edge (the authors
    take the farthest contour pixel within 3 degrees of the ray). In float32 at least; a centre of
    nan has rays of 1e-6.
    """
    check_tensor("masks", masks)
    check_tensor("centers", centers)
    if masks.dtype != torch.bool:
        raise ValueError(f"masks: expected bool, got {masks.dtype}")
    if step <= 0:
        raise ValueError(f"step: expected a positive number of pixels, got {step}")
    (centers,) = as_float(centers)
    n, height, width = masks.shape
    if n == 0:
        return centers.new_zeros(0, rays)
    boxes = masks_to_boxes(masks, inclusive=False)
    farthest = torch.maximum((centers - boxes[:, :2]).abs(), (boxes[:, 2:] - centers).abs())
    longest = farthest.square().sum(1).sqrt().nan_to_num(0, posinf=0).amax().item()
    radius = torch.arange(0, longest + step, step, device=masks.device, dtype=centers.dtype)
    ends = radius[:, None].expand(-1, rays)
    around = rays_to_polygons(centers.new_zeros(len(radius), 2), ends)  # (radii, rays, 2)
    reach = []
    some = max(1, 2**22 // ends.numel())  # objects at a time, for the sake of memory
    for part, middle in zip(masks.split(some), centers.split(some), strict=True):
        column, row = (middle[:, None, None] + around).floor().unbind(-1)  # (some, radii, rays)
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        pixel = row.long() * width + column.long()  # float32 counts to 2**24 only
        pixel = pixel.where(within, 0).flatten(1)
        inside = part.flatten(1).gather(1, pixel).view_as(within) & within
        reach.append(((radius[:, None] + step / 2) * inside).amax(1))
    return torch.cat(reach).clamp(min=1e-6)


def polar_centerness(distances: Float[Tensor, "n rays"]) -> Float[Tensor, "n"]:
    """sqrt(shortest ray / longest ray): 1 in the middle of a disc."""
    return (distances.amin(1) / distances.amax(1)).sqrt()


def polar_iou_loss(
    distances: Float[Tensor, "n rays"], target: Float[Tensor, "n rays"]
) -> Float[Tensor, "n"]:
    """`log(Σ max(d, d*) / Σ min(d, d*))` over the rays; with squares, -log of the IoU."""
    larger, smaller = torch.maximum(distances, target), torch.minimum(distances, target)
    return (larger.sum(1) / smaller.sum(1)).log()


def sides_iou_loss(
    distances: Float[Tensor, "n 4"], target: Float[Tensor, "n 4"]
) -> Float[Tensor, "n"]:
    """`-log IoU` of two boxes that are left, top, right and bottom of the same place."""
    shared = torch.minimum(distances, target)
    area, target_area, both = (
        (d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3]) for d in (distances, target, shared)
    )
    return ((area + target_area - both) / both).log()


class PolarMaskHead(nn.Module):
    """Levels (B, C, H, W) to a dictionary of predictions at every place of every level.

    Logits `cls_logits` (B, places, num_classes) and `centerness` (B, places, 1); in pixels `sides`
    (B, places, 4) and `rays` (B, places, rays). 7,362,947 parameters for 80 classes.
    """

    def __init__(
        self,
        channels: int = 256,
        num_classes: int = 80,
        *,
        rays: int = 36,
        num_levels: int = 5,
        layers: int = 4,
        norm: Callable[[int], nn.Module] = HeadNorm,
        prior_probability: float = 0.01,
    ) -> None:
        super().__init__()
        self.cls_tower, self.box_tower, self.ray_tower = (
            _tower(channels, layers, norm) for _ in range(3)
        )
        self.cls_logits = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.centerness = nn.Conv2d(channels, 1, 3, padding=1)
        self.sides = nn.Conv2d(channels, 4, 3, padding=1)
        self.rays = nn.Conv2d(channels, rays, 3, padding=1)
        self.side_scales = nn.Parameter(torch.ones(num_levels))
        self.ray_scales = nn.Parameter(torch.ones(num_levels))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.constant_(self.cls_logits.bias, -math.log(1 / prior_probability - 1))

    def forward(
        self, levels: Sequence[Float[Tensor, "batch _ _ _"]]
    ) -> dict[str, Float[Tensor, "batch places _"]]:
        of_class = [self.cls_tower(level) for level in levels]
        sides = [
            _exp(scale * self.sides(self.box_tower(level)))
            for scale, level in zip(self.side_scales, levels, strict=True)
        ]
        rays = [
            _exp(scale * self.rays(self.ray_tower(level)))
            for scale, level in zip(self.ray_scales, levels, strict=True)
        ]
        return {
            "cls_logits": flatten_maps(
                [self.cls_logits(x) for x in of_class], self.cls_logits.out_channels
            ),
            "centerness": flatten_maps([self.centerness(x) for x in of_class], 1),
            "sides": flatten_maps(sides, 4),
            "rays": flatten_maps(rays, self.rays.out_channels),
        }


class PolarMask(nn.Module):
    """Images and targets to losses while training; images to detections in eval mode.

    34,686,531 parameters for 80 classes, 34,739,651 with those of the frozen batch norms, which are
    buffers here. The authors' trunk strides in the first 1×1 of a block, this one in the 3×3.

    Small, for pictures of about 100 pixels: `PolarMask(4, backbone=ResNetFPN(block=BasicBlock,
    depths=(1, 1, 1), width=16, levels=(2, 3), out_channels=32, extra_levels=None,
    norm=nn.BatchNorm2d, trainable_layers=4), strides=(8, 16), head_layers=2,
    head_norm=partial(nn.GroupNorm, 8), min_size=None)`.

    Args:
        num_classes: classes that have a score, labels from 0 to `num_classes - 1`.
        backbone: from images (B, 3, H, W) to a dictionary of levels of `backbone.out_channels`.
            None: ResNet-50 with P3 to P7, frozen batch norms, three trainable layers.
        rays: of each outline.
        min_size, max_size, image_mean, image_std, size_divisible: see `ImagePreparation`.
        strides: of the levels. A level learns the objects whose farthest side is 4 to 8 strides
            away; the first also nearer, the last farther.
        head_layers, head_norm, prior_probability: of the head.
        center_sampling_radius: in strides, from an object's centre of mass: where it is learnt.
        score_thresh, topk_candidates, nms_thresh, detections_per_img: what becomes a detection. The
            score is class probability × (centre-ness + 0.5), as in the authors' code, so up to 1.5.

    **Conventions**: `forward(images, targets)` takes lists: images (3, H, W) in [0, 1] and targets
    with `boxes` (n, 4) as x1, y1, x2, y2 in pixels, int64 `labels` (n,) and `masks` (n, H, W).
    Losses: `classification`, focal, a sum over the number of places with an object plus the number
    of images; `sides` and `rays`, means over those places weighted by their true polar centre-ness;
    `centerness`, their mean. Of several objects a place has the one with the smallest box.
    Detections are dictionaries with `boxes`, `scores`, `labels`, `polygons` (n, rays, 2) in pixels
    and `masks` (n, 1, H, W), floats of 0 and 1, best first.
    Raises `ValueError` for images or targets that cannot be used, naming picture and box.

    Reference: Xie et al., PolarMask, 2019, arXiv:1909.13226.
    """

    def __init__(
        self,
        num_classes: int = 80,
        *,
        backbone: nn.Module | None = None,
        rays: int = 36,
        min_size: int | Sequence[int] | None = 800,
        max_size: int = 1333,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        size_divisible: int = 32,
        strides: Sequence[int] = (8, 16, 32, 64, 128),
        head_layers: int = 4,
        head_norm: Callable[[int], nn.Module] = HeadNorm,
        prior_probability: float = 0.01,
        center_sampling_radius: float = 1.5,
        score_thresh: float = 0.05,
        topk_candidates: int = 1000,
        nms_thresh: float = 0.5,
        detections_per_img: int = 100,
    ) -> None:
        super().__init__()
        if backbone is None:
            backbone = ResNetFPN(levels=(2, 3, 4), extra_levels=LastLevelP6P7())
        self.backbone = backbone
        check_at_least("num_classes", num_classes)
        channels = level_channels(backbone)
        check_norm("head_norm", head_norm, channels)
        self.head = PolarMaskHead(
            channels,
            num_classes,
            rays=rays,
            num_levels=len(strides),
            layers=head_layers,
            norm=head_norm,
            prior_probability=prior_probability,
        )
        self.num_classes, self.rays, self.strides = num_classes, rays, strides
        self.prepare = ImagePreparation(
            min_size=min_size,
            max_size=max_size,
            mean=image_mean,
            std=image_std,
            size_divisible=size_divisible,
        )
        self.center_sampling_radius = center_sampling_radius
        self.score_thresh, self.topk_candidates = score_thresh, topk_candidates
        self.nms_thresh, self.detections_per_img = nms_thresh, detections_per_img

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        if self.training:
            check_targets(images, targets, labels=range(self.num_classes), masks=True)
        batch, targets = self.prepare(
            images, targets if self.training else None, training=self.training
        )
        levels = list(levels_of(self.backbone, batch.tensors).values())
        if len(levels) != len(self.strides):
            raise ValueError(
                f"strides: expected one for each of {len(levels)} levels, got {self.strides}"
            )
        outputs = self.head(levels)
        places, strides, ranges = self._places(levels)
        if not self.training:
            return [
                self._detect(i, {name: o[i] for name, o in outputs.items()}, places, batch)
                for i in range(len(images))
            ]
        assigned = [self.assign(places, strides, ranges, target) for target in targets]
        return self.losses(outputs, places, assigned, targets)

    def _places(
        self, levels: Sequence[Float[Tensor, "batch _ _ _"]]
    ) -> tuple[Float[Tensor, "places 2"], Float[Tensor, "places"], Float[Tensor, "places 2"]]:
        """The middle of each cell, its stride, and how far the sides may be of what it learns."""
        cells = anchor_grid(
            [level.shape[-2:] for level in levels],
            self.strides,
            [(float(stride),) for stride in self.strides],
            (1.0,),
            device=levels[0].device,
            dtype=torch.promote_types(levels[0].dtype, torch.float32),
        )
        places, strides = (cells[:, :2] + cells[:, 2:]) / 2, cells[:, 2] - cells[:, 0]
        ranges = strides[:, None] * strides.new_tensor([4.0, 8.0])
        first, last = (level.shape[-2] * level.shape[-1] for level in (levels[0], levels[-1]))
        ranges[:first, 0], ranges[-last:, 1] = 0.0, math.inf
        return places, strides, ranges

    def assign(
        self,
        places: Float[Tensor, "places 2"],
        strides: Float[Tensor, "places"],
        ranges: Float[Tensor, "places 2"],
        target: dict[str, Tensor],
    ) -> Int64[Tensor, "places"]:
        """The object that each place learns, -1 where there is none."""
        boxes = target["boxes"]
        if len(boxes) == 0:
            return torch.full_like(strides, -1, dtype=torch.int64)
        middles = centres_of_mass(target["masks"] > 0)
        off_center = (places[:, None] - middles).abs().amax(-1)  # (places, boxes)
        sides = torch.cat([places[:, None] - boxes[:, :2], boxes[:, 2:] - places[:, None]], dim=-1)
        farthest = sides.amax(-1)
        match = (off_center < self.center_sampling_radius * strides[:, None]) & (sides.amin(-1) > 0)
        match &= (farthest >= ranges[:, :1]) & (farthest <= ranges[:, 1:])
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1).expand_as(match).where(match, torch.inf)
        smallest, index = areas.min(dim=1)
        return index.where(smallest.isfinite(), -1)

    def losses(
        self,
        outputs: dict[str, Float[Tensor, "batch places _"]],
        places: Float[Tensor, "places 2"],
        assigned: list[Int64[Tensor, "places"]],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        image, place = (torch.stack(assigned) >= 0).nonzero(as_tuple=True)
        objects = [matched[matched >= 0] for matched in assigned]
        labels, boxes, rays = [], [], []
        for target, matched, chosen in zip(targets, assigned, objects, strict=True):
            labels.append(target["labels"][chosen])
            boxes.append(target["boxes"][chosen])
            centers = places[matched >= 0]
            rays.append(masks_to_rays((target["masks"] > 0)[chosen], centers, self.rays))
        labels, boxes, rays = torch.cat(labels), torch.cat(boxes), torch.cat(rays)

        logits = outputs["cls_logits"]
        one_hot = torch.zeros_like(logits)
        one_hot[image, place, labels] = 1
        centers, weight = places[place], polar_centerness(rays)
        sides = torch.cat([centers - boxes[:, :2], boxes[:, 2:] - centers], dim=1)
        total = weight.sum().clamp(min=1e-6)
        by_box = sides_iou_loss(outputs["sides"][image, place], sides)
        by_rays = polar_iou_loss(outputs["rays"][image, place], rays)
        centerness = F.binary_cross_entropy_with_logits(
            outputs["centerness"][image, place, 0], weight, reduction="sum"
        )
        count = len(place) + len(targets)
        return {
            "classification": sigmoid_focal_loss(logits, one_hot, reduction="sum") / count,
            "sides": (weight * by_box).sum() / total,
            "rays": (weight * by_rays).sum() / total,
            "centerness": centerness / max(1, len(place)),
        }

    def _detect(
        self,
        i: int,
        outputs: dict[str, Float[Tensor, "places _"]],
        places: Float[Tensor, "places 2"],
        batch: ImageBatch,
    ) -> dict[str, Tensor]:
        size, original_size = batch.sizes[i], batch.original_sizes[i]
        scores = outputs["cls_logits"].sigmoid() * (outputs["centerness"].sigmoid() + 0.5)
        place, label = (scores > self.score_thresh).nonzero(as_tuple=True)
        best, order = scores[place, label].topk(min(self.topk_candidates, len(place)))
        place, label = place[order], label[order]
        sides = outputs["sides"][place]
        boxes = torch.cat([places[place] - sides[:, :2], places[place] + sides[:, 2:]], dim=1)
        boxes = clip_boxes(boxes, size)
        keep = batched_nms(boxes, best, label, self.nms_thresh)[: self.detections_per_img]
        polygons = rays_to_polygons(places[place[keep]], outputs["rays"][place[keep]])
        ratio = polygons.new_tensor(original_size[::-1]) / polygons.new_tensor(size[::-1])
        polygons = polygons * ratio
        masks = polygons_to_masks(polygons, original_size)
        return {
            "boxes": resize_boxes(boxes[keep], size, original_size),
            "scores": best[keep],
            "labels": label[keep],
            "polygons": polygons,
            "masks": masks[:, None].to(polygons.dtype),
        }


def _exp(x: Tensor) -> Tensor:
    """In float32 at least: 12 is too much for float16."""
    return as_float(x)[0].exp()


def centres_of_mass(masks: Bool[Tensor, "n height width"]) -> Float[Tensor, "n 2"]:
    """(x, y) of the mean pixel centre of each mask; nan for one without pixels."""
    weight = masks.float()
    area = weight.sum((1, 2))
    like = {"device": masks.device, "dtype": weight.dtype}
    y = torch.arange(masks.shape[1], **like) + 0.5
    x = torch.arange(masks.shape[2], **like) + 0.5
    total = torch.stack([(weight.sum(1) * x).sum(1), (weight.sum(2) * y).sum(1)], dim=1)
    return total / area[:, None]


def _tower(channels: int, layers: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    blocks = []
    for _ in range(layers):
        blocks += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm(channels)]
        blocks += [nn.ReLU(inplace=True)]
    return nn.Sequential(*blocks)
