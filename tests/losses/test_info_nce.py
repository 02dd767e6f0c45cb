import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import info_nce_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("info_nce_loss"))
def test_oracle_pytorch_metric_learning(case):
    oracle.assert_matches(
        case, lambda z0, z1, temperature: info_nce_loss(z0, z1, None, temperature)
    )


@pytest.mark.parametrize("case", oracle.cases("nt_xent_loss/labels"))
def test_oracle_of_labelled_pairs(case):
    """pytorch-metric-learning's NTXentLoss: each positive pair against the anchor's negatives."""

    def adapter(embeddings, labels, temperature):
        same = labels[:, None] == labels
        pairs = [(a, p) for a, p in same.nonzero().tolist() if a != p]
        losses = [
            info_nce_loss(embeddings[[a]], embeddings[[p]], embeddings[~same[a]], temperature)
            for a, p in pairs
        ]
        return torch.stack(losses).mean() if losses else embeddings.sum() * 0

    oracle.assert_matches(case, adapter)


def naive(query, keys_of, temperature):
    """keys_of[i]: the match of query i first, then its negatives."""
    losses = []
    for q, keys in zip(query.tolist(), keys_of, strict=True):
        cosines = [sum(a * b for a, b in zip(q, k, strict=True)) for k in keys.tolist()]
        powers = [math.exp(c / temperature) for c in cosines]
        losses.append(-math.log(powers[0] / sum(powers)))
    return losses


def in_batch(keys):
    return [torch.cat([keys[i : i + 1], keys[:i], keys[i + 1 :]]) for i in range(len(keys))]


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(symmetric, reduction):
    query, key = torch.randn(2, 4, 5).double()
    q, k = F.normalize(query), F.normalize(key)
    want = naive(q, in_batch(k), 0.2)
    if symmetric:
        back = naive(k, in_batch(q), 0.2)
        want = [(a + b) / 2 for a, b in zip(want, back, strict=True)]
    want = {"none": want, "mean": sum(want) / 4, "sum": sum(want)}[reduction]
    loss = info_nce_loss(query, key, None, 0.2, symmetric, reduction)
    assert_close(loss, want)


def test_naive_loop_with_a_queue():
    query, key, queue = torch.randn(4, 5).double(), torch.randn(4, 5).double(), torch.randn(7, 5)
    queue = queue.double()
    keys = [torch.cat([F.normalize(key[i : i + 1]), F.normalize(queue)]) for i in range(4)]
    want = naive(F.normalize(query), keys, 0.3)
    assert_close(info_nce_loss(query, key, queue, 0.3, reduction="none"), want)


@pytest.mark.parametrize("symmetric", [False, True])
def test_gradcheck(symmetric):
    gradcheck(lambda q, k: info_nce_loss(q, k, None, 0.5, symmetric), *torch.randn(2, 3, 4))


def test_gradcheck_with_a_queue():
    gradcheck(lambda q, k, n: info_nce_loss(q, k, n, 0.5), *torch.randn(3, 3, 4))


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("queue", [None, torch.zeros(0, 4)], ids=["in batch", "empty queue"])
def test_empty_and_no_negatives(n, queue):
    query, key = torch.randn(n, 4, requires_grad=True), torch.randn(n, 4, requires_grad=True)
    assert_zero_with_gradient(info_nce_loss(query, key, queue), query, key)


def test_identical():
    z = torch.ones(5, 4, dtype=torch.float64)
    assert_close(info_nce_loss(z, z), math.log(5))


def test_low_temperature_does_not_underflow():
    query = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = info_nce_loss(query, -query, query.detach(), temperature=0.01)
    assert_close(loss, 200.0, atol=1e-4)
    assert_finite_gradient(loss, query)


def test_nan_stays_nan():
    z = torch.randn(3, 4)
    assert info_nce_loss(z, z.index_fill(0, torch.tensor(1), math.nan)).isnan()


def test_property_symmetric_does_not_care_which_is_the_query():
    query, key = torch.randn(2, 6, 5).double()
    got = info_nce_loss(query, key, symmetric=True)
    assert_close(got, info_nce_loss(key, query, symmetric=True))


@pytest.mark.as_user
def test_bad_input():
    z = torch.zeros(2, 3)
    with refuses("query"):
        info_nce_loss(z.long(), z)
    with refuses("query"):
        info_nce_loss(z[0], z[0])
    with refuses("key"):
        info_nce_loss(z, z[:1])
    with refuses("negatives"):
        info_nce_loss(z, z, z[:, :2])
    with refuses("negatives"):
        info_nce_loss(z, z, z[0])
    with refuses("symmetric"):
        info_nce_loss(z, z, z, symmetric=True)
    with refuses("temperature"):
        info_nce_loss(z, z, temperature=0)
    with refuses("reduction"):
        info_nce_loss(z, z, reduction="avg")
