"""OKS equals pycocotools."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from cvcourse.metrics import object_keypoint_similarity
from cvcourse.metrics.object_keypoint_similarity import COCO_SIGMAS
from tests import oracle

CASE = json.loads((oracle.FOLDER / "design_language/oks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("image", [1, 2, 3, 4])
def test_equals_pycocotools(image):
    truth = [row for row in CASE["ground_truth"] if row["image_id"] == image]
    found = [row for row in CASE["detections"] if row["image_id"] == image]
    found = sorted(found, key=lambda row: -row["score"])
    rows = torch.tensor([r["keypoints"] for r in truth], dtype=torch.float64).view(-1, 17, 3)
    preds = torch.tensor([r["keypoints"] for r in found], dtype=torch.float64).view(-1, 17, 3)
    area = torch.tensor([r["area"] for r in truth], dtype=torch.float64)
    oks = object_keypoint_similarity(
        preds[..., :2],
        rows[..., :2],
        rows[..., 2] > 0,
        area,
        torch.tensor(CASE["sigmas"], dtype=torch.float64),
    )
    want = CASE["oks_rows_by_score"][image - 1]
    np.testing.assert_allclose(oks, want, atol=1e-9, rtol=0)


def test_sigmas_are_cocos():
    np.testing.assert_allclose(COCO_SIGMAS, CASE["sigmas"], atol=1e-12)


def test_by_hand():
    target = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [99.0, 99.0]]])
    preds = torch.tensor([[[3.0, 4.0], [10.0, 0.0], [0.0, 0.0]]])
    visible = torch.tensor([[True, True, False]])
    oks = object_keypoint_similarity(
        preds, target, visible, torch.tensor([50.0]), torch.full((3,), 0.5)
    )
    assert oks.item() == pytest.approx((np.exp(-25 / (2 * 50 * 1)) + 1) / 2)
    none = object_keypoint_similarity(
        preds, target, visible & False, torch.tensor([50.0]), torch.full((3,), 0.5)
    )
    assert none.isnan().all()
    assert object_keypoint_similarity(
        preds[:0], target, visible, torch.tensor([50.0]), torch.full((3,), 0.5)
    ).shape == (0, 1)


@pytest.mark.as_user
def test_bad_input():
    call = partial(object_keypoint_similarity, torch.zeros(1, 3, 2), torch.zeros(2, 3, 2))
    visible, area, sigmas = torch.ones(2, 3).bool(), torch.ones(2), torch.ones(3)
    with pytest.raises(ValueError, match=r"area must have shape \(2,\), got \(1,\)"):
        call(visible, area[:1], sigmas)
    with pytest.raises(ValueError, match=r"sigmas must have shape \(3,\), got \(17,\)"):
        call(visible, area, torch.ones(17))
    with pytest.raises(ValueError, match=r"preds and target must have .* same joints"):
        object_keypoint_similarity(
            torch.zeros(1, 4, 2), torch.zeros(2, 3, 2), visible, area, sigmas
        )
