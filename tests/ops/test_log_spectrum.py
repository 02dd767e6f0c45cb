import math

import numpy as np
import pytest
import torch

from cvcourse.ops import blur, defocus_kernel, log_spectrum, motion_kernel


@pytest.mark.parametrize("size", [(32, 32), (7, 9), (8, 5)], ids=str)
def test_equals_numpy(size):
    patches = torch.rand(2, *size, dtype=torch.float64)
    got = log_spectrum(patches)
    for patch, spectrum in zip(patches.numpy(), got, strict=True):
        window = np.outer(np.hanning(size[0]), np.hanning(size[1]))
        want = np.fft.fftshift(np.abs(np.fft.fft2((patch - patch.mean()) * window)), axes=0)
        want = want[:, : (size[1] + 1) // 2]
        np.testing.assert_allclose(spectrum, np.log1p(want), rtol=1e-9, atol=1e-12)
    assert log_spectrum(torch.rand(32, 32)).numel() == 512


def test_dark_lines_lie_across_the_motion_and_rings_around_a_disc():
    noise = torch.randn(40, 1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    kernel = motion_kernel(8.0, 0.0, dtype=torch.float64)
    spectrum = log_spectrum(blur(noise, kernel)[:, 0, 4:-4, 4:-4]).mean(0)  # 56 × 28
    column = spectrum.mean(0)
    assert column[7] < 0.5 * column[3]  # the first zero, at 56 / 8
    disc = log_spectrum(
        blur(noise, defocus_kernel(5.0, dtype=torch.float64))[:, 0, 4:-4, 4:-4]
    ).mean(0)
    zero = round(0.61 / 5.0 * 56)
    for row, column in ((28, zero), (28 + zero, 0), (28 - zero, 0)):
        assert disc[row, column] < 0.5 * disc[28, 3]
    assert math.isclose(disc[28 + zero, 0], disc[28 - zero, 0], rel_tol=1e-9)


def test_gradcheck():
    patches = torch.rand(1, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_spectrum, patches)


@pytest.mark.parametrize("shape", [(0, 8, 9), (3, 0, 9, 8)], ids=str)
def test_no_patches(shape):
    patches = torch.zeros(shape, requires_grad=True)
    got = log_spectrum(patches)
    assert got.shape == (*shape[:-1], (shape[-1] + 1) // 2)
    got.sum().backward()
    assert patches.grad.shape == shape


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="patches must be 3 × 3 or larger"):
        log_spectrum(torch.rand(2, 8))
    with pytest.raises(ValueError, match="patches must be floating point"):
        log_spectrum(torch.ones(8, 8).long())
