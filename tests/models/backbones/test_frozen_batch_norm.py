import torch
from torch import nn

from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d


def _trained_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(5).double().eval()
    norm.load_state_dict({k: torch.rand_like(v.double()) for k, v in norm.state_dict().items()})
    return norm


def test_equals_batch_norm_in_eval_mode_and_loads_its_state_dict():
    norm, x = _trained_norm(), torch.rand(2, 5, 3, 4, dtype=torch.float64)
    frozen = FrozenBatchNorm2d(5).double().train()
    frozen.load_state_dict(norm.state_dict(), strict=True)
    torch.testing.assert_close(frozen(x), norm(x))


def test_eps_zero():
    frozen = FrozenBatchNorm2d(1, eps=0.0)
    frozen.running_var.fill_(1e-6)
    torch.testing.assert_close(frozen(torch.ones(1, 1, 1, 1)), torch.full((1, 1, 1, 1), 1e3))


def test_has_no_parameters_and_lets_gradients_through():
    frozen = FrozenBatchNorm2d(3).double()
    assert not list(frozen.parameters())
    x = torch.rand(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(frozen, x)


def test_the_input_is_not_changed():
    frozen, x = FrozenBatchNorm2d(3), torch.rand(1, 3, 2, 2)
    frozen.bias.fill_(1.0)
    before = x.clone()
    frozen(x)
    assert torch.equal(x, before)
