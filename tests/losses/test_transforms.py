"""`torch.func`: gradients and batches of every loss, beside autograd and a loop."""

import pytest
import torch

from cvcourse import losses
from tests.losses.examples import LOSSES, convert, tensors

NAMES = sorted(LOSSES)
NOT_FORWARD = {"mimic_loss": "PyTorch has no forward derivative of embedding_bag, nor a second one"}

NOT_A_SLOPE = {
    "circle_loss": "how hard a pair is pulled is a constant in the gradient, as in the paper",
    "complete_box_iou_loss": "its α is a constant in the gradient, as in the paper",
}


def as_function(name, dtype=torch.float32):
    """The loss as a function of its first tensor, or of a list's first layer; and that tensor."""
    first, *others = convert(LOSSES[name](), lambda x: x.to(dtype))

    def loss(x):
        return getattr(losses, name)(
            [x, *first[1:]] if isinstance(first, list) else x, *others
        ).sum()

    return loss, tensors(first)[0]


def gradient_of(loss, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


@pytest.mark.parametrize("name", NAMES)
def test_grad(name):
    loss, x = as_function(name)
    torch.testing.assert_close(torch.func.grad(loss)(x), gradient_of(loss, x))


@pytest.mark.parametrize("name", NAMES)
def test_vmap(name):
    loss, x = as_function(name)
    several = torch.stack([x, 1.1 * x, x.flip(0)])
    torch.testing.assert_close(
        torch.vmap(loss)(several), torch.stack([loss(each) for each in several])
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_for_each_of_several(name):
    loss, x = as_function(name)
    several = torch.stack([x, 1.1 * x, x.flip(0)])
    got = torch.vmap(torch.func.grad(loss))(several)
    torch.testing.assert_close(got, torch.stack([gradient_of(loss, each) for each in several]))


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - NOT_FORWARD.keys()))
def test_jvp_is_the_gradient_in_a_direction(name):
    loss, x = as_function(name)
    direction = torch.randn_like(x)
    _, got = torch.func.jvp(loss, (x,), (direction,))
    torch.testing.assert_close(got, (gradient_of(loss, x) * direction).sum(), check_dtype=False)


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - NOT_FORWARD.keys() - NOT_A_SLOPE.keys()))
def test_second_derivative_is_the_slope_of_the_first(name):
    loss, x = as_function(name, torch.float64)
    direction = torch.randn_like(x)
    _, got = torch.func.jvp(torch.func.grad(loss), (x,), (direction,))
    step = 1e-6 * direction
    want = (gradient_of(loss, x + step) - gradient_of(loss, x - step)) / 2e-6
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", sorted(NOT_FORWARD))
def test_the_others_still_have_none(name):
    """If this one works some day, its reason above is out of date."""
    loss, x = as_function(name)
    with pytest.raises(NotImplementedError, match="embedding_bag"):
        torch.func.jvp(loss, (x,), (x,))
