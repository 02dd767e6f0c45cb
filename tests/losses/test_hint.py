import json

import pytest
import torch

from cvcourse.losses import HintRegressor, hint_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses

ORACLE = json.loads((oracle.FOLDER / "transfer" / "hint.json").read_text(encoding="utf-8"))


def tensor(stored) -> torch.Tensor:
    return torch.tensor(stored["data"], dtype=torch.float64).view(stored["shape"])


@pytest.mark.parametrize("case", ORACLE["cases"])
def test_oracle_fitnets(case):
    student, teacher = tensor(case["student"]).requires_grad_(), tensor(case["teacher"])
    loss = hint_loss(student, teacher)
    loss.backward()
    assert_close(loss, case["fitnets_half_squared"])
    assert_close(student.grad, tensor(case["grad_half"]))
    channels = student.shape[1]
    assert_close(loss * 2 / channels, case["repdistiller_mse"])  # the mean over everything


def test_naive_loop_and_reductions():
    u, r = torch.randn(2, 2, 3, 2, 2).double()
    want = torch.zeros(2, 2, 2, dtype=torch.float64)
    for b in range(2):
        for i in range(2):
            for j in range(2):
                want[b, i, j] = sum((u[b, c, i, j] - r[b, c, i, j]) ** 2 for c in range(3)) / 2
    assert_close(hint_loss(u, r, "none"), want)
    assert_close(hint_loss(u, r, "sum"), want.sum())
    assert_close(hint_loss(u, r), want.mean())


def test_gradcheck():
    teacher = torch.randn(2, 3, 2).double()
    gradcheck(lambda s: hint_loss(s, teacher), torch.randn(2, 3, 2))


def test_teacher_is_detached():
    s, t = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    hint_loss(s, t).backward()
    assert s.grad is not None
    assert t.grad is None


def test_empty_batch():
    s = torch.randn(0, 3, 2, 2, requires_grad=True)
    assert_zero_with_gradient(hint_loss(s, s.detach()), s)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    s, t = 200 * torch.randn(2, 2, 64, 4, 4).to(dtype)  # squares that overflow in float16
    loss = hint_loss(s, t)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, hint_loss(s.double(), t.double()).float())


@pytest.mark.as_user
def test_refuses():
    x = torch.randn(2, 3, 4)
    with refuses("guided"):
        hint_loss(x.long(), x)
    with refuses("guided"):
        hint_loss(x[0, 0], x[0, 0])
    with refuses("hint"):
        hint_loss(x, x[:, :2])
    with refuses("reduction"):
        hint_loss(x, x, "mean")


@pytest.mark.parametrize(("student", "teacher", "kernel"), ORACLE["regressor_kernels"])
def test_regressor_has_the_kernel_of_fitnets(student, teacher, kernel):
    regressor = HintRegressor(3, 5, in_size=student, out_size=teacher)
    assert regressor[0].kernel_size == (kernel, kernel)
    fitted = regressor(torch.randn(2, 3, student, student))
    assert fitted.shape == (2, 5, teacher, teacher)
    assert (fitted >= 0).all()


def test_regressor_of_a_map_that_is_too_small():
    with refuses("in_size"):
        HintRegressor(3, 5, in_size=7, out_size=8)
