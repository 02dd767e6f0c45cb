import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import match_detections


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / area


def naive(boxes, scores, target_boxes, iou_threshold):
    claimed = [-1] * len(boxes)
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        best, choice = iou_threshold, -1
        for j, target in enumerate(target_boxes):
            if j not in claimed and iou(boxes[i], target) >= best:
                best, choice = iou(boxes[i], target), j
        claimed[i] = choice
    return claimed


def random_boxes(count, generator):
    corner = torch.randint(0, 5, (count, 2), generator=generator).double()
    size = torch.randint(1, 6, (count, 2), generator=generator).double()
    return torch.cat([corner, corner + size], dim=1)


@given(st.integers(0, 2**32), st.integers(0, 8), st.integers(0, 6), st.sampled_from([0.2, 0.5]))
def test_naive_loop_with_ties(seed, detections, targets, iou_threshold):
    generator = torch.Generator().manual_seed(seed)
    boxes, target_boxes = random_boxes(detections, generator), random_boxes(targets, generator)
    scores = torch.randint(0, 4, (detections,), generator=generator).double()
    got = match_detections(boxes, scores, target_boxes, iou_threshold=iou_threshold)
    args = (boxes.tolist(), scores.tolist(), target_boxes.tolist(), iou_threshold)
    assert got.tolist() == naive(*args)
    claimed = got[got >= 0]
    assert len(claimed) == len(claimed.unique())


def test_best_score_first_and_each_target_once():
    boxes = torch.tensor([[0, 0, 10, 8], [0, 0, 10, 10], [50, 50, 60, 60]]).float()
    target = torch.tensor([[0.0, 0, 10, 10]])
    assert match_detections(boxes, torch.tensor([0.9, 0.8, 0.7]), target).tolist() == [0, -1, -1]
    assert match_detections(boxes, torch.tensor([0.7, 0.8, 0.9]), target).tolist() == [-1, 0, -1]


def test_second_best_target_where_the_best_is_taken():
    targets = torch.tensor([[0.0, 0, 10, 10], [0, 1, 10, 11]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    assert match_detections(boxes, torch.tensor([0.9, 0.8]), targets).tolist() == [0, 1]


def test_iou_exactly_at_the_threshold_counts():
    boxes, target = torch.tensor([[0.0, 0, 2, 1]]), torch.tensor([[0.0, 0, 1, 1]])
    assert match_detections(boxes, torch.ones(1), target, iou_threshold=0.5).tolist() == [0]
    assert match_detections(boxes, torch.ones(1), target, iou_threshold=0.51).tolist() == [-1]


def test_empty():
    none, boxes = torch.zeros(0, 4), torch.tensor([[0.0, 0, 1, 1]])
    assert match_detections(none, torch.zeros(0), boxes).tolist() == []
    assert match_detections(boxes, torch.ones(1), none).tolist() == [-1]


def test_nan_and_malformed_boxes_match_nothing():
    boxes = torch.tensor([[torch.nan, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    targets = torch.tensor([[0.0, 0, 1, 1], [0, 0, 0, 0]])
    assert match_detections(boxes, torch.rand(3), targets).tolist() == [-1, -1, -1]


def test_half_precision():
    boxes = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 10]])
    got = match_detections(boxes.half(), torch.tensor([0.9, 0.8]).half(), boxes.half())
    assert got.tolist() == [0, 1]


@pytest.mark.as_user
def test_bad_input():
    boxes, scores, target = torch.rand(2, 4), torch.rand(2), torch.rand(1, 4)
    with pytest.raises(ValueError, match=r"scores must be \(2,\)"):
        match_detections(boxes, torch.rand(3), target)
    with pytest.raises(ValueError, match="scores must not be nan"):
        match_detections(boxes, torch.tensor([0.5, torch.nan]), target)
    with pytest.raises(ValueError, match=r"^boxes must have shape \(n, 4\)"):
        match_detections(boxes[0], scores[0], target)
    with pytest.raises(ValueError, match=r"^target_boxes must have shape"):
        match_detections(boxes, scores, torch.rand(1, 5))
