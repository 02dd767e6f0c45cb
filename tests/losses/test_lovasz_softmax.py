import math

import pytest
import torch

from cvcourse.losses import lovasz_softmax_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    gradients,
    refuses,
)
from tests.losses.test_lovasz_hinge import naive_extension


@pytest.mark.parametrize("case", oracle.cases("lovasz_softmax_loss"))
def test_oracle_original(case):
    def adapter(logits, target, classes, per_image, ignore):
        return lovasz_softmax_loss(logits, target, classes, per_image, ignore)

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("case", oracle.cases("lovasz_softmax_loss/kornia"))
def test_oracle_kornia(case):
    oracle.assert_matches(
        case, lambda logits, target: lovasz_softmax_loss(logits, target, "all", True)
    )


def naive(logits, target, classes, ignore_index):
    """Loss of all pixels of `logits` (B, C, P) and `target` (B, P) as one image."""
    p = logits.softmax(1).movedim(1, -1).flatten(0, 1)
    t = target.flatten()
    if ignore_index is not None:
        p, t = p[t != ignore_index], t[t != ignore_index]
    p, t = p.tolist(), t.tolist()
    if classes == "present":
        classes = sorted(set(t))
    elif classes == "all":
        classes = range(logits.shape[1])
    losses = [
        naive_extension(
            [abs((y == c) - q[c]) for q, y in zip(p, t, strict=True)], [y == c for y in t]
        )
        for c in classes
    ]
    return sum(losses) / max(1, len(losses))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("classes", ["present", "all", [3, 0]])
@pytest.mark.parametrize("ignore_index", [None, 255, 1])
def test_naive_loop(dtype, classes, ignore_index):
    x, t = 2 * torch.randn(3, 4, 6).to(dtype), torch.randint(3, (3, 6))
    if ignore_index is not None:
        t[:, :2] = ignore_index
        t[2] = ignore_index
    images = [naive(x[i : i + 1], t[i : i + 1], classes, ignore_index) for i in range(3)]
    atol = 1e-12 if dtype == torch.float64 else 1e-6
    batch = lovasz_softmax_loss(x, t, classes, False, ignore_index)
    assert_close(batch, naive(x, t, classes, ignore_index), atol)
    each = lovasz_softmax_loss(x, t, classes, True, ignore_index)
    assert_close(each, sum(images) / 3, atol)


@pytest.mark.parametrize("per_image", [True, False])
def test_gradcheck(per_image):
    t = torch.tensor([[0, 1, 2, 255], [1, 1, 2, 0]])
    gradcheck(
        lambda x: lovasz_softmax_loss(x, t, per_image=per_image, ignore_index=255),
        torch.randn(2, 3, 4),
    )


@pytest.mark.parametrize("per_image", [True, False])
def test_sorted_bits_equal_plain(per_image):
    x, t = torch.randn(2, 5, 40, 30), torch.randint(5, (2, 40, 30))
    t[:, :5] = 255
    results = []
    for dtype in (torch.float32, torch.float64):
        leaf = x.to(dtype).requires_grad_()
        loss = lovasz_softmax_loss(leaf, t, per_image=per_image, ignore_index=255)
        results.append([loss.double(), gradients(loss, leaf)[0].double()])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (2, 3)])
def test_empty(shape, per_image, dtype):
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    t = torch.full(shape[:1] + shape[2:], 255)
    assert_zero_with_gradient(lovasz_softmax_loss(x, t, "present", per_image, 255), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("classes", ["present", "all", [1]])
@pytest.mark.parametrize("per_image", [True, False])
def test_all_ignored(classes, per_image, dtype):
    """The original returns a tensor of shape (0, C)."""
    x = torch.randn(2, 3, 4, 5, dtype=dtype, requires_grad=True)
    t = torch.full((2, 4, 5), 255)
    assert_zero_with_gradient(lovasz_softmax_loss(x, t, classes, per_image, 255), x)


def test_one_class():
    x, t = torch.randn(2, 1, 3, requires_grad=True), torch.zeros(2, 3, dtype=torch.int64)
    assert_zero_with_gradient(lovasz_softmax_loss(x, t), x)


def test_saturated():
    t = torch.randint(3, (2, 8))
    x = (1e4 * torch.nn.functional.one_hot(t, 3).movedim(-1, 1).float()).requires_grad_()
    assert_zero_with_gradient(lovasz_softmax_loss(x, t), x)
    wrong = lovasz_softmax_loss(x, (t + 1) % 3)
    assert_close(wrong, 1.0, atol=1e-6)
    assert_finite_gradient(wrong, x)


def test_identical_logits():
    t = torch.tensor([[0, 1, 2, 2]])
    x = torch.zeros(1, 3, 4).double()
    want = naive(x, t, "present", None)  # ties: any order gives the same value
    assert_close(lovasz_softmax_loss(x, t), want)


def test_nan_stays_nan():
    x = torch.zeros(1, 2, 3)
    x[0, 0, 0] = math.nan
    assert lovasz_softmax_loss(x, torch.tensor([[0, 1, 1]])).isnan()


def test_property_hard_predictions_say_the_mean_jaccard_loss():
    t, prediction = torch.randint(3, (2, 50)), torch.randint(3, (2, 50))
    x = 1e4 * torch.nn.functional.one_hot(prediction, 3).movedim(-1, 1).double()
    ious = [
        ((t == c) & (prediction == c)).sum() / ((t == c) | (prediction == c)).sum()
        for c in range(3)
    ]
    assert_close(lovasz_softmax_loss(x, t), 1 - sum(ious) / 3, atol=1e-6)


@pytest.mark.as_user
def test_bad_input():
    x, t = torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)
    with refuses("logits"):
        lovasz_softmax_loss(x.long(), t)
    with refuses("target"):
        lovasz_softmax_loss(x, t[:, :2])
    with refuses("target"):
        lovasz_softmax_loss(x, t.float())
    for label, ignore_index in ((3, None), (-1, None), (255, -100)):
        with refuses("target"):
            lovasz_softmax_loss(x, t + label, ignore_index=ignore_index)
    for classes in ("some", [], [3], [-1]):
        with refuses("classes"):
            lovasz_softmax_loss(x, t, classes)
