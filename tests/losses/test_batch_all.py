import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import batch_all_triplet_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses

LABELS = [0, 0, 1, 1, 1, 2, 0, 3, 3]


@pytest.mark.parametrize("case", oracle.cases("triplet_loss/batch_all"))
def test_oracle_pytorch_metric_learning(case):
    def adapter(embeddings, labels, reducer, **options):
        return batch_all_triplet_loss(embeddings, labels, **options, reduction=reducer)

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
def test_naive_loop(normalize, reduction):
    x = torch.randn(9, 4).double()
    points = (F.normalize(x) if normalize else x).tolist()
    terms = []
    for i, a in enumerate(points):
        for j, p in enumerate(points):
            for k, n in enumerate(points):
                if i != j and LABELS[i] == LABELS[j] != LABELS[k]:
                    terms.append(max(0, math.dist(a, p) - math.dist(a, n) + 0.4))
    count = {"mean": len(terms), "nonzero": sum(t > 0 for t in terms), "sum": 1}[reduction]
    loss = batch_all_triplet_loss(x, torch.tensor(LABELS), 0.4, normalize, reduction)
    assert_close(loss, sum(terms) / count, atol=1e-11)


@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
def test_gradcheck(reduction):
    labels = torch.tensor([0, 0, 1, 1, 2])
    gradcheck(
        lambda x: batch_all_triplet_loss(x, labels, 0.5, reduction=reduction), torch.randn(5, 3)
    )


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1, 2]])
@pytest.mark.parametrize("reduction", ["mean", "nonzero", "sum"])
def test_empty_one_class_no_positives(labels, reduction):
    x = torch.randn(len(labels), 4, requires_grad=True)
    loss = batch_all_triplet_loss(x, torch.tensor(labels).long(), reduction=reduction)
    assert_zero_with_gradient(loss, x)


def test_identical():
    x = torch.full((4, 3), 0.3, requires_grad=True)
    loss = batch_all_triplet_loss(x, torch.tensor([0, 0, 1, 1]), margin=0.5)
    assert loss == 0.5
    assert_zero_with_gradient(loss - 0.5, x)


def test_nan_stays_nan():
    x = torch.randn(4, 3)
    x[1, 1] = math.nan
    assert batch_all_triplet_loss(x, torch.tensor([0, 0, 1, 1])).isnan()


def test_property_turning_all_embeddings_changes_nothing():
    x, labels = torch.randn(9, 4).double(), torch.tensor(LABELS)
    rotation = torch.linalg.qr(torch.randn(4, 4).double()).Q
    for normalize in (True, False):
        want = batch_all_triplet_loss(x, labels, normalize=normalize)
        assert_close(batch_all_triplet_loss(x @ rotation, labels, normalize=normalize), want, 1e-10)


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    with refuses("embeddings"):
        batch_all_triplet_loss(x.long(), labels)
    with refuses("labels"):
        batch_all_triplet_loss(x, labels[:2])
    with refuses("margin"):
        batch_all_triplet_loss(x, labels, margin=-1)
    with refuses("reduction"):
        batch_all_triplet_loss(x, labels, reduction="none")
