import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import max_unpool

POOLINGS = {
    "2": {"kernel_size": 2},
    "3, stride 2, padding 1": {"kernel_size": 3, "stride": 2, "padding": 1},
    "overlapping": {"kernel_size": 3, "stride": 1},
    "2 x 3": {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0)},
}
EACH = pytest.mark.parametrize("pooling", POOLINGS.values(), ids=POOLINGS)


@EACH
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (3, 3)], ids=str)
def test_equals_pytorch(pooling, size):
    x = torch.randn(2, 3, *size)
    values, indices = F.max_pool2d(x, **pooling, return_indices=True)
    got = max_unpool(values, indices, **pooling, output_size=size)
    assert torch.equal(got, F.max_unpool2d(values, indices, **pooling, output_size=size))
    got = max_unpool(values[0], indices[0], **pooling, output_size=x.shape)
    assert torch.equal(got, F.max_unpool2d(values[0], indices[0], **pooling, output_size=size))


@EACH
def test_default_size_equals_pytorch(pooling):
    values, indices = F.max_pool2d(torch.randn(2, 3, 8, 9), **pooling, return_indices=True)
    shape = F.max_unpool2d(values, indices % 16, **pooling).shape
    assert max_unpool(values, indices % 16, **pooling).shape == shape


def test_naive_loop():
    values, indices = F.max_pool2d(torch.randn(2, 3, 6, 8), 2, return_indices=True)
    want = torch.zeros(2, 3, 6 * 8)
    for b in range(2):
        for c in range(3):
            for value, index in zip(
                values[b, c].flatten(), indices[b, c].flatten().tolist(), strict=True
            ):
                want[b, c, index] = value
    assert torch.equal(max_unpool(values, indices, 2), want.view(2, 3, 6, 8))


def test_ceil_mode_needs_the_size():
    """SegNet's and C3D's pooling rounds up: 45 x 60 becomes 23 x 30."""
    values, indices = F.max_pool2d(
        torch.randn(1, 1, 45, 60), 2, ceil_mode=True, return_indices=True
    )
    assert values.shape[2:] == (23, 30)
    got = max_unpool(values, indices, 2, output_size=(45, 60))
    assert torch.equal(got, F.max_unpool2d(values, indices, 2, output_size=(45, 60)))


@given(st.integers(1, 6), st.integers(1, 6))
def test_pooling_again_gives_the_values_back(height, width):
    x = torch.rand(1, 2, 2 * height, 2 * width) + 1  # above the zeros between
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    again, where = F.max_pool2d(max_unpool(values, indices, 2), 2, return_indices=True)
    assert torch.equal(again, values)
    assert torch.equal(where, indices)


@EACH
def test_gradcheck(pooling):
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    values, indices = F.max_pool2d(x, **pooling, return_indices=True)
    if len(indices.unique()) == indices.numel() // 2:  # else a value stands for several inputs
        function = lambda v: max_unpool(v, indices, **pooling, output_size=(5, 6))  # noqa: E731
        assert torch.autograd.gradcheck(function, values.requires_grad_())
    ours, peer = (
        torch.autograd.grad(
            f(values.requires_grad_(), indices, **pooling, output_size=(5, 6)).sum(), values
        )
        for f in (max_unpool, F.max_unpool2d)
    )
    torch.testing.assert_close(ours, peer)


def test_empty():
    none = torch.zeros(0, 3, 4, 4)
    assert max_unpool(none, none.long(), 2).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32], ids=str)
def test_dtype_stays(dtype):
    values = torch.ones(1, 1, 2, 2, dtype=dtype)
    got = max_unpool(values, torch.tensor([[[[0, 3], [12, 15]]]]), 2)
    assert got.dtype == dtype
    assert got.sum() == 4


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": torch.zeros(2, 2)}, r"input must have shape .* got \(2, 2\)"),
        (
            {"indices": torch.zeros(1, 1, 2, 3).long()},
            r"indices must be int64 of shape \(1, 1, 2, 2",
        ),
        ({"indices": torch.zeros(1, 1, 2, 2).int()}, "indices must be int64 .* got torch.int32"),
        (
            {"indices": torch.full((1, 1, 2, 2), 16)},
            r"indices must lie in \[0, 15\] .* got 16 to 16",
        ),
        ({"indices": torch.full((1, 1, 2, 2), -1)}, r"indices must lie in \[0, 15\]"),
        ({"output_size": (6, 4)}, r"output_size must be less than a stride \(2, 2\) away from"),
        ({"output_size": (4,)}, "output_size must be"),
        ({"kernel_size": 0}, "kernel_size must be one or two integers >= 1"),
        ({"stride": 0}, "stride must be one or two integers >= 1"),
        ({"padding": -1}, "padding must be one or two integers >= 0"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    inputs = {
        "input": torch.zeros(1, 1, 2, 2),
        "indices": torch.zeros(1, 1, 2, 2).long(),
        "kernel_size": 2,
    }
    with pytest.raises(ValueError, match=message):
        max_unpool(**inputs | change)
