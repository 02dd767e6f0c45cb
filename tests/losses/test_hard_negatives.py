import math

import pytest
import torch

from cvcourse.losses import mine_hard_negatives
from tests.losses.helpers import refuses


def naive(loss, positive, ratio, min_negatives, ignored):
    """One row."""
    negatives = [i for i, p in enumerate(positive) if not p and not ignored[i]]
    positives = [i for i, p in enumerate(positive) if p and not ignored[i]]
    number = max(min_negatives, math.floor(ratio * len(positives)))
    hardest = sorted(negatives, key=lambda i: -loss[i])[:number]
    return [i in positives or i in hardest for i in range(len(loss))]


@pytest.mark.parametrize("ratio", [0, 1.5, 3, math.inf])
@pytest.mark.parametrize("min_negatives", [0, 2])
@pytest.mark.parametrize("some_ignored", [False, True])
def test_naive_loop(ratio, min_negatives, some_ignored):
    loss, positive = torch.rand(6, 30), torch.rand(6, 30) < 0.15
    loss[:, ::3] = 0.5  # ties
    positive[0] = False
    positive[1] = True
    ignored = torch.rand(6, 30) < 0.3
    if not some_ignored:
        ignored[:] = False
    rows = zip(loss.tolist(), positive.tolist(), ignored.tolist(), strict=True)
    if ratio == math.inf:
        want = [naive(a, b, 1e9, min_negatives, c) for a, b, c in rows]
    else:
        want = [naive(a, b, ratio, min_negatives, c) for a, b, c in rows]
    mask = ignored if some_ignored else None
    assert mine_hard_negatives(loss, positive, ratio, min_negatives, mask).tolist() == want
    assert (
        mine_hard_negatives(loss[2], positive[2], ratio, min_negatives, ignored[2]).tolist()
        == (want[2])
    )


def test_no_positives():
    loss, positive = torch.rand(2, 5), torch.zeros(2, 5, dtype=torch.bool)
    assert not mine_hard_negatives(loss, positive).any()
    assert mine_hard_negatives(loss, positive, min_negatives=1).sum(1).tolist() == [1, 1]


def test_one_class():
    positive = torch.ones(2, 5, dtype=torch.bool)
    assert mine_hard_negatives(torch.rand(2, 5), positive).all()


def test_identical_losses_take_the_first():
    positive = torch.tensor([[False, True, False, False, False]])
    kept = mine_hard_negatives(torch.ones(1, 5), positive, ratio=2)
    assert kept.tolist() == [[True, True, True, False, False]]


def test_all_ignored():
    ignored = torch.ones(2, 5, dtype=torch.bool)
    assert not mine_hard_negatives(torch.rand(2, 5), ignored, 3, 2, ignored).any()


@pytest.mark.parametrize("shape", [(0, 5), (2, 0), (0,)])
def test_empty(shape):
    kept = mine_hard_negatives(torch.zeros(shape), torch.zeros(shape, dtype=torch.bool))
    assert kept.shape == shape


def test_nan_is_hardest():
    loss = torch.tensor([0.5, 0.3, math.nan, math.inf])
    positive = torch.tensor([True, False, False, False])
    assert mine_hard_negatives(loss, positive, 1).tolist() == [True, False, True, False]
    assert mine_hard_negatives(loss, positive, 2).tolist() == [True, False, True, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_and_no_gradient(dtype):
    loss = torch.arange(6, dtype=dtype, requires_grad=True)
    positive = torch.tensor([True, False, False, False, False, False])
    kept = mine_hard_negatives(loss, positive, 2)
    assert kept.tolist() == [True, False, False, False, True, True]


def test_property_kept_are_harder_than_the_rest():
    loss, positive = torch.rand(4, 100), torch.rand(4, 100) < 0.1
    kept = mine_hard_negatives(loss, positive, 3)
    assert (kept.sum(1) == 4 * positive.sum(1)).all()
    for row in range(4):
        hard = loss[row][kept[row] & ~positive[row]]
        assert hard.min() >= loss[row][~kept[row]].max()


@pytest.mark.as_user
def test_bad_input():
    loss, positive = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)
    with refuses("loss"):
        mine_hard_negatives(loss.long(), positive)
    with refuses("positive"):
        mine_hard_negatives(loss, positive[:1])
    with refuses("positive"):
        mine_hard_negatives(loss, positive.long())
    with refuses("ignored"):
        mine_hard_negatives(loss, positive, ignored=positive.float())
    for ratio in (-1, math.nan):
        with refuses("ratio"):
            mine_hard_negatives(loss, positive, ratio)
    with refuses("min_negatives"):
        mine_hard_negatives(loss, positive, min_negatives=-1)
