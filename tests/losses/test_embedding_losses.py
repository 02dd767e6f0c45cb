"""Circle, margin and prototypical loss: others' values, closed forms, what they refuse."""

import math

import pytest
import torch

from cvcourse.losses import circle_loss, margin_loss, prototypical_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
)

LABELS = torch.tensor([0, 0, 1, 1, 1, 2, 0])
NO_TRIPLETS = (torch.ones(2).long(), *[torch.zeros(1).long()] * 3)
FILE = "less_supervision/cases.json"


def test_circle_naive_loop():
    x = torch.nn.functional.normalize(torch.randn(7, 4).double())
    s, want = (x @ x.T).tolist(), []
    for i in range(7):
        near = [s[i][j] for j in range(7) if j != i and LABELS[j] == LABELS[i]]
        far = [s[i][j] for j in range(7) if LABELS[j] != LABELS[i]]
        pull = sum(math.exp(-4 * max(0, 1.4 - p) * (p - 0.6)) for p in near)
        push = sum(math.exp(4 * max(0, n + 0.4) * (n - 0.4)) for n in far)
        want.append(math.log(1 + pull * push) if near else 0.0)
    assert_close(circle_loss(x, LABELS, gamma=4.0, reduction="none"), want)
    assert_close(circle_loss(x, LABELS, gamma=4.0), sum(want) / 6)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_circle_without_pairs_of_both_kinds(labels):
    x = torch.randn(3, 4, requires_grad=True)
    assert_zero_with_gradient(circle_loss(x, torch.tensor(labels)), x)


def test_circle_gradients_are_finite_for_equal_vectors():
    x = torch.ones(6, 4, requires_grad=True)
    assert_finite_gradient(circle_loss(x, torch.arange(6) // 2), x)


@pytest.mark.parametrize("case", oracle.cases("margin_loss", FILE))
def test_margin_equals_pytorch_metric_learning(case):
    def adapted(embeddings, beta, labels, anchors, positives, negatives, margin, nu):
        return margin_loss(embeddings, labels, anchors, positives, negatives, beta, margin, nu)

    oracle.assert_matches(case, adapted)


def test_margin_by_hand():
    """Unit vectors at 0, 60 and 180 degrees: distances 1 and 2."""
    x = torch.tensor([[1.0, 0], [0.5, 0.75**0.5], [-1.0, 0]], dtype=torch.float64)
    triplet = (torch.tensor([0]), torch.tensor([1]), torch.tensor([2]))
    labels = torch.tensor([0, 0, 1])
    for beta, want in ((0.9, 0.3), (1.2, 0.0), (1.9, 0.1), (1.5, 0.0)):
        got = margin_loss(x, labels, *triplet, torch.tensor(beta, dtype=torch.float64))
        assert_close(got, want)


def test_margin_one_boundary_is_that_of_every_class():
    x, labels = torch.randn(9, 4).double(), torch.arange(9) // 3
    triplets = (torch.arange(9), torch.arange(9) // 3 * 3, (torch.arange(9) + 3) % 9)
    alone = margin_loss(x, labels, *triplets, torch.tensor(1.1, dtype=torch.float64), nu=0.3)
    each = margin_loss(x, labels, *triplets, torch.full((3,), 1.1, dtype=torch.float64), nu=0.3)
    assert_close(alone, each)


def test_margin_gradcheck():
    x, beta = torch.randn(6, 3).double(), torch.tensor([1.0, 1.3]).double()
    triplets = (torch.tensor([0, 3]), torch.tensor([1, 4]), torch.tensor([5, 2]))
    labels = torch.arange(6) // 3
    gradcheck(lambda x, beta: margin_loss(x, labels, *triplets, beta, nu=0.1), x, beta)


@pytest.mark.parametrize("case", oracle.cases("prototypical_loss", FILE))
def test_prototypical_equals_the_authors(case):
    def adapted(support, query):
        ways, per_class, _ = query.shape
        labels = torch.arange(ways).repeat_interleave(per_class)
        queries, prototypes = query.flatten(0, 1), support.mean(1)
        found = torch.cdist(queries, prototypes).argmin(1)
        value = prototypical_loss(queries, prototypes, labels)
        return {"value": value, "accuracy": (found == labels).double().mean()}

    oracle.assert_matches(case, adapted)


def test_prototypical_by_hand():
    queries, prototypes = torch.tensor([[1.0]]), torch.tensor([[0.0], [3.0]])
    want = -math.log(math.exp(-1 / 2) / (math.exp(-1 / 2) + math.exp(-4 / 2)))
    got = prototypical_loss(queries, prototypes, torch.tensor([0]), temperature=2.0)
    assert got.item() == pytest.approx(want)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: circle_loss(torch.ones(2, 2), torch.ones(2).long(), margin=2), "margin must be"),
        (lambda: circle_loss(torch.ones(2, 2), torch.ones(2).long(), gamma=0), "gamma must be"),
        (
            lambda: margin_loss(torch.ones(2, 2), *NO_TRIPLETS, torch.ones(1, 1)),
            r"beta must have shape \(\) or \(classes,\)",
        ),
        (
            lambda: prototypical_loss(torch.ones(2, 3), torch.ones(2, 4), torch.zeros(2).long()),
            r"prototypes must have shape \(N, 3\)",
        ),
        (
            lambda: prototypical_loss(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0, 2])),
            r"labels must have values in \[0, 1\], got 2",
        ),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
