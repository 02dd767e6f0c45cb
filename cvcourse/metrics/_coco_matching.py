"""COCO's greedy matching of detections to targets, all images, areas and thresholds at once.

Detections of different images or classes do not compete, so the loop runs over the rank of a
detection in its image and class, and over its choice of targets, never over images. It does so for
a block of detections after the other: what the pairs take is bounded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cvcourse.metrics._coco_data import Instances

BLOCK = 2**18  # pairs that are compared at a time; a detection weighs as much as 8 of them


class Pairs(NamedTuple):
    """Detections and the targets they may claim; a detection's first choice comes first."""

    detection: np.ndarray  # (P,) index, increasing
    target: np.ndarray  # (P,) index
    iou: np.ndarray  # (P,)

    def take(self, index: np.ndarray) -> "Pairs":
        return Pairs(*(column[index] for column in self))


def greedy_matches(
    detections: Instances,
    rank: np.ndarray,
    targets: Instances,
    ignored: np.ndarray,
    thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections claim a target, and which of them an ignored one: (detections, A, T) each.

    Best score first, a detection claims the free target of highest IoU, if that reaches the
    threshold; an ignored target only if no other will do. A crowd is never used up.

    Args:
        detections, targets: sorted by class and image, detections then by decreasing score.
        rank: (detections,) place by score in the image and class.
        ignored: (targets, A) not counted in this range of areas, or crowd.
    """
    shape = (ignored.shape[1], len(thresholds))  # (A, T): every range of areas, every threshold
    free = np.ones((len(ignored), *shape), dtype=bool)
    claims = np.zeros((len(rank), *shape), dtype=bool)
    claims_ignored = np.zeros_like(claims)
    for block in _blocks(*_candidates(detections, targets)):
        pairs = _overlapping(block, detections, targets, thresholds.min())
        choice = np.arange(len(pairs.iou)) - np.searchsorted(pairs.detection, pairs.detection)
        pair_rank = rank[pairs.detection]
        for of_rank in _runs(np.lexsort((choice, pair_rank)), pair_rank):
            detection = pairs.detection[of_rank[choice[of_rank] == 0]]
            claimed = np.full((len(detection), *shape), -1)  # target, or -1 for none
            regular = np.zeros_like(claimed, dtype=bool)  # it is a target that counts
            for of_choice in _runs(of_rank, choice):
                row = np.searchsorted(detection, pairs.detection[of_choice])
                target = pairs.target[of_choice]
                counted = ~ignored[target][:, :, None]  # (n, A, 1)
                possible = free[target] & (pairs.iou[of_choice, None, None] >= thresholds)
                better = possible & ((claimed[row] < 0) | (counted & ~regular[row]))
                claimed[row] = np.where(better, target[:, None, None], claimed[row])
                regular[row] |= better & counted
            claims[detection] = claimed >= 0
            claims_ignored[detection] = claims[detection] & ~regular
            _, area, threshold = used = np.nonzero((claimed >= 0) & ~targets.crowd[claimed])
            free[claimed[used], area, threshold] = False
    return claims, claims_ignored


def _candidates(detections: Instances, targets: Instances) -> tuple[np.ndarray, np.ndarray]:
    """Of each detection, the first target of its image and class, and how many there are."""
    images = 1 + max(detections.image.max(initial=0), targets.image.max(initial=0))
    detection_group = detections.label * images + detections.image
    target_group = targets.label * images + targets.image
    first = np.searchsorted(target_group, detection_group, side="left")
    return first, np.searchsorted(target_group, detection_group, side="right") - first


def _blocks(first: np.ndarray, count: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(detection, target) of all pairs, those of some detections after the other.

    A group may be cut: its detections come by decreasing score, and what is free is remembered.
    """
    weight = np.cumsum(np.where(count > 0, count + 8, 0))
    bounds = np.searchsorted(weight, np.arange(BLOCK, weight[-1:].sum(), BLOCK))
    for block in np.split(np.arange(len(count)), bounds):
        of_block = count[block]
        detection = np.repeat(block, of_block)
        place = np.arange(len(detection)) - np.repeat(np.cumsum(of_block) - of_block, of_block)
        yield detection, place + first[detection]


def _overlapping(
    pairs: tuple[np.ndarray, np.ndarray],
    detections: Instances,
    targets: Instances,
    least_iou: float,
) -> Pairs:
    """Those that overlap by `least_iou`."""
    detection, target = pairs
    boxes = detections.region.ndim == 2
    intersection = (_box_intersection if boxes else _mask_intersection)(
        detections.region[detection], targets.region[target]
    )
    area = detections.area[detection]
    union = area + targets.area[target] - intersection
    union = np.where(targets.crowd[target], area, union)  # of a crowd: the share inside it
    iou = np.divide(intersection, union, out=np.zeros(len(union)), where=intersection > 0)
    overlapping = Pairs(detection, target, iou).take(iou >= least_iou)
    # of equal IoU, the last target first
    order = np.lexsort((-overlapping.target, -overlapping.iou, overlapping.detection))
    return overlapping.take(order)


def _box_intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    (x, y, w, h), (u, v, s, t) = boxes.T, others.T
    width = np.minimum(x + w, u + s) - np.maximum(x, u)
    height = np.minimum(y + h, v + t) - np.maximum(y, v)
    return np.where((width > 0) & (height > 0), width * height, 0.0)


def _mask_intersection(masks: np.ndarray, others: np.ndarray) -> np.ndarray:
    pixels = np.zeros(len(masks))
    for i, (mask, other) in enumerate(zip(masks, others, strict=True)):
        if mask.shape != other.shape:
            raise ValueError(
                f"preds and target must have masks of one size in an image, "
                f"got {mask.shape} and {other.shape}"
            )
        pixels[i] = np.count_nonzero(mask & other)
    return pixels


def _runs(order: np.ndarray, key: np.ndarray) -> Iterator[np.ndarray]:
    """Pieces of `order`, by which `key` is sorted, within which it is constant."""
    if len(order):
        yield from np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
