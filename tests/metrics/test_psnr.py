import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import psnr
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("psnr"))
def test_oracle(case):
    def both(preds, target, data_range):
        return {
            "pooled": psnr(preds, target, data_range, reduction="pooled"),
            "per_image": psnr(preds, target, data_range, reduction="none"),
        }

    oracle.assert_matches(case, both)


def naive(pred, target, data_range):
    pairs = list(zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True))
    mse = sum((p - t) ** 2 for p, t in pairs) / len(pairs)
    return 10 * math.log10(data_range**2 / mse) if mse else math.inf


@pytest.mark.parametrize("data_range", [1, 2.0, 255])
def test_naive_loop(data_range):
    preds, target = torch.rand(2, 3, 3, 5, 7, dtype=torch.float64) * data_range
    values = [naive(p, t, data_range) for p, t in zip(preds, target, strict=True)]
    assert psnr(preds, target, data_range, reduction="none").tolist() == pytest.approx(values)
    assert psnr(preds, target, data_range) == pytest.approx(sum(values) / 3)
    pooled = naive(preds, target, data_range)
    assert psnr(preds, target, data_range, reduction="pooled") == pytest.approx(pooled)


def test_mean_of_images_and_pooled_differ():
    target = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    preds = target.clone()
    preds[0], preds[1] = 0.1, 0.01  # 20 dB and 40 dB
    assert psnr(preds, target) == pytest.approx(30)
    assert psnr(preds, target, reduction="pooled") == pytest.approx(22.9671, abs=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "none", "pooled"])
def test_identical_is_inf_with_zero_gradient(reduction):
    image = torch.rand(2, 3, 4, 4)
    preds = image.clone().requires_grad_()
    value = psnr(preds, image, reduction=reduction)
    assert (value == torch.inf).all()
    (gradient,) = torch.autograd.grad(value.sum(), preds)
    assert (gradient == 0).all()


def test_one_identical_image_leaves_the_others_gradients():
    preds = torch.rand(2, 5, requires_grad=True)
    target = torch.stack([preds[0].detach(), torch.rand(5)])
    (gradient,) = torch.autograd.grad(psnr(preds, target, reduction="none")[1], preds)
    assert gradient.isfinite().all()
    assert gradient[0].eq(0).all()
    assert gradient[1].ne(0).all()


def test_nan_stays_nan():
    preds = torch.rand(2, 4)
    preds[0, 0] = torch.nan
    assert psnr(preds, torch.rand(2, 4), reduction="none").isnan().tolist() == [True, False]


@pytest.mark.parametrize("reduction", ["mean", "pooled"])
def test_empty_is_nan(reduction):
    empty = torch.zeros(0, 3, 4, 4)
    assert psnr(empty, empty, reduction=reduction).isnan()


@pytest.mark.parametrize("reduction", ["mean", "none", "pooled"])
def test_gradcheck(reduction):
    preds, target = torch.rand(2, 2, 1, 3, 4, dtype=torch.float64)
    preds.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: psnr(x, target, reduction=reduction), preds)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    preds, target = torch.rand(2, 2, 3, 32, 32).to(dtype)
    value = psnr(preds, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, psnr(preds.float(), target.float()))
    torch.testing.assert_close(psnr(preds, target.float()), value)


def test_autocast():
    preds, target = torch.rand(2, 2, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = psnr(preds, target)
    assert value == psnr(preds, target)


@given(st.integers(0, 2**32), st.floats(0.1, 300))
def test_symmetric_and_blind_to_the_unit(seed, unit):
    torch.manual_seed(seed)
    preds, target = torch.rand(2, 2, 6, dtype=torch.float64)
    value = psnr(preds, target)
    torch.testing.assert_close(value, psnr(target, preds))
    torch.testing.assert_close(value, psnr(preds * unit, target * unit, unit))
    assert psnr(preds, target, reduction="pooled") <= value + 1e-9


@pytest.mark.as_user
class TestBadInput:
    image = torch.rand(2, 3, 4, 4)

    def test_shapes(self):
        with pytest.raises(ValueError, match="preds and target must have the same shape"):
            psnr(self.image, self.image[:1])

    def test_integer_images(self):
        with pytest.raises(ValueError, match=r"preds must be floating point, got torch\.uint8"):
            psnr(self.image.byte(), self.image.byte(), 255)
        with pytest.raises(ValueError, match="target must be floating point"):
            psnr(self.image, self.image.long())

    def test_no_batch_dimension(self):
        with pytest.raises(ValueError, match="preds must have a batch dimension"):
            psnr(torch.tensor(0.1), torch.tensor(0.2))

    @pytest.mark.parametrize("data_range", [0, -1, float("nan"), float("inf")])
    def test_data_range(self, data_range):
        with pytest.raises(ValueError, match="data_range must be positive"):
            psnr(self.image, self.image, data_range)

    def test_reduction(self):
        with pytest.raises(ValueError, match="reduction must be one of 'mean', 'none', 'pooled'"):
            psnr(self.image, self.image, reduction="sum")
