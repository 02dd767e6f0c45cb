import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import sigmoid_focal_loss
from cvcourse.losses.sigmoid_focal import _can_fuse, _focal
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    gradients,
    refuses,
)

GAMMAS = [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 5.0]


@pytest.mark.parametrize("case", oracle.cases("sigmoid_focal_loss"))
def test_oracle_torchvision(case):
    def adapter(inputs, targets, **options):
        loss = sigmoid_focal_loss(inputs, targets, **options)
        # torchvision's mean of nothing is nan, ours 0
        return loss * math.nan if case["case"] == "empty, mean is nan" else loss

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("case", oracle.cases("sigmoid_focal_loss/kornia"))
def test_oracle_kornia(case):
    """kornia takes soft targets as a mixture of two losses, and has an ignored label."""

    def adapter(inputs, targets, alpha, gamma, reduction, ignore_index=-100):
        t = targets.where(targets != ignore_index, 0)
        as_one, as_zero = (
            sigmoid_focal_loss(inputs, torch.full_like(t, label), alpha, gamma) for label in (1, 0)
        )
        loss = (t * as_one + (1 - t) * as_zero) * (targets != ignore_index)
        return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]

    oracle.assert_matches(case, adapter)


def golden_cases():
    for name in oracle.goldens():
        if name.startswith("focal/a"):
            alpha, gamma, reduction = name.removeprefix("focal/a").replace("_g", "_").split("_")
            yield pytest.param(name, float(alpha), float(gamma), reduction, id=name)


@pytest.mark.parametrize(("name", "alpha", "gamma", "reduction"), list(golden_cases()))
def test_golden_torchvision_kernel(name, alpha, gamma, reduction):
    golden = oracle.goldens()
    loss = sigmoid_focal_loss(golden["focal/x"], golden["focal/y"], alpha, gamma, reduction)
    torch.testing.assert_close(loss, golden[name], rtol=1e-6, atol=1e-6)


def naive(x, t, alpha, gamma):
    p = 1 / (1 + math.exp(-x))
    p_t = p * t + (1 - p) * (1 - t)
    ce = -t * math.log(p) - (1 - t) * math.log(1 - p)
    weight = 1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return weight * (1 - p_t) ** gamma * ce


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", [None, 0.0, 0.25, 1.0])
def test_naive_loop_with_soft_targets(alpha, gamma):
    x, t = torch.randn(3, 4).double(), torch.rand(3, 4).double()
    pairs = zip(x.flatten().tolist(), t.flatten().tolist(), strict=True)
    want = torch.tensor([naive(*pair, alpha, gamma) for pair in pairs], dtype=torch.float64).view(
        3, 4
    )
    assert_close(sigmoid_focal_loss(x, t, alpha, gamma), want)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradcheck(gamma, reduction):
    t = torch.tensor([[0.0, 1.0, 0.3], [1.0, 0.0, 0.8]]).double()
    gradcheck(lambda x: sigmoid_focal_loss(x, t, 0.25, gamma, reduction), torch.randn(2, 3))


