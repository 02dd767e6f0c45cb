"""PointRend for instances: masks of 224×224 with crisp edges (Kirillov 2019, arXiv:1912.08193).

    box ─ 14×14 points on the finest level ─ coarse head ─ 7×7 logits of each class ─┐
        └ the N least sure of ever finer pixels ─ fine features ─────────── point head ─ mask

In the frame of each box the 7×7 mask of its class doubles five times; a pixel is least sure where
its logit is near 0. The parts are those of `cvcourse.models.segmentation.pointrend`; the coarse
logits are given to every layer of the point head. `PointRendMaskHead` works on the boxes of any
detector, `PointRendRCNN` on those of a Faster R-CNN.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, levels_of
from cvcourse.models.detection._inputs import check_targets
from cvcourse.models.detection.faster_rcnn import FasterRCNN, restore_boxes
from cvcourse.models.segmentation.pointrend import (
    PointHead,
    pixel_centres,
    point_sample,
    subdivide,
    training_points,
)
from cvcourse.ops import crop_masks, paste_masks
from cvcourse.ops._checks import as_float


def mask_uncertainty(logits: Float[Tensor, "batch 1 *places"]) -> Float[Tensor, "batch *places"]:
    """`-|logit|`: 0 is least sure."""
    return -logits[:, 0].abs()


class CoarseMaskHead(nn.Module):
    """Features of boxes (n, channels, s, s) to logits (n, num_classes, s / 2, s / 2).

    A strided convolution and two linear layers; 18,176,080 parameters by default.
    """

    def __init__(
        self,
        channels: int = 256,
        num_classes: int = 80,
        *,
        pool_size: int = 14,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        side = pool_size // 2
        self.reduce = nn.Conv2d(channels, channels, 2, stride=2)
        self.fc1 = nn.Linear(channels * side**2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.prediction = nn.Linear(hidden, num_classes * side**2)
        nn.init.kaiming_normal_(self.reduce.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.prediction.weight, std=0.001)
        for layer in (self.reduce, self.prediction):
            nn.init.zeros_(layer.bias)
        self.shape = (num_classes, side, side)

    def forward(self, x: Float[Tensor, "n channels _ _"]) -> Float[Tensor, "n classes _ _"]:
        x = F.relu(self.reduce(x)).flatten(1)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        return self.prediction(x).unflatten(1, self.shape)


class PointRendMaskHead(nn.Module):
    """Boxes on a feature map to masks of 224×224.

    285,776 + 18,176,080 parameters by default.

    Args:
        channels: of the feature map, the finest pyramid level.
        num_classes: classes of objects; labels go from 0, there is no background.
        stride: of the feature map, in pixels.
        pool_size: points a side that are pooled from each box for the coarse head.
        coarse_hidden: of the coarse head, whose masks are `pool_size // 2` wide.
        hidden, layers: of the point head.
        train_points, oversample, importance: N, k and β of `training_points`.
        steps, subdivision_points: of `subdivide`. Steps that would predict every pixel anew are
            replaced by one prediction of a larger grid: 28×28 and 3 steps by default.

    Reference: Kirillov et al., PointRend: Image Segmentation as Rendering, 2019, arXiv:1912.08193.
    """

    def __init__(
        self,
        channels: int = 256,
        num_classes: int = 80,
        *,
        stride: int = 4,
        pool_size: int = 14,
        coarse_hidden: int = 1024,
        hidden: int = 256,
        layers: int = 3,
        train_points: int = 14 * 14,
        oversample: float = 3.0,
        importance: float = 0.75,
        steps: int = 5,
        subdivision_points: int = 28 * 28,
    ) -> None:
        super().__init__()
        check_at_least("num_classes", num_classes)
        self.stride, self.pool_size = stride, pool_size
        self.coarse_head = CoarseMaskHead(
            channels, num_classes, pool_size=pool_size, hidden=coarse_hidden
        )
        self.point_head = PointHead(channels, num_classes, hidden=hidden, layers=layers)
        self.draw_points = partial(
            training_points,
            uncertainty=mask_uncertainty,
            num_points=train_points,
            oversample=oversample,
            importance=importance,
        )
        self.first_side, self.steps = pool_size // 2, steps
        while self.steps > 0 and (2 * self.first_side) ** 2 <= subdivision_points:
            self.first_side, self.steps = 2 * self.first_side, self.steps - 1
        self.subdivision_points = subdivision_points

    def coarse_logits(
        self, fine: Float[Tensor, "batch channels h w"], boxes: Sequence[Float[Tensor, "_ 4"]]
    ) -> Float[Tensor, "boxes classes side side"]:
        grid = _grid(self.pool_size, torch.cat(list(boxes)))
        pooled = self.sample(fine, boxes, grid)  # (boxes, C, 196)
        return self.coarse_head(pooled.unflatten(2, (self.pool_size, self.pool_size)))

    def sample(
        self,
        fine: Float[Tensor, "batch channels h w"],
        boxes: Sequence[Float[Tensor, "_ 4"]],
        points: Float[Tensor, "boxes points 2"],
    ) -> Float[Tensor, "boxes channels points"]:
        """The features at `points` of each box; `boxes` in pixels, one tensor for each picture."""
        height, width = fine.shape[-2:]
        places = _in_picture(torch.cat(list(boxes)), points)
        size = places.new_tensor([width * self.stride, height * self.stride])
        places = (places / size).split([len(b) for b in boxes])
        sampled = [
            point_sample(picture[None], place.flatten(0, 1)[None])[0].unflatten(1, place.shape[:2])
            for picture, place in zip(fine, places, strict=True)
        ]  # (C, n, points) each
        return torch.cat(sampled, dim=1).transpose(0, 1)

    def point_logits(
        self,
        fine: Float[Tensor, "batch channels h w"],
        boxes: Sequence[Float[Tensor, "_ 4"]],
        coarse: Float[Tensor, "boxes classes side side"],
        points: Float[Tensor, "boxes points 2"],
    ) -> Float[Tensor, "boxes classes points"]:
        features = self.sample(fine, boxes, points)
        return self.point_head(features, point_sample(coarse, points))

    def forward(
        self,
        fine: Float[Tensor, "batch channels h w"],
        boxes: Sequence[Float[Tensor, "_ 4"]],
        labels: Sequence[Int64[Tensor, "_"]],
    ) -> Float[Tensor, "boxes side side"]:
        """Logits of each box's class."""
        coarse, label = self.coarse_logits(fine, boxes), torch.cat(list(labels))

        side = self.first_side
        first = self.point_logits(fine, boxes, coarse, _grid(side, torch.cat(list(boxes))))
        return subdivide(
            _of_class(first, label).unflatten(2, (side, side)),
            lambda points: _of_class(self.point_logits(fine, boxes, coarse, points), label),
            mask_uncertainty,
            steps=self.steps,
            num_points=self.subdivision_points,
        )[:, 0]

    def losses(
        self,
        fine: Float[Tensor, "batch channels h w"],
        boxes: Sequence[Float[Tensor, "_ 4"]],
        labels: Sequence[Int64[Tensor, "_"]],
        masks: Sequence[Shaped[Tensor, "_ _ _"]],
    ) -> dict[str, Float[Tensor, ""]]:
        """Binary cross-entropy of coarse masks and of points: means, 0 where there is no box.

        `masks`: of each box's object, in the whole picture. A coarse pixel is inside where half of
        it or more is; a point's target is the mask's bilinear value.
        """
        coarse, label = self.coarse_logits(fine, boxes), torch.cat(list(labels))
        side = coarse.shape[-1]
        share = torch.cat(
            [
                crop_masks(mask, box, torch.arange(len(box), device=box.device), side)
                for mask, box in zip(masks, boxes, strict=True)
            ]
        )
        if (share > 1.01).any():  # at every call, since it costs less than to look at the masks
            raise ValueError(f"masks: expected bool, or 0 and 1, got values up to {share.max()}")
        own = _of_class(coarse, label)  # (boxes, 1, side, side)
        points = self.draw_points(own)
        logits = self.point_logits(fine, boxes, coarse, points)
        wanted = []
        parts = zip(masks, boxes, points.split([len(b) for b in boxes]), strict=True)
        for mask, box, of_box in parts:
            places = _in_picture(box, of_box)
            values, size = mask[:, None].to(places.dtype), places.new_tensor(mask.shape[:0:-1])
            wanted.append(point_sample(values, places / size)[:, 0])
        return {
            "coarse": _mean_bce(own[:, 0], (share >= 0.5).to(own.dtype)),
            "points": _mean_bce(_of_class(logits, label)[:, 0], torch.cat(wanted)),
        }


