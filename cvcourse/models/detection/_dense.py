"""What RetinaNet, FCOS and EfficientDet share: one prediction for each anchor of each level."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import init_convolutions
from cvcourse.models.detection._inputs import ImageBatch, resize_boxes
from cvcourse.ops import batched_nms, clip_boxes


class ClassificationHead(nn.Module):
    """Levels (B, C, H, W) to logits (B, anchors, num_classes).

    Untrained, each class has `prior_probability`: the many anchors of background start at a small
    loss instead of drowning the others.
    """

    def __init__(
        self,
        tower: nn.Sequential,
        channels: int,
        num_anchors: int,
        num_classes: int,
        prior_probability: float,
    ) -> None:
        super().__init__()
        self.conv = tower
        self.cls_logits = nn.Conv2d(channels, num_anchors * num_classes, 3, padding=1)
        self.num_classes = num_classes
        init_convolutions(self)
        nn.init.constant_(self.cls_logits.bias, -math.log(1 / prior_probability - 1))

    def forward(
        self, levels: list[Float[Tensor, "batch _ _ _"]]
    ) -> Float[Tensor, "batch anchors classes"]:
        return flatten_maps([self.cls_logits(self.conv(m)) for m in levels], self.num_classes)


def flatten_maps(
    maps: Sequence[Float[Tensor, "batch _ _ _"]], values: int
) -> Float[Tensor, "batch anchors {values}"]:
    """Maps (B, A * values, H, W) of several levels to (B, sum of H * W * A, values).

    The order is that of `pyramid_anchors`: level, row, column, anchor.
    """
    return torch.cat(
        [m.unflatten(1, (-1, values)).permute(0, 3, 4, 1, 2).flatten(1, 3) for m in maps], dim=1
    )


def select_detections(
    scores: Float[Tensor, "batch anchors classes"],
    decode: Callable[[int, Tensor], Tensor],
    images: ImageBatch,
    anchors_per_level: Sequence[int],
    *,
    score_thresh: float,
    topk_candidates: int,
    nms_thresh: float,
    detections_per_img: int,
) -> list[dict[str, Tensor]]:
    """The best of each level, decoded, less those that overlap a better one of their class.

    `decode(image, anchors)` gives the boxes (n, 4) predicted for some anchors of one picture. Boxes
    are clipped to the picture and returned in its original size, best first; `labels` are the
    indices of the classes.
    """
    detections = []
    first_anchors = [sum(anchors_per_level[:i]) for i in range(len(anchors_per_level))]
    for i, (size, original_size) in enumerate(
        zip(images.sizes, images.original_sizes, strict=True)
    ):
        found = [
            _best(level, score_thresh, topk_candidates, first)
            for level, first in zip(scores[i].split(anchors_per_level), first_anchors, strict=True)
        ]
        best, anchors, labels = (torch.cat(column) for column in zip(*found, strict=True))
        boxes = clip_boxes(decode(i, anchors), size)
        keep = batched_nms(boxes, best, labels, nms_thresh, max_output=detections_per_img)
        boxes = resize_boxes(boxes[keep], size, original_size)
        detections.append({"boxes": boxes, "scores": best[keep], "labels": labels[keep]})
    return detections


def _best(scores, score_thresh, topk, first_anchor) -> tuple[Tensor, Tensor, Tensor]:
    classes = scores.shape[1]
    flat = scores.flatten()
    index = (flat > score_thresh).nonzero().squeeze(1)
    best, order = flat[index].topk(min(topk, len(index)))
    index = index[order]
    return best, index // classes + first_anchor, index % classes
