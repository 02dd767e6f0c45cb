import math

import pytest
import torch

from cvcourse.losses import contrastive_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("contrastive_loss/pairs"))
def test_oracle(case):
    oracle.assert_matches(case, contrastive_loss)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(reduction):
    x0, x1, y = torch.randn(5, 3).double(), torch.randn(5, 3).double(), [1, 0, 0.25, 0, 1]
    want = []
    for a, b, same in zip(x0.tolist(), x1.tolist(), y, strict=True):
        d = math.dist(a, b)
        want.append(same * d**2 / 2 + (1 - same) * max(0, 2 - d) ** 2 / 2)
    want = {"none": want, "mean": sum(want) / 5, "sum": sum(want)}[reduction]
    assert_close(contrastive_loss(x0, x1, torch.tensor(y), margin=2.0, reduction=reduction), want)


def test_gradcheck():
    y = torch.tensor([1.0, 0.0, 0.5])
    gradcheck(
        lambda a, b: contrastive_loss(a, b, y, margin=4.0), torch.randn(3, 2), torch.randn(3, 2)
    )


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_y_of_any_dtype(dtype):
    x0, x1, y = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    assert contrastive_loss(x0, x1, y.to(dtype)) == contrastive_loss(x0, x1, y)


def test_identical():
    x = torch.randn(2, 3)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    assert_zero_with_gradient(contrastive_loss(a, b, torch.tensor([1, 1])), a, b)
    different = contrastive_loss(a, b, torch.tensor([0, 0]), margin=3.0, reduction="none")
    assert different.tolist() == [4.5, 4.5]
    different.sum().backward()
    assert (a.grad == 0).all()


def test_empty():
    x = torch.zeros(0, 3, requires_grad=True)
    assert_zero_with_gradient(contrastive_loss(x, x, torch.zeros(0)), x)


def test_nan_stays_nan():
    x = torch.tensor([[math.nan, 0], [0, 0]])
    loss = contrastive_loss(x, torch.ones(2, 2), torch.tensor([0, 1]), reduction="none")
    assert loss.isnan().tolist() == [True, False]


def test_property_moving_both_changes_nothing():
    x0, x1, y = torch.randn(5, 3).double(), torch.randn(5, 3).double(), torch.rand(5).double()
    shift = torch.randn(3).double()
    assert_close(contrastive_loss(x0 + shift, x1 + shift, y), contrastive_loss(x0, x1, y))


@pytest.mark.as_user
def test_bad_input():
    x, y = torch.zeros(2, 3), torch.zeros(2)
    with refuses("x0"):
        contrastive_loss(x.long(), x, y)
    with refuses("x0"):
        contrastive_loss(x[0], x[0], y)
    with refuses("x1"):
        contrastive_loss(x, x[:1], y)
    with refuses("x1"):
        contrastive_loss(x, x.long(), y)
    with refuses("y"):
        contrastive_loss(x, x, y[:1])
    for wrong in (-1.0, 2.0):
        with refuses("y"):
            contrastive_loss(x, x, torch.tensor([0.0, wrong]))
    with refuses("margin"):
        contrastive_loss(x, x, y, margin=-1)
    with refuses("reduction"):
        contrastive_loss(x, x, y, reduction="avg")