def _grid(side: int, boxes: Float[Tensor, "boxes 4"]) -> Float[Tensor, "boxes points 2"]:
    """The centres of side × side cells, for each box."""
    index = torch.arange(side**2, device=boxes.device)
    return pixel_centres(index, side, side, boxes.dtype).expand(len(boxes), -1, -1)


def _in_picture(
    boxes: Float[Tensor, "boxes 4"], points: Float[Tensor, "boxes points 2"]
) -> Float[Tensor, "boxes points 2"]:
    """Points of boxes in pixels."""
    boxes, points = as_float(boxes, points)
    corner, size = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    return corner + points * size


def _of_class(
    logits: Float[Tensor, "boxes classes *places"], label: Int64[Tensor, "boxes"]
) -> Float[Tensor, "boxes 1 *places"]:
    return logits[torch.arange(len(label), device=label.device), label][:, None]


def _mean_bce(logits: Tensor, target: Tensor) -> Tensor:
    total = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
    return total / max(1, logits.numel())


class PointRendRCNN(nn.Module):
    """A Faster R-CNN whose boxes get masks by PointRend.

    Images and targets to losses while training, images to detections in eval mode, all as in
    `MaskRCNN`; the losses of the masks are `loss_mask` (coarse) and `loss_mask_point`.

    With `FasterRCNN(81)` and `PointRendMaskHead()` 60,165,892 parameters: detectron2's 60,161,792
    and the four offsets of the background that torchvision's box predictor has.

    Args:
        detector: `num_classes` one more than `mask_head`'s, for the background.
        mask_head: on the detector's finest level, "0".
    """

    def __init__(self, detector: FasterRCNN, mask_head: PointRendMaskHead) -> None:
        super().__init__()
        known = mask_head.point_head.predictor.out_channels
        if detector.num_classes != known + 1:
            raise ValueError(
                f"mask_head: expected {detector.num_classes - 1} classes, one less than the "
                f"detector's, got {known}"
            )
        self.detector, self.mask_head = detector, mask_head

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        return self.losses(images, targets) if self.training else self.detect(images)

    def losses(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None
    ) -> dict[str, Float[Tensor, ""]]:
        detector = self.detector
        check_targets(images, targets, labels=range(1, detector.num_classes), masks=True)
        batch, targets = detector.prepare(images, targets, training=True)
        levels = levels_of(detector.backbone, batch.tensors)
        proposals, _, rpn_losses = detector.rpn(batch, list(levels.values()), targets)
        samples = detector.roi_heads.sample_regions(proposals, targets)
        losses = {**detector.roi_losses(levels, samples, targets, batch.sizes), **rpn_losses}
        positives = [sample.labels > 0 for sample in samples]
        chosen = list(zip(samples, positives, targets, strict=True))
        masks = self.mask_head.losses(
            levels["0"],
            [sample.boxes[positive] for sample, positive, _ in chosen],
            [sample.labels[positive] - 1 for sample, positive, _ in chosen],
            [target["masks"][sample.objects[positive]] for sample, positive, target in chosen],
        )
        return {**losses, "loss_mask": masks["coarse"], "loss_mask_point": masks["points"]}

    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        detector = self.detector
        batch, _ = detector.prepare(images, training=False)
        levels = levels_of(detector.backbone, batch.tensors)
        proposals, _, _ = detector.rpn(batch, list(levels.values()))
        found = detector.roi_detections(levels, proposals, batch.sizes)
        boxes = [f["boxes"] for f in found]
        masks = self.mask_head(levels["0"], boxes, [f["labels"] - 1 for f in found]).sigmoid()
        detections = restore_boxes(found, batch)
        for detection, mask, image in zip(
            detections, masks.split([len(b) for b in boxes]), images, strict=True
        ):
            size = tuple(image.shape[-2:])
            detection["masks"] = paste_masks(mask, detection["boxes"], size)[:, None]
        return detections
