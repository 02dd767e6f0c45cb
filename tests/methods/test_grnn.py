import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from cvcourse.methods import grnn
from tests import oracle


def data():
    meta, want = oracle.restoration_golden("grnn")
    tensors = {k: torch.from_numpy(v) for k, v in want.items()}
    return tensors, meta["config"]["sigma"]


def test_equals_statsmodels():
    d, sigma = data()
    got = grnn(d["X"], d["Y"], d["Q"], sigma=sigma)
    torch.testing.assert_close(got, d["pred"], rtol=0, atol=1e-10)


def test_equals_scikit_learns_kernel_for_several_targets():
    d, _ = data()
    targets = torch.randn(40, 2, 3, dtype=torch.float64)
    weights = rbf_kernel(d["Q"], d["X"], gamma=1 / (2 * 0.7**2))
    want = np.einsum("qn,nab->qab", weights / weights.sum(1, keepdims=True), targets)
    np.testing.assert_allclose(grnn(d["X"], targets, d["Q"], sigma=0.7), want, rtol=1e-11)


def test_far_from_all_samples_the_nearest_counts():
    d, sigma = data()
    got = grnn(d["X"], d["Y"], d["far_query"], sigma=sigma)
    torch.testing.assert_close(got, d["nearest"], rtol=0, atol=1e-10)
    got = grnn(d["X"].float(), d["Y"].float(), d["far_query"].float(), sigma=sigma)
    assert got.isfinite().all()


def test_limits_of_sigma():
    d, _ = data()
    torch.testing.assert_close(grnn(d["X"], d["Y"], d["X"], sigma=1e-4), d["Y"])
    mean = d["Y"].mean().expand(7)
    torch.testing.assert_close(grnn(d["X"], d["Y"], d["Q"], sigma=1e5), mean)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast(dtype):
    d, sigma = data()
    x, y, q = (d[k].to(dtype) for k in ("X", "Y", "Q"))
    want = grnn(x.double(), y.double(), q.double(), sigma=sigma)
    got = grnn(x, y, q, sigma=sigma)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", dtype=dtype):
        torch.testing.assert_close(grnn(x, y, q, sigma=sigma), got, rtol=0, atol=0)


def test_gradcheck_of_views():
    x, q = torch.randn(2, 5, dtype=torch.float64).T, torch.randn(3, 2, dtype=torch.float64)
    y = torch.randn(5, 2, dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (x, y, q)]
    assert torch.autograd.gradcheck(lambda *args: grnn(*args, sigma=0.8), inputs)


@pytest.mark.as_user
def test_bad_input():
    x, y, q = torch.rand(4, 2), torch.rand(4), torch.rand(3, 2)
    with pytest.raises(ValueError, match="samples must be"):
        grnn(x[:0], y[:0], q, sigma=1.0)
    for wrong in (x[0], x[:, None]):
        with pytest.raises(ValueError, match="samples must be"):
            grnn(wrong, y, q, sigma=1.0)
    with pytest.raises(ValueError, match="targets must be 4, one a sample, got 3"):
        grnn(x, y[:3], q, sigma=1.0)
    with pytest.raises(ValueError, match=r"queries must be \(queries, 2\)"):
        grnn(x, y, q[:, :1], sigma=1.0)
    with pytest.raises(ValueError, match="sigma must be above 0"):
        grnn(x, y, q, sigma=0.0)
