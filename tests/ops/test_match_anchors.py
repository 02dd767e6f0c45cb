import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import box_iou, match_anchors
from cvcourse.ops.match_anchors import BACKGROUND, BETWEEN
from tests import oracle
from tests.ops.boxes import box_lists


@pytest.mark.parametrize(
    ("high", "low", "name"),
    [(0.7, 0.3, "lowq"), (0.7, 0.3, "plain"), (0.5, 0.5, "plain"), (0.5, 0.4, "lowq")],
)
def test_goldens_torchvision(high, low, name):
    goldens = oracle.goldens()
    got = match_anchors(goldens["matcher/quality"], high, low, allow_low_quality=name == "lowq")
    assert torch.equal(got, goldens[f"matcher/h{high}_l{low}_{name}"])


def naive(iou, high, low, allow_low_quality):
    objects, anchors = iou.shape
    matches = []
    for a in range(anchors):
        column = iou[:, a].tolist()
        best = column.index(max(column))
        if column[best] >= high or (
            allow_low_quality
            and any(iou[o, a] == iou[o].max() and iou[o, a] > 0 for o in range(objects))
        ):
            matches.append(best)
        else:
            matches.append(BETWEEN if column[best] >= low else BACKGROUND)
    return matches


@given(box_lists(1, 6), box_lists(), st.booleans())
def test_naive_loop(objects, anchors, allow_low_quality):
    iou = box_iou(objects, anchors)
    got = match_anchors(iou, 0.5, 0.25, allow_low_quality=allow_low_quality)
    assert got.tolist() == naive(iou, 0.5, 0.25, allow_low_quality)


@given(box_lists(1, 6), box_lists(1))
def test_low_quality_only_adds_matches_and_leaves_no_touched_object_out(objects, anchors):
    iou = box_iou(objects, anchors)
    plain = match_anchors(iou, 0.7, 0.3)
    more = match_anchors(iou, 0.7, 0.3, allow_low_quality=True)
    assert torch.equal(more[plain >= 0], plain[plain >= 0])
    for row in iou:
        if row.max() > 0:
            assert (more[row == row.max()] >= 0).all()


def test_thresholds_belong_to_the_upper_side():
    iou = torch.tensor([[0.0, 0.25, 0.5, 0.375]])
    assert match_anchors(iou, 0.5, 0.25).tolist() == [-1, -2, 0, -2]


def test_ties_go_to_the_lower_object():
    assert match_anchors(torch.tensor([[0.5], [0.75], [0.75]]), 0.5, 0.5).tolist() == [1]


def test_empty_everything():
    assert match_anchors(torch.zeros(0, 3), 0.5, 0.4, allow_low_quality=True).tolist() == [-1] * 3
    assert match_anchors(torch.zeros(2, 0), 0.5, 0.4, allow_low_quality=True).tolist() == []
    assert match_anchors(torch.zeros(0, 0), 0.5, 0.4).tolist() == []


def test_object_that_nothing_touches_claims_nothing():
    iou = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.0, 0.6]])
    assert match_anchors(iou, 0.5, 0.4, allow_low_quality=True).tolist() == [-1, -1, 1]


def test_nan_is_background():
    iou = torch.tensor([[math.nan, 0.9], [0.9, 0.9]])
    assert match_anchors(iou, 0.5, 0.4, allow_low_quality=True).tolist() == [-1, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes(dtype):
    iou = torch.tensor([[0.75, 0.25, 0.0]], dtype=dtype)
    assert match_anchors(iou, 0.5, 0.25).tolist() == [0, -2, -1]


@pytest.mark.as_user
def test_bad_input():
    iou = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="low_threshold must not exceed high_threshold"):
        match_anchors(iou, 0.3, 0.7)
    with pytest.raises(ValueError, match=r"high_threshold must lie in \[0, 1\], got 70"):
        match_anchors(iou, 70, 0.3)
    with pytest.raises(ValueError, match=r"iou must have shape \(objects, anchors\), got \(3,\)"):
        match_anchors(iou[0], 0.7, 0.3)
    with pytest.raises(ValueError, match="iou must be floating point"):
        match_anchors(iou.long(), 0.7, 0.3)
