"""AP of repeated pictures from one matching equals AP of the pictures, repeated."""

import numpy as np
import pytest
import torch

from cvcourse.metrics import coco_average_precision
from cvcourse.metrics._coco_matches import match_images
from cvcourse.metrics._coco_resampled import average_precision_of_draws
from cvcourse.metrics.coco_average_precision import COCO_IOU_THRESHOLDS
from tests.metrics.detections import random_images


def resampled(preds, target, times, *, iou_thresholds=COCO_IOU_THRESHOLDS, iou_type="bbox"):
    matches = match_images(
        preds, target, iou_type=iou_type, iou_thresholds=iou_thresholds, limit=100
    )
    return average_precision_of_draws(matches, times).tolist()


def from_scratch(preds, target, times, **options):
    chosen = [np.repeat(np.arange(len(target)), times_of_draw) for times_of_draw in times]
    return [
        coco_average_precision([preds[i] for i in c], [target[i] for i in c], **options)[
            "map"
        ].item()
        for c in chosen
    ]


def draws(images, n=12, seed=0):
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), n)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_equals_from_scratch_bit_for_bit(seed, ties):
    preds, target = random_images(seed, ties=ties, images=9)
    times = draws(9, seed=seed)
    scores = resampled(preds, target, times)
    assert scores == from_scratch(preds, target, times)
    assert len(set(scores)) > 6


@pytest.mark.parametrize("thresholds", [(0.5,), (0.75, 0.3)])
def test_thresholds(thresholds):
    preds, target = random_images(3, classes=5)
    times = draws(8)
    options = {"iou_thresholds": thresholds}
    assert resampled(preds, target, times, **options) == from_scratch(
        preds, target, times, **options
    )


def test_masks():
    preds, target = random_images(1, masks=True, images=5, side=60)
    times = draws(5)
    options = {"iou_type": "segm"}
    assert resampled(preds, target, times, **options) == from_scratch(
        preds, target, times, **options
    )


def test_all_scores_alike():
    preds, target = random_images(2, classes=2)
    preds = [{**p, "scores": torch.ones(len(p["labels"]))} for p in preds]
    times = draws(8, n=30)
    assert resampled(preds, target, times) == from_scratch(preds, target, times)


def test_infinite_scores():
    preds, target = random_images(2)
    inf = torch.inf
    preds = [{**p, "scores": torch.where(p["scores"] < 0.5, -inf, inf)} for p in preds]
    times = draws(8)
    assert resampled(preds, target, times) == from_scratch(preds, target, times)


def test_pictures_without_anything():
    preds, target = random_images(4, images=3, classes=1)
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    preds[1], target[1] = {**nothing, "scores": torch.zeros(0)}, nothing
    times = np.array([[0, 3, 0], [1, 1, 1], [0, 0, 5], [0, 0, 0]])
    scores = resampled(preds, target, times)
    assert scores == from_scratch(preds, target, times)
    assert scores[0] == scores[3] == -1


def test_no_detections():
    preds, target = random_images(4)
    preds = [{key: value[:0] for key, value in p.items()} for p in preds]
    assert resampled(preds, target, draws(8)) == [0.0] * 12
