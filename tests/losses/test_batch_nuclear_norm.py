import math

import pytest
import torch

from cvcourse.losses import batch_nuclear_norm_loss, fast_batch_nuclear_norm_loss
from tests import oracle
from tests.losses.helpers import assert_zero_with_gradient, gradcheck, refuses

CASES = "less_supervision/cases.json"


@pytest.mark.parametrize("case", oracle.cases("batch_nuclear_norm", CASES))
def test_the_authors_numbers(case):
    def adapter(logits):
        return {
            "value": batch_nuclear_norm_loss(logits),
            "value_mean": batch_nuclear_norm_loss(logits, "rank"),
            "value_fast": fast_batch_nuclear_norm_loss(logits),
        }

    oracle.assert_matches(case, adapter, ["value", "value_mean", "value_fast", "grad_logits"])


@pytest.mark.parametrize("case", oracle.cases("batch_nuclear_norm_of_probabilities", CASES))
def test_one_hot_predictions(case):
    logits = 200 * case["inputs"]["probabilities"]
    b, classes = logits.shape
    norms = [-b * batch_nuclear_norm_loss(x).item() for x in (logits, logits[:1].expand(b, -1))]
    uniform = -b * batch_nuclear_norm_loss(torch.zeros_like(logits)).item()
    want = case["expected"]
    assert norms == pytest.approx([float(want["value"]), want["collapsed"]])
    assert uniform == pytest.approx(want["uniform"])
    assert norms[0] == pytest.approx(math.sqrt(b * classes))


@pytest.mark.parametrize(("b", "classes"), [(8, 3), (3, 8), (5, 5), (1, 4), (4, 1)])
def test_bounds(b, classes):
    """Frobenius ≤ nuclear ≤ √min(B, C) Frobenius ≤ √(B min(B, C))."""
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 1, 10, 100):
        logits = scale * torch.randn(b, classes, generator=generator, dtype=torch.float64)
        nuclear = -b * batch_nuclear_norm_loss(logits).item()
        frobenius = logits.softmax(1).norm().item()
        rank = min(b, classes)
        assert frobenius <= nuclear * (1 + 1e-9)
        assert nuclear <= math.sqrt(rank) * frobenius * (1 + 1e-9)
        assert nuclear <= math.sqrt(b * rank) * (1 + 1e-9)
        if classes <= b:  # all columns count
            assert -rank * fast_batch_nuclear_norm_loss(logits).item() >= nuclear * (1 - 1e-9)


def test_equal_singular_values_and_no_rank_have_finite_gradients():
    ties = 30 * torch.eye(4).double()  # all singular values are 1
    collapsed = torch.tensor([[9.0, 0, 0]]).double().expand(5, 3)
    uniform = torch.zeros(6, 3).double()
    for logits in (ties, collapsed, uniform, 1e4 * ties):
        x = logits.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(batch_nuclear_norm_loss(x), x)
        assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e-6
    x = uniform.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(batch_nuclear_norm_loss(x), x)
    assert gradient.abs().max() < 1e-12  # a place of rest


def test_gradcheck():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 4, generator=generator)
    gradcheck(batch_nuclear_norm_loss, logits)
    gradcheck(fast_batch_nuclear_norm_loss, logits)


@pytest.mark.parametrize("loss", [batch_nuclear_norm_loss, fast_batch_nuclear_norm_loss])
def test_nothing(loss):
    x = torch.zeros(0, 3, requires_grad=True)
    assert_zero_with_gradient(loss(x), x)


def test_descent_keeps_classes_that_entropy_gives_up():
    """Two of eight rows lean to class 1: entropy minimisation needs no class 1 for its minimum."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, generator=generator).double()
    pictures = torch.randn(30, 3, generator=generator).double()
    pictures[:, 0] += 1  # nearly all on one side

    def minimum(loss):
        w = weight.clone().requires_grad_()
        for _ in range(400):
            (gradient,) = torch.autograd.grad(loss(pictures @ w), w)
            w = (w - gradient).detach().requires_grad_()
        return (pictures @ w).softmax(1).mean(0).min().item()

    def entropy(logits):
        return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()

    assert minimum(batch_nuclear_norm_loss) > minimum(entropy)


@pytest.mark.as_user
def test_bad_input():
    with refuses("logits"):
        batch_nuclear_norm_loss(torch.zeros(2, 3, 4))
    with refuses("logits"):
        fast_batch_nuclear_norm_loss(torch.zeros(2, 3).long())
    with refuses("divisor"):
        batch_nuclear_norm_loss(torch.zeros(2, 3), "mean")
