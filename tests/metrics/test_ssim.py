import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvcourse.metrics import ssim
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("ssim"))
def test_oracle(case):
    def all_peers(preds, target, data_range):
        same = ssim(preds, target, data_range, padding="same", reduction="none")
        valid = ssim(preds, target, data_range, padding="valid", reduction="none")
        return {"same": same, "valid": valid, "skimage": valid, "torchmetrics": same}

    oracle.assert_matches(case, all_peers)


def naive(x, y, data_range, size, sigma):
    """Value at every pixel whose window fits, of one channel."""
    d = [i - size // 2 for i in range(size)]
    w = torch.tensor([[math.exp(-(i * i + j * j) / (2 * sigma**2)) for j in d] for i in d])
    w = (w / w.sum()).double()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = torch.zeros(x.shape[0] - size + 1, x.shape[1] - size + 1, dtype=torch.float64)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            a, b = x[i : i + size, j : j + size], y[i : i + size, j : j + size]
            mean_a, mean_b = (w * a).sum(), (w * b).sum()
            var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
            covariance = (w * (a - mean_a) * (b - mean_b)).sum()
            values[i, j] = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            values[i, j] /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return values


@pytest.mark.parametrize(
    ("size", "sigma", "data_range"), [(11, 1.5, 1.0), (5, 0.8, 255), (1, 1, 2)], ids=str
)
def test_naive_loop(size, sigma, data_range):
    preds, target = torch.rand(2, 2, 3, 13, 12, dtype=torch.float64) * data_range
    options = {"window_size": size, "sigma": sigma}
    values = ssim(preds, target, data_range, reduction="map", **options)
    for b in range(2):
        for c in range(3):
            want = naive(preds[b, c], target[b, c], data_range, size, sigma)
            torch.testing.assert_close(values[b, c], want, atol=1e-6, rtol=1e-6)
    per_image = ssim(preds, target, data_range, reduction="none", **options)
    torch.testing.assert_close(per_image, values.mean((1, 2, 3)))
    torch.testing.assert_close(ssim(preds, target, data_range, **options), values.mean())


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("shift", [1.0, 10.0, 1024.0, 1e4, -1e4])
def test_far_from_zero_it_is_what_float64_says(shift, padding):
    """Without the mean taken off, float32 gave 4.93 for a shift by 1,024."""
    x = torch.rand(2, 3, 40, 44)
    preds, target = (x + 0.1 * torch.randn_like(x)) + shift, x + shift
    options = {"padding": padding, "reduction": "map"}
    got, exact = ssim(preds, target, **options), ssim(preds.double(), target.double(), **options)
    torch.testing.assert_close(got.double(), exact, rtol=0, atol=2e-5)
    assert got.abs().max() <= 1
    preds.requires_grad_()
    wide = preds.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(ssim(preds, target, **options).sum(), preds)
    (want,) = torch.autograd.grad(ssim(wide, target.double(), **options).sum(), wide)
    torch.testing.assert_close(gradient.double(), want, rtol=1e-3, atol=1e-3)


def test_a_shift_of_one_picture_alone_still_costs_luminance():
    image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    values = ssim(image + 1000, image, reduction="map")
    torch.testing.assert_close(values[0, 0], naive(image[0, 0] + 1000, image[0, 0], 1.0, 11, 1.5))
    assert values.max() < 0.01


@pytest.mark.parametrize(("padding", "least"), [("valid", 11), ("same", 6)])
def test_the_smallest_pictures(padding, least):
    preds, target = torch.rand(2, 1, 1, least, least, dtype=torch.float64)
    value = ssim(preds, target, padding=padding, reduction="map")
    padded = [x[0, 0] for x in (preds, target)]
    if padding == "same":
        padded = [torch.from_numpy(np.pad(x.numpy(), 5, mode="reflect")) for x in padded]
    torch.testing.assert_close(value[0, 0], naive(*padded, 1.0, 11, 1.5))
    for small in (preds[..., 1:, :], preds[..., 1:]):
        with pytest.raises(ValueError, match=f"preds must be {least} pixels or larger"):
            ssim(small, small, padding=padding)


def test_same_is_valid_of_the_reflected_image():
    preds, target = torch.rand(2, 1, 2, 9, 10, dtype=torch.float64)
    padded = torch.nn.functional.pad(torch.cat([preds, target]), [5] * 4, mode="reflect")
    value = ssim(preds, target, padding="same", reduction="map")
    assert value.shape == preds.shape
    torch.testing.assert_close(value, ssim(padded[:1], padded[1:], reduction="map"))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_identical_is_one(padding):
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(ssim(image, image, padding=padding), torch.tensor(1.0))
    black = torch.zeros(1, 1, 16, 16)
    assert ssim(black, black, padding=padding) == 1


def test_empty_is_nan():
    empty = torch.zeros(0, 3, 16, 16)
    assert ssim(empty, empty).isnan()
    assert ssim(empty, empty, reduction="none").shape == (0,)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("reduction", ["mean", "map"])
def test_gradcheck(padding, reduction):
    preds, target = torch.rand(2, 1, 2, 6, 7, dtype=torch.float64)
    preds.requires_grad_()
    target.requires_grad_()
    options = {"window_size": 5, "padding": padding, "reduction": reduction}
    assert torch.autograd.gradcheck(lambda x, y: ssim(x, y, **options), (preds, target))


def test_gradient_is_zero_at_identical_images():
    image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    preds = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(ssim(preds, image), preds)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    preds, target = torch.rand(2, 2, 3, 20, 20).to(dtype)
    value = ssim(preds, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, ssim(preds.float(), target.float()))


def test_autocast_does_not_lower_the_precision():
    preds, target = torch.rand(2, 2, 3, 20, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = ssim(preds, target)
    assert value == ssim(preds, target)


def test_nan_stays_in_its_image():
    preds, target = torch.rand(2, 2, 1, 16, 16)
    preds[0, 0, 8, 8] = torch.nan
    assert ssim(preds, target, reduction="none").isnan().tolist() == [True, False]


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.5, 300))
def test_symmetric_bounded_and_blind_to_the_unit_and_flips(seed, unit):
    torch.manual_seed(seed)
    preds, target = torch.rand(2, 1, 1, 12, 13, dtype=torch.float64)
    value = ssim(preds, target)
    torch.testing.assert_close(value, ssim(target, preds))
    torch.testing.assert_close(value, ssim(preds * unit, target * unit, unit))
    torch.testing.assert_close(value, ssim(preds.flip(2, 3), target.flip(2, 3)))
    torch.testing.assert_close(value, ssim(preds.mT, target.mT))
    assert -1 <= value <= 1


