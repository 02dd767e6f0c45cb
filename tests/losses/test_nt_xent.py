import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import nt_xent_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("nt_xent_loss"))
def test_oracle_lightly(case):
    oracle.assert_matches(case, nt_xent_loss)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(temperature, reduction):
    z0, z1 = torch.randn(2, 4, 5).double()
    rows = F.normalize(torch.cat([z0, z1])).tolist()

    def power(i, j):
        return math.exp(sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) / temperature)

    want = []
    for i in range(8):
        others = sum(power(i, j) for j in range(8) if j != i)
        want.append(-math.log(power(i, (i + 4) % 8) / others))
    want = {"none": want, "mean": sum(want) / 8, "sum": sum(want)}[reduction]
    assert_close(nt_xent_loss(z0, z1, temperature, reduction), want)


def test_gradcheck():
    gradcheck(nt_xent_loss, *torch.randn(2, 3, 4))


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_empty_and_one_pair(n, reduction):
    z0, z1 = torch.randn(n, 4, requires_grad=True), torch.randn(n, 4, requires_grad=True)
    assert_zero_with_gradient(nt_xent_loss(z0, z1, reduction=reduction), z0, z1)


@pytest.mark.parametrize("n", [2, 5])
def test_identical(n):
    z = torch.ones(n, 4, dtype=torch.float64)
    assert_close(nt_xent_loss(z, z), math.log(2 * n - 1))


def test_low_temperature_does_not_underflow():
    """The hardest pair: opposite views, all others alike. A cosine of -1 against 1, at T = 0.01."""
    z0 = torch.tensor([[1.0, 0.0]] * 3, requires_grad=True)
    loss = nt_xent_loss(z0, -z0, temperature=0.01)
    assert_close(loss, 200 + math.log(2), atol=1e-4)
    assert_finite_gradient(loss, z0)


def test_zero_vectors_are_finite():
    z = torch.zeros(3, 4, requires_grad=True)
    assert_finite_gradient(nt_xent_loss(z, z), z)


def test_nan_stays_nan():
    z = torch.randn(3, 4)
    assert nt_xent_loss(z, z.index_fill(0, torch.tensor(1), math.nan)).isnan()


def test_property_views_and_scales_can_be_exchanged():
    z0, z1 = torch.randn(2, 6, 5).double()
    want = nt_xent_loss(z0, z1)
    assert_close(nt_xent_loss(z1, z0), want)
    assert_close(nt_xent_loss(3 * z0, 0.1 * z1), want)


@pytest.mark.as_user
def test_bad_input():
    z = torch.zeros(2, 3)
    with refuses("z0"):
        nt_xent_loss(z.long(), z)
    with refuses("z0"):
        nt_xent_loss(z[0], z[0])
    with refuses("z1"):
        nt_xent_loss(z, z[:1])
    with refuses("z1"):
        nt_xent_loss(z, z.long())
    for temperature in (0, -1, math.nan):
        with refuses("temperature"):
            nt_xent_loss(z, z, temperature)
    with refuses("reduction"):
        nt_xent_loss(z, z, reduction="avg")
