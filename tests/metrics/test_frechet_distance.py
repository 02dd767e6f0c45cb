"""The distance of two Gaussians: closed forms, SciPy's root of a matrix, samples of low rank."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from cvcourse.metrics import frechet_distance


def by_scipy(x, y):
    """As NVlabs and pytorch-fid compute it, from NumPy's covariances."""
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    means = np.square(x.mean(0) - y.mean(0)).sum()
    return means + np.trace(a + b - 2 * sqrtm(a @ b).real)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 40, 5), (500, 30, 12), (20, 21, 1)])
def test_equals_the_root_of_the_product(n, m, d):
    x, y = torch.randn(n, d).double() @ torch.randn(d, d).double(), torch.randn(m, d).double() + 1
    want = by_scipy(x.numpy(), y.numpy()) if d > 1 else None
    if d == 1:  # (μ1 - μ2)² + (σ1 - σ2)²
        want = (x.mean() - y.mean()).square() + (x.std() - y.std()).square()
    assert frechet_distance(x, y).item() == pytest.approx(float(want), rel=1e-9)


def test_covariances_that_commute():
    """Corners of boxes with half sides a and b: variances a² and b², up to N / (N - 1)."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 3)
    a, b = torch.tensor([1.0, 2.0, 5.0]).double(), torch.tensor([3.0, 2.0, 1.0]).double()
    want = (8 / 7) * (a - b).square().sum() + 3 * 0.5**2
    found = frechet_distance(corners * a, corners * b + 0.5)
    assert found.item() == pytest.approx(want.item(), rel=1e-12)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_fewer_samples_than_features(n):
    """Padding with constant features, and turning them, changes nothing; nor does repeating."""
    torch.manual_seed(n)
    x, y = torch.randn(n, 3).double(), 2 * torch.randn(n + 1, 3).double() + 0.3
    turn = torch.linalg.qr(torch.randn(50, 50).double()).Q
    wide = [torch.nn.functional.pad(v, (0, 47), value=0.7) @ turn for v in (x, y)]
    small = frechet_distance(x, y).item()
    assert frechet_distance(*wide).item() == pytest.approx(small, rel=1e-9)


def test_low_rank_by_a_basis():
    """Both in the same plane of 30 dimensions: SciPy's answer within the plane."""
    basis = torch.linalg.qr(torch.randn(30, 2).double()).Q
    x, y = torch.randn(9, 2).double(), torch.randn(12, 2).double() * 3
    found = frechet_distance(x @ basis.T, y @ basis.T).item()
    assert found == pytest.approx(by_scipy(x.numpy(), y.numpy()), rel=1e-9)


def test_the_same_sample_has_no_distance():
    x = torch.randn(6, 40)
    assert frechet_distance(x, x.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert frechet_distance(x, x + 2).item() == pytest.approx(4 * 40, rel=1e-6)


def test_symmetric_and_turned():
    x, y = torch.randn(30, 6).double(), torch.randn(20, 6).double() + 1
    turn = torch.linalg.qr(torch.randn(6, 6).double()).Q
    want = frechet_distance(x, y).item()
    assert frechet_distance(y, x).item() == pytest.approx(want, rel=1e-10)
    assert frechet_distance(x @ turn, y @ turn).item() == pytest.approx(want, rel=1e-10)


def test_equals_torchmetrics():
    fid = pytest.importorskip("torchmetrics.image.fid", reason="the extra `bench` is missing")
    x, y = torch.randn(400, 8).double(), torch.randn(300, 8).double() * 1.5 + 0.2
    statistics = [s for v in (x, y) for s in (v.mean(0), torch.cov(v.T))]
    want = fid._compute_fid(*statistics).item()
    assert frechet_distance(x, y).item() == pytest.approx(want, rel=1e-7)


def test_one_or_none():
    x = torch.randn(5, 3)
    assert math.isnan(frechet_distance(x[:1], x))
    assert math.isnan(frechet_distance(x, x[:0]))
    assert frechet_distance(x, x).dtype == torch.float64


def test_gradient():
    x, y = torch.randn(7, 3).double().requires_grad_(), torch.randn(5, 3).double()
    assert torch.autograd.gradcheck(lambda x: frechet_distance(x, y), x)


@pytest.mark.as_user
def test_bad_input():
    x = torch.randn(5, 3)
    with pytest.raises(ValueError, match=r"features must be \(batch, features\), got \(5,\)"):
        frechet_distance(x[:, 0], x)
    with pytest.raises(ValueError, match="features and target must be of one length, got 3 and 2"):
        frechet_distance(x, x[:, :2])
    with pytest.raises(ValueError, match="target must be floating point"):
        frechet_distance(x, x.long())
