import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import nms, soft_nms
from tests.ops.boxes import box_lists, naive_iou, random_boxes

METHODS = pytest.mark.parametrize("method", ["gaussian", "linear"])


def naive(boxes, scores, method, sigma=0.5, iou_threshold=0.3, score_threshold=0.001):
    boxes, scores = boxes.tolist(), scores.tolist()
    left = [i for i in range(len(boxes)) if scores[i] >= score_threshold]
    kept = []
    while left:
        best = max(left, key=lambda i: (scores[i], -i))
        left.remove(best)
        kept.append(best)
        for i in left:
            iou = naive_iou(boxes[best], boxes[i])
            if method == "gaussian":
                scores[i] *= math.exp(-(iou**2) / sigma)
            elif iou > iou_threshold:
                scores[i] *= 1 - iou
        left = [i for i in left if scores[i] >= score_threshold]
    return kept, [scores[i] for i in kept]


@METHODS
@pytest.mark.parametrize("score_threshold", [0.0, 0.001, 0.5])
def test_naive_loop(method, score_threshold):
    boxes, scores = random_boxes(40), torch.rand(40, dtype=torch.float64)
    options = {"method": method, "sigma": 0.3, "score_threshold": score_threshold}
    kept, lowered = soft_nms(boxes, scores, **options)
    want, want_scores = naive(boxes, scores, **options)
    assert kept.tolist() == want
    torch.testing.assert_close(lowered, torch.tensor(want_scores, dtype=torch.float64))


def test_by_hand():
    boxes = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1], [5, 5, 6, 6]])
    kept, scores = soft_nms(boxes, torch.tensor([0.9, 0.8, 0.7]), method="linear")
    assert kept.tolist() == [0, 2, 1]
    torch.testing.assert_close(scores, torch.tensor([0.9, 0.7, 0.4]))  # 0.8 times 1 - IoU


@METHODS
@given(boxes=box_lists(), random=st.randoms())
def test_scores_fall_and_are_never_raised(method, boxes, random):
    scores = torch.tensor([random.random() for _ in boxes], dtype=torch.float64)
    kept, lowered = soft_nms(boxes, scores, method=method, score_threshold=0.0)
    assert sorted(kept.tolist()) == list(range(len(boxes)))  # nothing falls below 0
    assert (lowered <= scores[kept]).all()
    assert (lowered.diff() <= 0).all()


def test_narrow_gaussian_is_nms_at_threshold_zero():
    boxes, scores = random_boxes(30), torch.rand(30)
    kept, lowered = soft_nms(boxes, scores, sigma=1e-12)
    assert torch.equal(kept, nms(boxes, scores, 0.0))
    assert torch.equal(lowered, scores[kept])


@METHODS
def test_empty_ties_and_nan(method):
    kept, scores = soft_nms(torch.zeros(0, 4), torch.zeros(0), method=method)
    assert kept.shape == scores.shape == (0,)
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [math.nan, 0, 1, 1], [0, 0, 9, 9]])
    kept, scores = soft_nms(boxes, torch.tensor([0.5, 0.5, 0.9, math.nan]), method=method)
    assert kept.tolist() == [2, 0, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.5, 0.5])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype):
    boxes, scores = random_boxes(10), torch.rand(10).to(dtype)
    kept, lowered = soft_nms(boxes.to(dtype), scores)
    assert lowered.dtype == dtype
    want = soft_nms(boxes.to(dtype).float(), scores.float())
    assert torch.equal(kept, want[0])
    assert torch.equal(lowered, want[1].to(dtype))


@pytest.mark.as_user
def test_bad_input():
    boxes, scores = torch.zeros(3, 4), torch.zeros(3)
    with pytest.raises(ValueError, match="method must be one of 'gaussian', 'linear', got 'hard'"):
        soft_nms(boxes, scores, method="hard")
    with pytest.raises(ValueError, match="sigma must be positive and finite, got 0"):
        soft_nms(boxes, scores, sigma=0)
    with pytest.raises(ValueError, match="iou_threshold must lie in"):
        soft_nms(boxes, scores, iou_threshold=2)
    with pytest.raises(ValueError, match="boxes and scores must have the same length"):
        soft_nms(boxes, scores[:2])
    with pytest.raises(ValueError, match="scores must be floating point"):
        soft_nms(boxes, scores.long())
    with pytest.raises(ValueError, match="boxes must have shape"):
        soft_nms(boxes[:, :3], scores)
