"""Which detections of one image and class are right: the greedy matching behind every AP."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.metrics._checks import check_floating, check_fraction
from cvcourse.ops._checks import check_boxes, check_ndim
from cvcourse.ops.box_iou import box_iou


def match_detections(
    boxes: Float[Tensor, "detections 4"],
    scores: Float[Tensor, "detections"],
    target_boxes: Float[Tensor, "targets 4"],
    *,
    iou_threshold: float = 0.5,
) -> Int64[Tensor, "detections"]:
    """Index of the target that each detection claims, or -1 for a false positive.

    In order of falling score, each detection claims the free target that it overlaps most, if that
    IoU is at least `iou_threshold`; a target can be claimed once.

    Args:
        boxes, target_boxes: (x1, y1, x2, y2), of one image and one class.
        scores: confidence of each detection.

    **Conventions**: the rule of COCO without crowds (`coco_average_precision` has them): a
    detection whose best target is taken may claim another one, which VOC does not allow. Of equal
    scores the first comes first; of equal IoUs the last target is taken, as pycocotools does.

    Raises ValueError for shapes that do not fit, nan scores, and a threshold outside [0, 1].
    """
    check_fraction("iou_threshold", iou_threshold)
    for name, array in (("boxes", boxes), ("target_boxes", target_boxes)):
        check_boxes(name, array)
        check_ndim(name, array, "(n, 4)")
    check_floating("scores", scores)
    if scores.isnan().any():
        raise ValueError("scores must not be nan")
    if scores.shape != boxes.shape[:1]:
        raise ValueError(
            f"scores must be ({len(boxes)},), one for each of the boxes, got {tuple(scores.shape)}"
        )
    claimed = torch.full(scores.shape, -1, device="cpu")
    if len(target_boxes):
        overlap = box_iou(boxes, target_boxes).cpu().flip(1)  # last target first, see Conventions
        for detection in scores.cpu().argsort(descending=True, stable=True):
            best = overlap[detection].argmax()
            if overlap[detection, best] >= iou_threshold:
                claimed[detection] = len(target_boxes) - 1 - best
                overlap[:, best] = -1
    return claimed.to(boxes.device)
