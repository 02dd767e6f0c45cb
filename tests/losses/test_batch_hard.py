import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import batch_hard_triplet_loss, mine_batch_hard
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses

NAMES = ["anchors", "positives", "negatives"]
LABELS = [0, 0, 1, 1, 1, 2, 0, 3, 3]


@pytest.mark.parametrize("case", oracle.cases("triplet_loss/batch_hard"))
def test_oracle_pytorch_metric_learning(case):
    def adapter(embeddings, labels, margin, normalize):
        mined = mine_batch_hard(embeddings, labels, normalize)
        loss = batch_hard_triplet_loss(embeddings, labels, margin, normalize=normalize)
        return {"value": loss, **dict(zip(NAMES, mined, strict=True))}

    oracle.assert_matches(case, adapter)


def naive(x, labels):
    """(anchor, positive, negative, gap) of every anchor that has both."""
    found = []
    for i, a in enumerate(x):
        positive = [j for j in range(len(x)) if labels[j] == labels[i] and j != i]
        negative = [j for j in range(len(x)) if labels[j] != labels[i]]
        if positive and negative:
            p = max(positive, key=lambda j: math.dist(a, x[j]))
            n = min(negative, key=lambda j: math.dist(a, x[j]))
            found.append((i, p, n, math.dist(a, x[p]) - math.dist(a, x[n])))
    return found


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(normalize, soft, reduction):
    x, labels = torch.randn(9, 4).double(), torch.tensor(LABELS)
    points = F.normalize(x) if normalize else x
    found = naive(points.tolist(), LABELS)
    mined = mine_batch_hard(x, labels, normalize)
    assert [m.tolist() for m in mined] == [[f[k] for f in found] for k in range(3)]
    terms = [math.log1p(math.exp(g + 0.4)) if soft else max(0, g + 0.4) for *_, g in found]
    want = torch.zeros(9).double()
    want[mined[0]] = torch.tensor(terms, dtype=torch.float64)
    want = {"none": want, "mean": sum(terms) / len(terms), "sum": sum(terms)}[reduction]
    loss = batch_hard_triplet_loss(x, labels, 0.4, soft, normalize, reduction)
    assert_close(loss, want, atol=1e-10)


def test_defaults_are_a_margin_of_a_fifth_on_the_unit_sphere():
    """Of vectors of lengths 1 to 9, which the hardest triplets would otherwise follow."""
    x, labels = torch.randn(9, 4).double() * torch.arange(1, 10)[:, None], torch.tensor(LABELS)
    found = naive(F.normalize(x).tolist(), LABELS)
    assert [m.tolist() for m in mine_batch_hard(x, labels)] == [
        [f[k] for f in found] for k in range(3)
    ]
    terms = [max(0, gap + 0.2) for *_, gap in found]
    assert_close(batch_hard_triplet_loss(x, labels), sum(terms) / len(terms), atol=1e-10)
    assert found != naive(x.tolist(), LABELS)


@pytest.mark.parametrize("soft", [True, False])
def test_gradcheck(soft):
    labels = torch.tensor([0, 0, 1, 1, 2])
    gradcheck(lambda x: batch_hard_triplet_loss(x, labels, 1.0, soft), torch.randn(5, 3))


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["one class", "no positives"])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_no_triplet(labels, soft, reduction):
    x, labels = torch.randn(3, 4, requires_grad=True), torch.tensor(labels)
    assert [len(m) for m in mine_batch_hard(x, labels)] == [0, 0, 0]
    assert_zero_with_gradient(batch_hard_triplet_loss(x, labels, soft=soft, reduction=reduction), x)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_empty(reduction):
    x, labels = torch.zeros(0, 4, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    assert [len(m) for m in mine_batch_hard(x, labels)] == [0, 0, 0]
    loss = batch_hard_triplet_loss(x, labels, reduction=reduction)
    assert loss.shape == ((0,) if reduction == "none" else ())
    assert_zero_with_gradient(loss, x)


def test_identical_takes_the_first_of_equals():
    x, labels = torch.full((4, 3), 0.3, requires_grad=True), torch.tensor([0, 0, 1, 1])
    mined = mine_batch_hard(x, labels)
    assert [m.tolist() for m in mined] == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 2, 0, 0]]
    loss = batch_hard_triplet_loss(x, labels, margin=0.5)
    assert loss == 0.5
    assert_zero_with_gradient(loss - 0.5, x)


def test_nan_stays_nan():
    x = torch.randn(4, 3)
    x[1, 1] = math.nan
    assert batch_hard_triplet_loss(x, torch.tensor([0, 0, 1, 1])).isnan()


def test_property_harder_than_any_other_triplet():
    x, labels = torch.randn(12, 4), torch.arange(12) // 3
    d = torch.cdist(F.normalize(x), F.normalize(x))
    a, p, n = mine_batch_hard(x, labels)
    same = labels[:, None] == labels
    assert (d[a, p, None] >= d.where(same, 0) - 1e-6).all()
    assert (d[a, n, None] <= d.where(~same, 9) + 1e-6).all()


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    for f in (mine_batch_hard, batch_hard_triplet_loss):
        with refuses("embeddings"):
            f(x.long(), labels)
        with refuses("labels"):
            f(x, labels[:2])
    with refuses("margin"):
        batch_hard_triplet_loss(x, labels, margin=-1)
    with refuses("reduction"):
        batch_hard_triplet_loss(x, labels, reduction="nonzero")
