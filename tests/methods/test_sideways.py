import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.methods import sideways


def three_modules():
    torch.manual_seed(0)
    layers = [(5, 7), (7, 6), (6, 3)]
    return [nn.Sequential(nn.Linear(a, b), nn.Tanh()).double() for a, b in layers]


def gradients(modules):
    return [p.grad for module in modules for p in module.parameters()]


@pytest.mark.parametrize("ticks", [6, 7, 11])
def test_on_a_still_video_it_is_backpropagation(ticks):
    modules, x = three_modules(), torch.rand(4, 5).double()
    target = torch.arange(4) % 3
    loss = lambda y, _: F.cross_entropy(y, target)  # noqa: E731
    twin = copy.deepcopy(modules)
    value = sideways(modules, [x] * ticks, loss)
    expected = loss(nn.Sequential(*twin)(x), 0)
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), check_dtype=False)
    for ours, theirs in zip(gradients(modules), gradients(twin), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return self.factor * x**2


def test_by_hand_on_a_moving_video():
    """y = b (a x²)², loss y. A gradient of 1 meets b at the next tick, and a at the one after."""
    a, b, x = Times(0.5), Times(3.0), torch.tensor([1.0, 2, 3, 4, 5])
    value = sideways([a, b], list(x), lambda y, _: y)
    # counted: ticks 4 and 5. Module 2 sees h = a x² of the tick before; dy/db = h².
    h = 0.5 * x**2
    assert b.factor.grad == (h[2] ** 2 + h[3] ** 2) / 2
    # At ticks 3 and 4 module 2 passed on dy/dh = 2 b h at what it saw then: h of frames 2 and 3.
    # At ticks 4 and 5 module 1 sees frames 4 and 5: da = that · x².
    assert a.factor.grad == (6 * h[1] * x[3] ** 2 + 6 * h[2] * x[4] ** 2) / 2
    assert value == (3 * h[2] ** 2 + 3 * h[3] ** 2) / 2


def test_the_loss_knows_which_frame_it_judges():
    modules, seen = three_modules(), []

    def loss(y, frame):
        seen.append(frame)
        return y.sum()

    sideways(modules, torch.rand(8, 2, 5).double(), loss)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_gradients_add_up_over_clips_and_frozen_modules_pass_them_on():
    modules, frames = three_modules(), torch.rand(6, 2, 5).double()
    modules[1].requires_grad_(False)
    sideways(modules, frames, lambda y, _: y.square().sum())
    once = [p.grad.clone() for p in modules[0].parameters()]
    assert all(gradient.any() for gradient in once)
    assert all(p.grad is None for p in modules[1].parameters())
    sideways(modules, frames, lambda y, _: y.square().sum())
    for p, gradient in zip(modules[0].parameters(), once, strict=True):
        torch.testing.assert_close(p.grad, 2 * gradient)


@pytest.mark.as_user
def test_bad_input():
    modules = three_modules()
    with pytest.raises(ValueError, match="frames: expected at least 6, 2 a module, got 5"):
        sideways(modules, torch.rand(5, 2, 5).double(), lambda y, _: y.sum())
    with pytest.raises(ValueError, match="modules: expected at least one"):
        sideways([], torch.rand(5, 2, 5), lambda y, _: y.sum())

    class Cut(nn.Linear):
        def forward(self, x):
            return super().forward(x).detach()

    with pytest.raises(ValueError, match="the output of Cut has no gradient"):
        sideways([nn.Linear(3, 3), Cut(3, 3)], torch.rand(4, 2, 3), lambda y, _: y.sum())
