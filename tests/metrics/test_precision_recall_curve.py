import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import precision_recall_curve


def test_by_hand():
    scores = torch.tensor([0.2, 0.9, 0.5, 0.7])
    matched = torch.tensor([True, True, False, True])
    precision, recall, sorted_scores = precision_recall_curve(scores, matched, num_targets=4)
    assert precision.tolist() == [1, 1, 2 / 3, 3 / 4]
    assert recall.tolist() == [1 / 4, 2 / 4, 2 / 4, 3 / 4]
    assert sorted_scores.tolist() == scores.double()[[1, 3, 2, 0]].tolist()


def naive(scores, matched, num_targets):
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    curve, tp = [], 0
    for seen, i in enumerate(order, start=1):
        tp += matched[i]
        curve.append((tp / seen, tp / num_targets))
    return curve


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=30))
def test_naive_loop_with_ties(detections):
    scores, matched = zip(*detections, strict=True)
    targets = sum(matched) + 2
    curve = precision_recall_curve(
        torch.tensor(scores, dtype=torch.float32), torch.tensor(matched), targets
    )
    assert list(zip(*(c.tolist() for c in curve[:2]), strict=True)) == naive(
        scores, matched, targets
    )


def test_equal_scores_keep_their_order():
    precision, _, _ = precision_recall_curve(
        torch.zeros(3), torch.tensor([False, True, True]), num_targets=2
    )
    assert precision.tolist() == [0, 1 / 2, 2 / 3]


def test_half_precision_scores():
    scores, matched = torch.rand(20).half(), torch.rand(20) < 0.5
    got = precision_recall_curve(scores, matched, 30)
    for a, b in zip(got, precision_recall_curve(scores.double(), matched, 30), strict=True):
        assert torch.equal(a, b)


def test_no_detections_gives_an_empty_curve():
    for part in precision_recall_curve(torch.zeros(0), torch.zeros(0, dtype=torch.bool), 3):
        assert part.shape == (0,)


def test_no_targets_gives_nan_recall():
    precision, recall, _ = precision_recall_curve(torch.rand(2), torch.zeros(2).bool(), 0)
    assert precision.tolist() == [0, 0]
    assert recall.isnan().all()


@pytest.mark.as_user
class TestBadInput:
    def test_shapes_and_dtypes(self):
        for scores, matched in [
            (torch.rand(3), torch.ones(2).bool()),
            (torch.rand(3), torch.ones(3)),
            (torch.rand(3, 1), torch.ones(3, 1).bool()),
        ]:
            with pytest.raises(ValueError, match="scores and matched must be"):
                precision_recall_curve(scores, matched, 3)
        with pytest.raises(ValueError, match="scores must be floating point"):
            precision_recall_curve(torch.arange(3), torch.ones(3).bool(), 3)

    def test_more_matches_than_targets(self):
        with pytest.raises(ValueError, match="num_targets must be >= the 3 matches, got 2"):
            precision_recall_curve(torch.rand(3), torch.ones(3).bool(), 2)
        with pytest.raises(ValueError, match="num_targets must be >= the 0 matches, got -1"):
            precision_recall_curve(torch.zeros(0), torch.zeros(0).bool(), -1)

    def test_nan_scores(self):
        with pytest.raises(ValueError, match="scores must not be nan"):
            precision_recall_curve(torch.tensor([0.5, torch.nan]), torch.ones(2).bool(), 2)
