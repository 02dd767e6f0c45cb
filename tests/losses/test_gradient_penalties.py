"""Gradients as losses: closed forms, finite differences, precision, what they refuse."""

import pytest
import torch
from torch import nn

from cvcourse.losses import path_length_penalty, path_lengths, r1_penalty
from tests import oracle
from tests.losses.helpers import assert_close, gradcheck, refuses

FILE = "generative/losses.json"


@pytest.mark.parametrize("case", oracle.cases("r1_penalty", FILE))
def test_r1_of_a_closed_form(case):
    x, weight = case["inputs"]["x"].requires_grad_(), case["inputs"]["weight"]
    scores = torch.tanh(x @ weight.T)
    each = r1_penalty(scores, x, reduction="none")
    assert_close(each, case["expected"]["per_sample"], case["atol"])
    assert_close(r1_penalty(scores, x) / 2, case["expected"]["starganv2"], case["atol"])
    assert_close(r1_penalty(scores, x, reduction="sum"), each.sum().detach(), case["atol"])


def test_r1_can_be_differentiated():
    def penalty(weight):
        x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3).requires_grad_()
        return r1_penalty(torch.tanh(x @ weight), x)

    gradcheck(penalty, torch.randn(3, 2))


def test_r1_of_nothing():
    x = torch.zeros(0, 3, requires_grad=True)
    assert r1_penalty(x.sum(1), x) == 0


def test_r1_of_single_numbers():
    """Numbers that are not in a vector, each its own picture: the slope's square."""
    x = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64).requires_grad_()
    each = r1_penalty(x**2 + 3 * x, x, reduction="none")
    assert_close(each, (2 * x + 3).square().detach(), 1e-12)


@pytest.mark.parametrize("case", oracle.cases("path_length", FILE))
@pytest.mark.parametrize("layers", [1, 3])
def test_lengths_of_a_linear_generator(case, layers):
    """With several latents that each move the picture alike, the mean over them is that of one."""
    jacobian, noise = case["inputs"]["jacobian"], case["inputs"]["noise"]
    w = torch.randn(2, layers, 5).double().requires_grad_()
    images = (w.sum(1) @ jacobian.T).view(2, 3, 4, 4)
    lengths = path_lengths(images, w, noise)
    assert_close(lengths, case["expected"]["lengths"], case["atol"])


def test_lengths_are_those_of_finite_steps():
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8)).double()
    w, y = torch.randn(2, 3).double().requires_grad_(), torch.randn(2, 2, 2, 2).double()

    def along(w):
        return (net(w).view(2, 2, 2, 2) * y).flatten(1).sum(1) / 2

    steps = [(along(w + 1e-6 * e) - along(w - 1e-6 * e)) / 2e-6 for e in torch.eye(3).double()]
    want = torch.stack(steps, 1).square().sum(1).sqrt().detach()
    assert_close(path_lengths(net(w).view(2, 2, 2, 2), w, y), want, 1e-8)


def test_drawn_noise_measures_the_size_of_the_jacobian():
    """E ‖Jᵀy‖² is ‖J‖² / HW for y ~ N(0, I) / √HW."""
    jacobian = torch.randn(12, 3).double()
    w = torch.zeros(20_000, 3).double().requires_grad_()
    lengths = path_lengths((w @ jacobian.T).view(-1, 3, 2, 2), w)
    want = (jacobian.square().sum() / 4).item()
    assert lengths.square().mean().item() == pytest.approx(want, rel=0.02)


def test_penalty_by_hand():
    """The mean moves first: from 1 a tenth of the way to 3."""
    lengths = torch.tensor([2.0, 4.0], dtype=torch.float64, requires_grad=True)
    loss, mean = path_length_penalty(lengths, torch.tensor(1.0).double(), decay=0.1)
    assert_close(mean, 1.2)
    assert_close(loss, (0.8**2 + 2.8**2) / 2)
    assert not mean.requires_grad
    assert_close(torch.autograd.grad(loss, lengths)[0], [0.8, 2.8])
    each = path_length_penalty(lengths, mean, decay=0.0, reduction="none").loss
    assert_close(each, [0.8**2, 2.8**2])


def test_penalty_of_nothing_leaves_the_mean():
    loss, mean = path_length_penalty(torch.zeros(0), torch.tensor(2.0))
    assert (loss, mean) == (0, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    x = torch.randn(2, 3, 4, 4).to(dtype).requires_grad_()
    assert r1_penalty((300 * x).flatten(1).sum(1), x).item() == 300**2 * 48
    w = torch.randn(2, 4).to(dtype).requires_grad_()
    lengths = path_lengths(w.view(2, 1, 2, 2) * 300, w)
    assert lengths.dtype == torch.float32
    assert lengths.isfinite().all()


def test_under_autocast():
    x = torch.randn(4, 6, requires_grad=True)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    want = r1_penalty(net(x), x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = r1_penalty(net(x), x)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want, rtol=0.05, atol=0)


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3, requires_grad=True)
    with refuses("scores"):
        r1_penalty(x.detach().sum(1)[:1], x)
    with refuses("images"):
        r1_penalty(x.sum(1), x.detach())
    with refuses("reduction"):
        r1_penalty(x.sum(1), x, reduction="max")
    w = torch.zeros(2, 3, requires_grad=True)
    images = w.view(2, 3, 1, 1)
    with refuses("images"):
        path_lengths(images[0], w)
    with refuses("latents"):
        path_lengths(images, w.detach())
    with refuses("latents"):
        path_lengths(images, w[:1])
    with refuses("noise"):
        path_lengths(images, w, torch.zeros(2, 3, 2, 1))
    with refuses("mean_length"):
        path_length_penalty(torch.zeros(2), torch.zeros(1))
    with refuses("decay"):
        path_length_penalty(torch.zeros(2), torch.zeros(()), decay=2)
    with refuses("lengths"):
        path_length_penalty(torch.zeros(2, 1), torch.zeros(()))
