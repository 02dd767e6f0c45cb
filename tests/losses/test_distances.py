import pytest
import torch

from cvcourse.losses._distances import distances, pair_masks, pairwise_distances, prepare
from tests.losses.helpers import assert_close, gradcheck


def far_from_the_origin(dtype):
    """Pairs 1e-2 apart, at norm 110: float32 products lose the difference."""
    torch.manual_seed(0)
    x = torch.randn(6, 128)
    x = 110 * x / x.norm(dim=1, keepdim=True)
    return torch.cat([x, x + 1e-2 / 128**0.5, x]).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_far_from_the_origin(dtype):
    x = far_from_the_origin(dtype)
    want = (x[:, None].double() - x.double()).norm(dim=2)
    got = pairwise_distances(x)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=0)
    assert (got.diagonal(12) == 0).all()  # copies


def test_gradient_in_single_precision():
    x = torch.randn(20, 8)
    x[3] = x[5]
    weights = torch.randn(20, 20)
    grads = []
    for dtype in (torch.float32, torch.float64):
        leaf = x.detach().to(dtype).requires_grad_()
        (pairwise_distances(leaf) * weights).sum().backward()
        grads.append(leaf.grad.double())
    assert_close(*grads, atol=1e-4)


def test_autocast_rounds_neither_distances_nor_gradients():
    x, weights = torch.randn(20, 8, requires_grad=True), torch.randn(20, 20)
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            d = pairwise_distances(x)
            results.append([d, *torch.autograd.grad((d * weights).sum(), x)])
    torch.testing.assert_close(*results, rtol=0, atol=0)


def test_gradcheck():
    x = torch.randn(5, 3).double()
    gradcheck(pairwise_distances, x)
    gradcheck(distances, x, torch.randn(5, 3))
    assert torch.autograd.gradgradcheck(pairwise_distances, x.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_vectors_have_distance_and_gradient_0(dtype):
    x = torch.full((4, 3), 0.1, dtype=dtype, requires_grad=True)
    for d in (pairwise_distances(x), distances(x, x.flip(0))):
        assert (d == 0).all()
        (gradient,) = torch.autograd.grad(d.sum(), x)
        assert (gradient == 0).all()


def test_zero_vector_in_half_precision_is_no_nan():
    assert (prepare(torch.zeros(1, 3, dtype=torch.float16), normalize=True) == 0).all()


def test_pair_masks():
    positive, negative = pair_masks(torch.tensor([7, -1, 7]))
    assert positive.tolist() == [[False, False, True], [False] * 3, [True, False, False]]
    assert negative.tolist() == [[False, True, False], [True, False, True], [False, True, False]]
