"""The two losses of PULSE, beside the authors' values and angles found another way."""

import math

import numpy as np
import pytest
import torch

from cvcourse.losses import downscale_loss, geodesic_cross_loss
from tests import oracle


def test_cross_equals_the_authors_with_its_gradient():
    _, want = oracle.restoration_golden("pulse")
    generator = torch.Generator().manual_seed(3)
    latents = torch.rand(2, 18, 512, dtype=torch.float64, generator=generator) * 2 - 1
    latents.requires_grad_()
    loss = geodesic_cross_loss(latents)
    assert loss.item() == pytest.approx(float(want["geocross"]), abs=1e-9)
    (gradient,) = torch.autograd.grad(loss, latents)
    slices = (gradient[:, :3, :8], gradient[:, ::6, ::64])
    assert any(np.allclose(s, want["geocross_grad"], rtol=0, atol=1e-9) for s in slices)


@pytest.mark.parametrize(("p", "name"), [(2, "l2"), (1, "l1")])
def test_downscale_equals_the_authors(p, name):
    _, want = oracle.restoration_golden("pulse")
    low, target = (torch.from_numpy(want[k]) for k in ("lr", "ref"))
    assert downscale_loss(low, target, p).item() == pytest.approx(float(want[name]), abs=1e-9)
    each = downscale_loss(low, target, p, reduction="none")
    torch.testing.assert_close(each.mean(), downscale_loss(low, target, p, reduction="mean"))
    torch.testing.assert_close(each.sum(), downscale_loss(low, target, p))


def test_angles_of_unit_vectors():
    """θ is the angle between vectors of one length, here by the arc cosine."""
    v = torch.nn.functional.normalize(torch.randn(1, 5, 7, dtype=torch.float64), dim=2)
    cosines = (v @ v.mT).clamp(-1, 1)
    want = 64 * torch.acos(cosines).square().mean()
    torch.testing.assert_close(geodesic_cross_loss(v), want, rtol=1e-6, atol=1e-6)


def test_one_layer_equal_layers_and_opposite_layers():
    v = torch.randn(3, 1, 8, requires_grad=True)
    loss = geodesic_cross_loss(v, "none")
    assert loss.tolist() == [0, 0, 0]
    assert torch.autograd.grad(loss.sum(), v)[0].eq(0).all()
    assert geodesic_cross_loss(v.expand(3, 4, 8)) < 1e-4
    opposite = torch.tensor([[[1.0, 0], [-1, 0]]]).double()
    assert geodesic_cross_loss(opposite).item() == pytest.approx(32 * math.pi**2, rel=1e-3)
    assert geodesic_cross_loss(torch.zeros(0, 4, 8)) == 0


def test_good_enough_has_no_gradient():
    target = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    low = (target + torch.tensor([0.04, 0.5]).view(2, 1, 1, 1)).requires_grad_()
    loss = downscale_loss(low, target, reduction="none")
    torch.testing.assert_close(loss, torch.tensor([2e-3, 0.25]).double())
    gradient = torch.autograd.grad(loss.sum(), low)[0]
    assert gradient[0].eq(0).all()
    assert gradient[1].gt(0).all()


def test_gradcheck():
    v = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(geodesic_cross_loss, v)
    low, target = torch.rand(2, 2, 3, 2, 2, dtype=torch.float64).requires_grad_().unbind()
    for p in (1, 2):
        assert torch.autograd.gradcheck(lambda a, b, p=p: downscale_loss(a, b, p), (low, target))


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="latents must have shape"):
        geodesic_cross_loss(torch.rand(3, 4))
    with pytest.raises(ValueError, match="reduction must be one of"):
        geodesic_cross_loss(torch.rand(1, 3, 4), "batchmean")
    low = torch.rand(1, 3, 2, 2)
    with pytest.raises(ValueError, match="p must be one of"):
        downscale_loss(low, low, 3)
    with pytest.raises(ValueError, match="eps must be a number in"):
        downscale_loss(low, low, eps=-1.0)
    with pytest.raises(ValueError, match="target must have the shape of low"):
        downscale_loss(low, low[..., :1])
    with pytest.raises(ValueError, match="low must have a batch dimension"):
        downscale_loss(low.flatten(), low.flatten())
