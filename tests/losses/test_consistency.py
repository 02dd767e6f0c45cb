import pytest
import torch

from cvcourse.losses import consistency_loss, distillation_loss
from tests import oracle
from tests.losses.helpers import assert_zero_with_gradient, gradcheck, refuses

CASES = "less_supervision/cases.json"


@pytest.mark.parametrize("case", oracle.cases("consistency_mse", CASES))
def test_the_authors_squares(case):
    oracle.assert_matches(
        case, lambda student, teacher: consistency_loss(student, teacher.softmax(1), "sum")
    )


@pytest.mark.parametrize("case", oracle.cases("consistency_kl", CASES))
def test_the_authors_divergence_is_distillation(case):
    oracle.assert_matches(
        case,
        lambda student, teacher: distillation_loss(student, teacher, 1.0, reduction="sum"),
    )


def test_by_hand():
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]]).double()
    target = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).double()
    assert consistency_loss(logits, target, "none").tolist() == [0.25, 0]
    assert consistency_loss(logits, target).item() == 0.125


def test_of_maps_and_of_nothing():
    maps, target = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5).softmax(1)
    each = consistency_loss(maps, target, "none")
    assert each.shape == (2, 4, 5)
    want = consistency_loss(maps[:, :, 1, 2], target[:, :, 1, 2], "none")
    torch.testing.assert_close(each[:, 1, 2], want)
    nothing = torch.zeros(0, 3, requires_grad=True)
    assert_zero_with_gradient(consistency_loss(nothing, torch.zeros(0, 3)), nothing)


def test_gradient():
    target = torch.randn(4, 3).double().softmax(1)
    gradcheck(lambda x: consistency_loss(x, target), torch.randn(4, 3))
    target.requires_grad_()
    logits = torch.randn(4, 3).double().requires_grad_()
    consistency_loss(logits, target).backward()
    assert target.grad is None


@pytest.mark.as_user
def test_bad_input():
    logits = torch.zeros(2, 3)
    with refuses("logits"):
        consistency_loss(torch.zeros(3), torch.zeros(3))
    with refuses("target"):
        consistency_loss(logits, torch.zeros(2, 4))
    with refuses("target"):
        consistency_loss(logits, torch.zeros(2, 3).long())
    with refuses("reduction"):
        consistency_loss(logits, logits, "batchmean")
