import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from cvcourse.ops import resize_bicubic
from tests import oracle

SIZES = [(11, 7), (5, 9), (3, 3), (1, 1), (40, 31), (23, 17), (22, 34)]


def picture(height=23, width=17):
    return oracle.formula_image("bicubic", height, width, 1, block=4)[0].double()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_pillow(size):
    image = picture()
    pillow = Image.fromarray(image.float().numpy(), mode="F").resize(size[::-1], Image.BICUBIC)
    np.testing.assert_allclose(resize_bicubic(image, size), np.asarray(pillow), atol=2e-6)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_pytorch_with_antialiasing(size):
    image = picture()[None, None]
    want = F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)
    torch.testing.assert_close(resize_bicubic(image, size), want, rtol=0, atol=1e-12)


def test_equals_the_downsampling_of_pulse():
    _, want = oracle.restoration_golden("pulse")
    image = oracle.formula_images("pulse", 1, 64, 64, 3)
    got = resize_bicubic(image, 8, border="reflect")
    np.testing.assert_allclose(got, want["down32"], atol=2e-6)
    impulse = torch.zeros(1, 64, dtype=torch.float64)
    kernel = []
    for tap in range(32):
        kernel.append(
            resize_bicubic(impulse.index_fill(1, torch.tensor(tap + 12), 1.0), (1, 8))[0, 3]
        )
    np.testing.assert_allclose(torch.stack(kernel), want["kernel"], atol=1e-9)


def imresize(x, out):
    """One axis as MATLAB's imresize: its taps, its mirror, one output pixel at a time."""
    n, scale = len(x), out / len(x)
    width = 4 / scale if scale < 1 else 4.0
    result = np.zeros(out)
    for i in range(1, out + 1):  # counted from 1, as there
        u = i / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        indices = left + np.arange(math.ceil(width) + 2)
        d = np.abs(u - indices) * min(scale, 1)
        weights = np.where(
            d <= 1, 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        ) * (d <= 2)
        mirrored = np.r_[0:n, n - 1 : -1 : -1][(indices - 1) % (2 * n)]
        result[i - 1] = (weights / weights.sum()) @ x[mirrored]
    return result


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_the_algorithm_of_matlab(size):
    image = picture()
    want = np.apply_along_axis(imresize, 0, image.numpy(), size[0])
    want = np.apply_along_axis(imresize, 1, want, size[1])
    np.testing.assert_allclose(resize_bicubic(image, size, border="symmetric"), want, atol=1e-12)


@pytest.mark.parametrize("border", ["exclude", "symmetric", "reflect"])
class TestProperties:
    def test_constants_stay_and_the_same_size_is_the_identity(self, border):
        torch.testing.assert_close(
            resize_bicubic(torch.full((2, 9, 7), 0.3), (4, 12), border=border),
            torch.full((2, 4, 12), 0.3),
        )
        image = picture()
        torch.testing.assert_close(resize_bicubic(image, (23, 17), border=border), image)

    def test_gradcheck_of_a_transposed_view(self, border):
        image = torch.randn(1, 5, 4, dtype=torch.float64).mT.requires_grad_()
        assert torch.autograd.gradcheck(lambda x: resize_bicubic(x, (3, 7), border=border), image)

    def test_one_pixel_and_many_times_smaller(self, border):
        assert resize_bicubic(torch.full((1, 1), 0.5), (3, 3), border=border).unique() == 0.5
        got = resize_bicubic(torch.rand(2, 100), (1, 2), border=border)
        assert got.isfinite().all()


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="images must be floating point"):
        resize_bicubic(torch.zeros(4, 4, dtype=torch.uint8), 2)
    with pytest.raises(ValueError, match="images must have height and width above 0"):
        resize_bicubic(torch.zeros(3, 0, 4), 2)
    with pytest.raises(ValueError, match="size must be one or two integers >= 1, got 0"):
        resize_bicubic(torch.zeros(4, 4), 0)
    with pytest.raises(ValueError, match=r"border must be one of 'exclude', .* got 'wrap'"):
        resize_bicubic(torch.zeros(4, 4), 2, border="wrap")
