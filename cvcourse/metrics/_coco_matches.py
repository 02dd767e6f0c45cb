"""Every detection of a data set as a hit, a false alarm, or not counted, by COCO's rules."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cvcourse.metrics._checks import check_choice
from cvcourse.metrics._coco_data import Images, Instances, read_detections, read_targets
from cvcourse.metrics._coco_matching import greedy_matches
from cvcourse.ops.box_convert import FORMATS

ALL_AREAS = (0, 1e10)


class Matches(NamedTuple):
    classes: np.ndarray  # (K,) labels, increasing
    image: np.ndarray  # (N,) index of each detection's image
    label: np.ndarray  # (N,) index of its class, increasing; within one, `image` increases
    score: np.ndarray  # (N,) decreasing within image and class
    rank: np.ndarray  # (N,) place by score in image and class
    hit: np.ndarray  # (N, A, T) bool, for each range of areas and IoU threshold
    false_alarm: np.ndarray  # (N, A, T) bool; neither for a detection that is not counted
    images: int
    target_image: np.ndarray  # (targets,) index of each target's image
    target_label: np.ndarray  # (targets,) index of its class
    counted: np.ndarray  # (targets, A) bool: it counts in this range of areas

    def positives(self) -> np.ndarray:
        """(K, A) number of targets that count."""
        number = np.zeros((len(self.classes), self.counted.shape[1]), dtype=np.int64)
        np.add.at(number, self.target_label, self.counted)
        return number


def match_images(
    preds: Images,
    target: Images,
    *,
    iou_type: str,
    box_format: str = "xyxy",
    iou_thresholds: Sequence[float],
    limit: int,
    ranges: Sequence[tuple[float, float]] = (ALL_AREAS,),
) -> Matches:
    """limit: how many detections count in each image and class, those of highest score."""
    check_choice("iou_type", iou_type, ("bbox", "segm"))
    check_choice("box_format", box_format, FORMATS)
    if len(preds) != len(target):
        raise ValueError(f"preds and target must be as many, got {len(preds)} and {len(target)}")
    if not len(iou_thresholds) or not all(0 <= t <= 1 for t in iou_thresholds):
        raise ValueError(f"iou_thresholds must lie in [0, 1], got {tuple(iou_thresholds)}")
    detections = read_detections(preds, iou_type, box_format)
    targets = read_targets(target, iou_type, box_format)
    classes = np.unique(np.concatenate([detections.label, targets.label]))
    detections = detections._replace(label=np.searchsorted(classes, detections.label))
    targets = targets._replace(label=np.searchsorted(classes, targets.label))
    detections, rank = _best(detections, limit)
    targets = targets.take(np.lexsort((targets.image, targets.label)))

    outside = _outside(detections.size, ranges)  # (N, A)
    ignored = _outside(targets.size, ranges) | targets.crowd[:, None]  # (targets, A)
    thresholds = np.minimum(iou_thresholds, 1 - 1e-10)
    claims, claims_ignored = greedy_matches(detections, rank, targets, ignored, thresholds)
    return Matches(
        classes=classes,
        image=detections.image,
        label=detections.label,
        score=detections.score,
        rank=rank,
        hit=claims & ~claims_ignored,
        false_alarm=~(claims | outside[:, :, None]),
        images=len(target),
        target_image=targets.image,
        target_label=targets.label,
        counted=~ignored,
    )


def _best(detections: Instances, limit: int) -> tuple[Instances, np.ndarray]:
    """The `limit` detections of highest score in each image and class, and their rank there."""
    order = np.lexsort((-detections.score, detections.image, detections.label))
    detections = detections.take(order)
    group = np.stack([detections.label, detections.image])
    starts = np.diff(group, axis=1, prepend=-1).any(0)  # first detection of its group
    place = np.arange(len(order))
    rank = place - np.maximum.accumulate(np.where(starts, place, 0))
    return detections.take(rank < limit), rank[rank < limit]


def _outside(size: np.ndarray, ranges: Sequence[tuple[float, float]]) -> np.ndarray:
    low, high = np.array(ranges, dtype=np.float64).T
    return (size[:, None] < low) | (size[:, None] > high)
