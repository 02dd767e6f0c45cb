import math

import pytest
import torch

from cvcourse.losses import pairwise_contrastive_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("contrastive_loss"))
def test_oracle_pytorch_metric_learning(case):
    def adapter(embeddings, labels, reducer, **options):
        return pairwise_contrastive_loss(embeddings, labels, **options, reduction=reducer)

    oracle.assert_matches(case, adapter)


def naive(x, labels, pos_margin, neg_margin, reduction):
    pull, push = [], []
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            if i != j and labels[i] == labels[j]:
                pull.append(max(0, math.dist(a, b) - pos_margin))
            elif i != j:
                push.append(max(0, neg_margin - math.dist(a, b)))
    total = 0
    for terms in (pull, push):
        count = {
            "mean": len(terms),
            "nonzero": sum(t > 0 for t in terms),
            "sum": 1,
        }[reduction]
        total += sum(terms) / max(1, count)
    return total


@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
@pytest.mark.parametrize("normalize", [True, False])
def test_naive_loop(reduction, normalize):
    x, labels = torch.randn(9, 4).double(), [0, 0, 1, 1, 1, 2, 0, 2, 5]
    points = x / x.norm(dim=1, keepdim=True) if normalize else x
    want = naive(points.tolist(), labels, 0.3, 1.8, reduction)
    loss = pairwise_contrastive_loss(x, torch.tensor(labels), 0.3, 1.8, normalize, reduction)
    assert_close(loss, want)


@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
def test_gradcheck(reduction):
    labels = torch.tensor([0, 0, 1, 1])
    gradcheck(
        lambda x: pairwise_contrastive_loss(x, labels, 0.1, 1.7, reduction=reduction),
        torch.randn(4, 3),
    )


def test_one_pair_of_each_kind_counts():
    """pytorch-metric-learning gives 0 here."""
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    labels = torch.tensor([0, 0, 1])
    loss = pairwise_contrastive_loss(x[:2], labels[:2], normalize=False, reduction="nonzero")
    assert loss == 1
    loss = pairwise_contrastive_loss(x[::2], labels[::2], normalize=False, reduction="nonzero")
    assert loss == 0.5


@pytest.mark.parametrize("normalize", [True, False])
def test_identical(normalize):
    x = torch.full((4, 3), 0.7, requires_grad=True)
    loss = pairwise_contrastive_loss(x, torch.tensor([0, 0, 1, 1]), 0.0, 1.0, normalize, "nonzero")
    assert loss == 1
    assert_zero_with_gradient(loss - 1, x)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["one class", "no positives"])
def test_one_kind_of_pair(labels):
    x = torch.randn(3, 4, requires_grad=True)
    assert_finite_gradient(pairwise_contrastive_loss(x, torch.tensor(labels)), x)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
def test_empty_and_single(n, reduction):
    x = torch.randn(n, 3, requires_grad=True)
    labels = torch.zeros(n, dtype=torch.int64)
    assert_zero_with_gradient(pairwise_contrastive_loss(x, labels, reduction=reduction), x)


def test_nan_stays_nan():
    x = torch.randn(4, 3)
    x[1, 1] = math.nan
    assert pairwise_contrastive_loss(x, torch.tensor([0, 0, 1, 1])).isnan()


def test_property_order_of_the_batch_does_not_matter():
    x, labels, order = torch.randn(9, 4).double(), torch.randint(3, (9,)), torch.randperm(9)
    assert_close(
        pairwise_contrastive_loss(x[order], labels[order]), pairwise_contrastive_loss(x, labels)
    )


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    with refuses("embeddings"):
        pairwise_contrastive_loss(x.long(), labels)
    with refuses("embeddings"):
        pairwise_contrastive_loss(x[0], labels)
    with refuses("labels"):
        pairwise_contrastive_loss(x, labels[:2])
    with refuses("labels"):
        pairwise_contrastive_loss(x, labels.float())
    with refuses("pos_margin"):
        pairwise_contrastive_loss(x, labels, pos_margin=-1)
    with refuses("neg_margin"):
        pairwise_contrastive_loss(x, labels, neg_margin=math.nan)
    with refuses("reduction"):
        pairwise_contrastive_loss(x, labels, reduction="none")