@pytest.mark.as_user
class TestBadInput:
    image = torch.rand(1, 3, 16, 16)

    def test_shapes(self):
        with pytest.raises(ValueError, match="preds and target must have the same shape"):
            ssim(self.image, self.image[:, :1])
        with pytest.raises(ValueError, match=r"preds must be \(batch, channels, height, width\)"):
            ssim(self.image[0], self.image[0])

    def test_integer_images(self):
        with pytest.raises(ValueError, match="preds must be floating point"):
            ssim(self.image.byte(), self.image.byte(), 255)

    def test_image_smaller_than_the_window(self):
        small = torch.rand(1, 1, 10, 16)
        with pytest.raises(ValueError, match="preds must be 11 pixels or larger"):
            ssim(small, small)
        assert ssim(small, small, padding="same") == pytest.approx(1)
        tiny = torch.rand(1, 1, 16, 5)
        with pytest.raises(ValueError, match="preds must be 6 pixels or larger"):
            ssim(tiny, tiny, padding="same")

    @pytest.mark.parametrize("window_size", [0, -3, 4])
    def test_window_size(self, window_size):
        with pytest.raises(ValueError, match="window_size must be odd and positive"):
            ssim(self.image, self.image, window_size=window_size)

    @pytest.mark.parametrize("option", ["data_range", "sigma"])
    @pytest.mark.parametrize("value", [0, -1, float("nan")])
    def test_positive_numbers(self, option, value):
        with pytest.raises(ValueError, match=f"{option} must be positive"):
            ssim(self.image, self.image, **{option: value})

    def test_words(self):
        with pytest.raises(ValueError, match="padding must be one of 'valid', 'same'"):
            ssim(self.image, self.image, padding="reflect")
        with pytest.raises(ValueError, match="reduction must be one of 'mean', 'none', 'map'"):
            ssim(self.image, self.image, reduction="sum")
