import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import softmax_focal_loss
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("softmax_focal_loss"))
def test_oracle_kornia(case):
    """kornia's alpha weights class 0 by 1 - alpha, all others by alpha."""
    reduction = "none" if case["expected"]["value"].ndim else "mean"

    def adapter(logits, target, alpha, gamma, ignore_index):
        weights = None if alpha is None else [1 - alpha] + [alpha] * (logits.shape[1] - 1)
        return softmax_focal_loss(logits, target, gamma, weights, ignore_index, reduction)

    oracle.assert_matches(case, adapter)


def test_naive_loop():
    x, t = torch.randn(2, 3, 4).double(), torch.tensor([[0, 1, 2, 255], [2, 2, 0, 1]])
    alpha, gamma = [0.2, 0.5, 2.0], 1.5
    want = torch.zeros(2, 4).double()
    for b in range(2):
        for i in range(4):
            label = int(t[b, i])
            if label != 255:
                powers = [math.exp(v) for v in x[b, :, i].tolist()]
                p = powers[label] / sum(powers)
                want[b, i] = -alpha[label] * (1 - p) ** gamma * math.log(p)
    loss = softmax_focal_loss(x, t, gamma, alpha, ignore_index=255, reduction="none")
    assert_close(loss, want)
    assert_close(softmax_focal_loss(x, t, gamma, alpha, 255, "sum"), want.sum())
    assert_close(softmax_focal_loss(x, t, gamma, alpha, 255, "mean"), want.sum() / 7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [None, torch.tensor([0.2, 0.5, 2.0])])
def test_gradcheck(gamma, alpha):
    t = torch.tensor([[0, 1], [2, -100]])
    gradcheck(lambda x: softmax_focal_loss(x, t, gamma, alpha, -100), torch.randn(2, 3, 2))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [255, -100])
def test_all_ignored(reduction, ignore_index):
    x = torch.randn(2, 3, 4, requires_grad=True)
    t = torch.full((2, 4), ignore_index)
    loss = softmax_focal_loss(x, t, ignore_index=ignore_index, alpha=[1, 2, 3], reduction=reduction)
    assert_zero_with_gradient(loss, x)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0)])
def test_empty(shape):
    x = torch.zeros(shape, requires_grad=True)
    t = torch.zeros(shape[:1] + shape[2:], dtype=torch.int64)
    assert_zero_with_gradient(softmax_focal_loss(x, t), x)


def test_one_class():
    x = torch.randn(4, 1, requires_grad=True)
    assert_zero_with_gradient(softmax_focal_loss(x, torch.zeros(4, dtype=torch.int64)), x)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_saturated_logits_have_finite_gradients(gamma, dtype):
    x = torch.tensor([[1e4, 0, -1e4], [-90, 0, 90]], dtype=dtype, requires_grad=True)
    for label in range(3):
        loss = softmax_focal_loss(x, torch.full((2,), label), gamma)
        assert_finite_gradient(loss, x)


def test_nan_stays_nan():
    x = torch.tensor([[0.0, math.nan], [0.0, 1.0]])
    t = torch.tensor([0, 0])
    assert softmax_focal_loss(x, t, reduction="none").isnan().tolist() == [True, False]


def test_the_last_of_many_classes():
    x = torch.randn(2, 300).double()
    t = torch.tensor([299, 0])
    assert_close(softmax_focal_loss(x, t, gamma=0), F.cross_entropy(x, t))


@pytest.mark.parametrize("label", [-1, 3, -100])
def test_label_out_of_range(label):
    with pytest.raises(ValueError, match="target must have values in"):
        softmax_focal_loss(torch.zeros(1, 3), torch.tensor([label]))


@pytest.mark.parametrize("ignore_index", [255, -100])
def test_property_gamma_0_is_cross_entropy(ignore_index):
    x, t = torch.randn(3, 5, 6).double(), torch.randint(5, (3, 6))
    t[:, :2] = ignore_index
    want = F.cross_entropy(x, t, ignore_index=ignore_index)
    assert_close(softmax_focal_loss(x, t, gamma=0, ignore_index=ignore_index), want)


@pytest.mark.as_user
def test_bad_input():
    x, t = torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)
    with refuses("logits"):
        softmax_focal_loss(x.long(), t)
    with refuses("logits"):
        softmax_focal_loss(torch.zeros(3), torch.zeros(3, dtype=torch.int64))
    with refuses("logits"):
        softmax_focal_loss(torch.zeros(2, 0, 4), t)
    with refuses("target"):
        softmax_focal_loss(x, t[:, :3])
    with refuses("target"):
        softmax_focal_loss(x, t.float())
    with refuses("gamma"):
        softmax_focal_loss(x, t, gamma=-1)
    with refuses("alpha"):
        softmax_focal_loss(x, t, alpha=[1.0, 2.0])
    with refuses("reduction"):
        softmax_focal_loss(x, t, reduction="avg")
