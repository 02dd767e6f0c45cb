import math

import pytest
import torch

from cvcourse.losses import lovasz_hinge_loss
from cvcourse.losses._lovasz import _has_sortable_bits, lovasz_extension
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    gradients,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("lovasz_hinge_loss"))
def test_oracle_original(case):
    def adapter(logits, target, per_image, ignore):
        return lovasz_hinge_loss(logits, target, per_image, ignore)

    oracle.assert_matches(case, adapter)


def naive_extension(errors, truth):
    """Sum of errors, largest first, times what each adds to the Jaccard loss of the wrong set."""

    def jaccard_loss(wrong):
        positives = {i for i, t in enumerate(truth) if t}
        intersection = positives - wrong
        union = positives | wrong
        return 1 - len(intersection) / len(union) if union else 0

    wrong, total = set(), 0
    for i in sorted(range(len(errors)), key=lambda i: -errors[i]):
        before = jaccard_loss(wrong)
        wrong.add(i)
        total += max(0, errors[i]) * (jaccard_loss(wrong) - before)
    return total


def naive(logits, target, ignore_index=None):
    pairs = [
        (x, t)
        for x, t in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True)
        if t != ignore_index
    ]
    return naive_extension([1 - x * (2 * t - 1) for x, t in pairs], [t for _, t in pairs])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ignore_index", [None, 255, -100])
@pytest.mark.parametrize("channel", [False, True])
def test_naive_loop(dtype, ignore_index, channel):
    x, t = 2 * torch.randn(3, 4, 5).to(dtype), torch.randint(2, (3, 4, 5))
    t[1] = 0  # nothing there
    if ignore_index is not None:
        t[:, 0] = ignore_index
        t[2] = ignore_index
    images = [naive(a, b, ignore_index) for a, b in zip(x, t, strict=True)]
    want = sum(images) / 3, naive(x, t, ignore_index)
    inputs = (x[:, None], t[:, None]) if channel else (x, t)
    for per_image, value in zip([True, False], want, strict=True):
        loss = lovasz_hinge_loss(*inputs, per_image, ignore_index)
        assert_close(loss, value, atol=1e-12 if dtype == torch.float64 else 1e-6)


def test_gradcheck():
    t = torch.tensor([[[0, 1, 1], [0, 255, 1]]])
    for per_image in (True, False):
        gradcheck(lambda x, p=per_image: lovasz_hinge_loss(x, t, p, 255), torch.randn(1, 2, 3))


@pytest.mark.parametrize("pixels", [1, 7, 5000, 2**15])
@pytest.mark.parametrize("count_absent", [True, False])
@pytest.mark.parametrize("some_ignored", [True, False])
def test_sorted_bits_equal_plain(pixels, count_absent, some_ignored):
    scores = torch.randn(4, pixels)
    scores[0, : pixels // 2] = 0.25  # ties: any order is a subgradient, and ours is the same
    scores[1, : pixels // 3] = 1
    ignored = torch.rand(4, pixels) < 0.2 if some_ignored else None
    foreground = torch.rand(4, pixels) < 0.3
    foreground[3] = False
    if some_ignored:
        foreground &= ~ignored
    fast, plain = scores.clone().requires_grad_(), scores.double().requires_grad_()
    assert _has_sortable_bits(fast)
    assert not _has_sortable_bits(plain)
    loss = lovasz_extension(fast, foreground, ignored, count_absent)
    want = lovasz_extension(plain, foreground, ignored, count_absent)
    torch.testing.assert_close(loss.double(), want, rtol=1e-5, atol=1e-6)
    (got,), (gradient,) = gradients(loss, fast), gradients(want, plain)
    torch.testing.assert_close(got.double(), gradient, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("value", [math.nan, -math.nan, math.inf])
def test_sorted_bits_do_not_lose_nan_or_inf(value):
    scores = torch.tensor([[0.5, value, 0.25]])
    assert _has_sortable_bits(scores)
    truth = torch.tensor([[True, False, True]])
    assert not lovasz_extension(scores, truth, None, True).isfinite()


def test_second_derivative_is_that_of_a_piecewise_linear_function():
    x, t = torch.randn(1, 3, 4, requires_grad=True), torch.randint(2, (1, 3, 4))
    loss = lovasz_hinge_loss((x**2), t)
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (got,) = torch.autograd.grad(gradient.sum(), x)
    wide = x.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(lovasz_hinge_loss(wide**2, t), wide, create_graph=True)
    (want,) = torch.autograd.grad(gradient.sum(), wide)
    assert_close(got.double(), want, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_empty(shape, per_image, dtype):
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    t = torch.zeros(shape, dtype=torch.int64)
    assert_zero_with_gradient(lovasz_hinge_loss(x, t, per_image), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("per_image", [True, False])
def test_all_ignored(per_image, dtype):
    x = torch.randn(2, 3, 4, dtype=dtype, requires_grad=True)
    assert_zero_with_gradient(lovasz_hinge_loss(x, torch.full((2, 3, 4), 255), per_image, 255), x)


@pytest.mark.parametrize("label", [0, 1], ids=["no positives", "one class"])
def test_saturated(label):
    x = torch.full((1, 2, 3), 1e4 * (2 * label - 1), requires_grad=True)
    t = torch.full((1, 2, 3), label)
    assert_zero_with_gradient(lovasz_hinge_loss(x, t), x)
    wrong = lovasz_hinge_loss(-x, t)
    assert_close(wrong, 10001.0, atol=1e-2)
    assert_finite_gradient(wrong, x)


def test_identical_logits():
    t = torch.tensor([[[0, 0, 1, 1]]])
    assert_close(lovasz_hinge_loss(torch.zeros(1, 1, 4).double(), t), 1.0)


def test_nan_stays_nan():
    x = torch.zeros(1, 2, 2)
    x[0, 0, 0] = math.nan
    assert lovasz_hinge_loss(x, torch.ones(1, 2, 2, dtype=torch.int64)).isnan()


def test_property_signs_say_the_jaccard_loss():
    """With logits of ±1 errors are 0 or 2, and the loss is twice the Jaccard loss of the signs."""
    t, prediction = torch.randint(2, (1, 8, 8)).bool(), torch.rand(1, 8, 8) < 0.6
    iou = (t & prediction).sum() / (t | prediction).sum()
    assert_close(lovasz_hinge_loss(2.0 * prediction - 1, t), 2 * (1 - iou), atol=1e-6)


@pytest.mark.as_user
def test_bad_input():
    x, t = torch.zeros(2, 3, 4), torch.zeros(2, 3, 4, dtype=torch.int64)
    with refuses("logits"):
        lovasz_hinge_loss(x.long(), t)
    with refuses("logits"):
        lovasz_hinge_loss(x[0], t[0])
    with refuses("logits"):
        lovasz_hinge_loss(torch.zeros(2, 5, 3, 4), t)
    with refuses("target"):
        lovasz_hinge_loss(x, t.float())
    with refuses("target"):
        lovasz_hinge_loss(x, t[:1])
    for label, ignore_index in ((2, None), (-1, None), (255, -100)):
        with refuses("target"):
            lovasz_hinge_loss(x, t + label, ignore_index=ignore_index)