def test_gradcheck_of_soft_targets():
    gradcheck(lambda x, t: sigmoid_focal_loss(x, t), torch.randn(2, 3), torch.rand(2, 3))


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("kind", ["hard", "soft", "int", "bool"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_fused_equals_plain(gamma, alpha, kind, reduction):
    x = (4 * torch.randn(200_000)).requires_grad_()  # more than one piece
    t = {
        "hard": lambda: (torch.rand(x.shape) < 0.1).float(),
        "soft": lambda: torch.rand(x.shape),
        "int": lambda: torch.randint(2, x.shape),
        "bool": lambda: torch.rand(x.shape) < 0.5,
    }[kind]()
    assert _can_fuse(x, t, reduction)
    fused = sigmoid_focal_loss(x, t, alpha, gamma, reduction)
    wide = x.detach().double().requires_grad_()
    plain = getattr(_focal(wide, t.double(), alpha, gamma), reduction)()
    torch.testing.assert_close(fused.double(), plain, rtol=1e-6, atol=1e-9)
    (got,), (want,) = gradients(fused, x), gradients(plain, wide)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-6)


def test_fused_takes_any_layout():
    x, t = torch.randn(5, 7), (torch.rand(5, 7) < 0.5).float()
    turned = x.T.clone().T.requires_grad_()
    loss = sigmoid_focal_loss(turned, t, reduction="sum")
    assert_close(loss, sigmoid_focal_loss(x, t, reduction="sum"), atol=1e-6)
    leaf = x.requires_grad_()
    want = gradients(sigmoid_focal_loss(leaf, t, reduction="sum"), leaf)
    torch.testing.assert_close(gradients(loss, turned), want)


def test_fused_gradients_accumulate():
    x, t = torch.randn(5, requires_grad=True), torch.ones(5)
    loss = sigmoid_focal_loss(x, t, reduction="sum")
    (once,) = torch.autograd.grad(loss, x, retain_graph=True)
    once = once.clone()
    for times in (1, 2, 3):
        loss.backward(retain_graph=True)
        torch.testing.assert_close(x.grad, times * once)


def second_derivative(x, scale):
    loss = sigmoid_focal_loss(x, torch.tensor([0.0, 1.0, 0.5]), reduction="sum")
    (gradient,) = torch.autograd.grad(scale * loss, x, create_graph=True)
    return torch.autograd.grad(gradient.square().sum(), (x, scale))


def test_fused_can_be_differentiated_twice():
    x, scale = torch.randn(3, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    wide_x, wide_scale = (v.detach().double().requires_grad_() for v in (x, scale))
    got, want = second_derivative(x, scale), second_derivative(wide_x, wide_scale)
    torch.testing.assert_close([g.double() for g in got], list(want), rtol=1e-5, atol=1e-6)


def test_plain_can_be_differentiated_twice():
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: sigmoid_focal_loss(x, torch.ones(5)), x)


def test_without_gradient():
    x, t = torch.randn(5), torch.ones(5)
    with torch.no_grad():
        loss = sigmoid_focal_loss(x, t, reduction="sum")
    assert not loss.requires_grad
    assert_close(loss, sigmoid_focal_loss(x, t).sum(), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_saturated_logits_have_finite_gradients(dtype, gamma, reduction):
    x = torch.tensor([-1e4, -100, -40, -17, 0, 17, 40, 100, 1e4], dtype=dtype, requires_grad=True)
    for targets in (torch.zeros(9), torch.ones(9), torch.full((9,), 0.5)):
        assert_finite_gradient(sigmoid_focal_loss(x, targets, 0.25, gamma, reduction), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_empty(dtype, reduction):
    x = torch.zeros(0, 3, dtype=dtype, requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.zeros(0, 3), reduction=reduction)
    assert loss.shape == ((0, 3) if reduction == "none" else ())
    assert_zero_with_gradient(loss, x)


def test_nan_stays_nan():
    x, t = torch.tensor([0.0, math.nan]), torch.zeros(2)
    assert sigmoid_focal_loss(x, t).isnan().tolist() == [False, True]
    assert sigmoid_focal_loss(x, t, reduction="sum").isnan()


def test_property_gamma_0_is_binary_cross_entropy():
    x, t = torch.randn(50).double(), torch.rand(50).double()
    want = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    assert_close(sigmoid_focal_loss(x, t, alpha=None, gamma=0), want)


def test_property_alpha_minus_1_is_none():
    x, t = torch.randn(50), torch.rand(50)
    assert (sigmoid_focal_loss(x, t, alpha=-1) == sigmoid_focal_loss(x, t, alpha=None)).all()


@pytest.mark.as_user
def test_bad_input():
    x, t = torch.zeros(2, 3), torch.zeros(2, 3)
    with refuses("inputs"):
        sigmoid_focal_loss(x.long(), t)
    with refuses("targets"):
        sigmoid_focal_loss(x, t[0])
    for alpha in (-0.5, -1e-9, 1 + 1e-9, 1.5, 2, math.nan):
        with refuses("alpha"):
            sigmoid_focal_loss(x, t, alpha=alpha)
    for gamma in (-1, math.nan):
        with refuses("gamma"):
            sigmoid_focal_loss(x, t, gamma=gamma)
    with refuses("reduction"):
        sigmoid_focal_loss(x, t, reduction="avg")
