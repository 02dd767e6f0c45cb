import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import triplet_margin_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("triplet_margin_loss"))
def test_oracle_torch(case):
    oracle.assert_matches(case, triplet_margin_loss)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_equals_torch(swap, p, reduction):
    triplet = torch.randn(3, 7, 4).double()
    want = F.triplet_margin_loss(*triplet, margin=0.5, p=p, swap=swap, reduction=reduction)
    assert_close(triplet_margin_loss(*triplet, 0.5, p, swap, reduction), want)


@pytest.mark.parametrize("swap", [False, True])
def test_naive_loop(swap):
    triplet = torch.randn(3, 7, 4).double()
    want = []
    for a, p, n in zip(*triplet.tolist(), strict=True):
        far = min(math.dist(a, n), math.dist(p, n)) if swap else math.dist(a, n)
        want.append(max(0, math.dist(a, p) - far + 0.7))
    # 1e-6 is added to every difference, so that the gradient exists everywhere
    assert_close(triplet_margin_loss(*triplet, 0.7, swap=swap, reduction="none"), want, atol=1e-5)


def test_gradcheck():
    gradcheck(lambda a, p, n: triplet_margin_loss(a, p, n, 2.0, swap=True), *torch.randn(3, 4, 3))


def test_identical():
    x = torch.randn(4, 3, dtype=torch.float64)
    assert_close(triplet_margin_loss(x, x, x, margin=0.3), 0.3)


def test_empty():
    x = torch.zeros(0, 3, requires_grad=True)
    assert_zero_with_gradient(triplet_margin_loss(x, x, x), x)


def test_nan_stays_nan():
    x = torch.zeros(2, 3)
    far = torch.tensor([[0, math.nan, 0], [0, 0, 0]])
    assert triplet_margin_loss(x, x, far, reduction="none").isnan().tolist() == [True, False]


def test_property_swap_is_never_easier():
    triplet = torch.randn(3, 50, 4)
    plain = triplet_margin_loss(*triplet, reduction="none")
    assert (triplet_margin_loss(*triplet, swap=True, reduction="none") >= plain).all()


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3)
    with refuses("anchor"):
        triplet_margin_loss(x.long(), x, x)
    with refuses("positive"):
        triplet_margin_loss(x, x[:1], x)
    with refuses("negative"):
        triplet_margin_loss(x, x, x[:, :2])
    with refuses("margin"):
        triplet_margin_loss(x, x, x, margin=-1)
    with refuses("p"):
        triplet_margin_loss(x, x, x, p=0)
    with refuses("reduction"):
        triplet_margin_loss(x, x, x, reduction="avg")
