"""What many tests of losses say."""

import pytest
import torch
from torch import Tensor


def assert_close(got, want, atol: float = 1e-12) -> None:
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def gradcheck(f, *inputs: Tensor) -> None:
    """Analytic and numerical gradients agree, in float64, for every floating point input."""
    leaves = [x.double().requires_grad_() if x.is_floating_point() else x for x in inputs]
    assert torch.autograd.gradcheck(f, leaves)


def gradients(loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss.sum(), inputs)


def assert_zero_with_gradient(loss: Tensor, *inputs: Tensor) -> None:
    """The loss of nothing: 0, connected to its inputs, with a gradient of zeros."""
    assert (loss == 0).all()
    for gradient in gradients(loss, *inputs):
        assert (gradient == 0).all()


def assert_finite_gradient(loss: Tensor, *inputs: Tensor) -> None:
    assert loss.isfinite().all()
    for gradient in gradients(loss, *inputs):
        assert gradient.isfinite().all()


def refuses(argument: str):
    """A ValueError whose sentence begins with the name of the argument."""
    return pytest.raises(ValueError, match=rf"^{argument} .*, got ")
