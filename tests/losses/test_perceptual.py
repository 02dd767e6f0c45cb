import math

import pytest
import torch

from cvcourse.losses import perceptual_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("perceptual_loss"))
def test_oracle(case):
    oracle.assert_matches(case, perceptual_loss)


@pytest.mark.parametrize(("criterion", "p"), [("l2", 2), ("l1", 1)])
def test_naive_loop(criterion, p):
    shapes = [(2, 3, 4, 4), (2, 5)]
    features, targets = ([torch.randn(s).double() for s in shapes] for _ in range(2))
    want = 0
    for weight, x, y in zip([0.5, 2], features, targets, strict=True):
        pairs = list(zip(x.flatten().tolist(), y.flatten().tolist(), strict=True))
        want += weight * sum(abs(a - b) ** p for a, b in pairs) / len(pairs)
    assert_close(perceptual_loss(features, targets, [0.5, 2], criterion), want)


def test_gradcheck():
    targets = list(torch.randn(2, 2, 3))
    for criterion in ("l2", "l1"):
        gradcheck(lambda x, c=criterion: perceptual_loss([x, 2 * x], targets, None, c), targets[0])


def test_identical():
    x = torch.randn(2, 3, requires_grad=True)
    for criterion in ("l2", "l1"):
        assert_zero_with_gradient(perceptual_loss([x], [x], criterion=criterion), x)


def test_targets_are_detached():
    x, y = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    perceptual_loss([x], [y]).backward()
    assert x.grad is not None
    assert y.grad is None


def test_empty_layer():
    x = torch.zeros(0, 3, requires_grad=True)
    assert_zero_with_gradient(perceptual_loss([x], [x]), x)


def test_nan_stays_nan():
    x = torch.zeros(2)
    assert perceptual_loss([x, x], [x, x + math.nan]).isnan()


def test_property_linear_in_the_weights():
    x, y = torch.randn(2, 3, 4).double()
    parts = [perceptual_loss([a], [b]) for a, b in zip(x, y, strict=True)]
    total = perceptual_loss(list(x), list(y), [1.0, 2.0, 3.0])
    assert_close(total, sum(w * part for w, part in zip([1, 2, 3], parts, strict=True)))


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3)
    with refuses("features"):
        perceptual_loss([], [])
    with refuses("target_features"):
        perceptual_loss([x], [x, x])
    with refuses(r"target_features\[1\]"):
        perceptual_loss([x, x], [x, x[0]])
    with refuses(r"features\[0\]"):
        perceptual_loss([x.long()], [x])
    with refuses("weights"):
        perceptual_loss([x], [x], weights=[1.0, 2.0])
    with refuses("criterion"):
        perceptual_loss([x], [x], criterion="mse")
