import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import nt_xent_loss, supcon_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)

LABELS = [0, 0, 1, 1, 1, 2, 0]


@pytest.mark.parametrize("case", oracle.cases("supcon_loss"))
def test_oracle_pytorch_metric_learning(case):
    oracle.assert_matches(case, supcon_loss)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(reduction):
    x = torch.randn(7, 4).double()
    z = F.normalize(x).tolist()
    powers = [[math.exp(sum(a * b for a, b in zip(p, q, strict=True)) / 0.2) for q in z] for p in z]
    want, anchors = [], 0
    for i in range(7):
        total = sum(powers[i][j] for j in range(7) if j != i)
        terms = [
            -math.log(powers[i][j] / total) for j in range(7) if j != i and LABELS[j] == LABELS[i]
        ]
        anchors += bool(terms)
        want.append(sum(terms) / max(1, len(terms)))
    assert anchors == 6
    want = {"none": want, "mean": sum(want) / anchors, "sum": sum(want)}[reduction]
    assert_close(supcon_loss(x, torch.tensor(LABELS), 0.2, reduction), want)


def test_gradcheck():
    gradcheck(lambda x: supcon_loss(x, torch.tensor([0, 0, 1, 1, 2]), 0.5), torch.randn(5, 3))


@pytest.mark.parametrize("labels", [[], [0], [0, 1, 2]], ids=["empty", "single", "no positives"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_empty_and_no_positives(labels, reduction):
    x = torch.randn(len(labels), 4, requires_grad=True)
    loss = supcon_loss(x, torch.tensor(labels).long(), reduction=reduction)
    assert_zero_with_gradient(loss, x)


def test_one_class_is_a_loss_too():
    """pytorch-metric-learning gives 0."""
    x = torch.randn(4, 3, requires_grad=True)
    loss = supcon_loss(x, torch.zeros(4, dtype=torch.int64))
    assert loss > math.log(3) - 1e-6
    assert_finite_gradient(loss, x)


def test_identical():
    x = torch.ones(6, 4, dtype=torch.float64)
    assert_close(supcon_loss(x, torch.tensor([0, 0, 0, 1, 1, 1])), math.log(5))


def test_low_temperature_does_not_underflow():
    x = torch.tensor([[1.0, 0], [-1, 0], [1, 0]], requires_grad=True)
    loss = supcon_loss(x, torch.tensor([0, 0, 1]), temperature=0.01)
    assert_close(loss, (200 + math.log(2)) / 2, atol=1e-4)
    assert_finite_gradient(loss, x)


def test_nan_stays_nan():
    x = torch.randn(4, 3)
    x[1] = math.nan
    assert supcon_loss(x, torch.tensor([0, 0, 1, 1])).isnan()


def test_property_two_views_of_each_item_are_nt_xent():
    z0, z1 = torch.randn(2, 6, 5).double()
    labels = torch.arange(6).repeat(2)
    assert_close(supcon_loss(torch.cat([z0, z1]), labels, 0.3), nt_xent_loss(z0, z1, 0.3))


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    with refuses("embeddings"):
        supcon_loss(x.long(), labels)
    with refuses("labels"):
        supcon_loss(x, labels[:2])
    with refuses("labels"):
        supcon_loss(x, labels.float())
    with refuses("temperature"):
        supcon_loss(x, labels, temperature=0)
    with refuses("reduction"):
        supcon_loss(x, labels, reduction="avg")
