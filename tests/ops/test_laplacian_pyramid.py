import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from cvcourse.ops import collapse_pyramid, gaussian_pyramid, laplacian_pyramid

SIZES = pytest.mark.parametrize(
    "size", [(16, 16), (17, 23), (1, 9), (5, 2), (1, 1), (2, 2)], ids=str
)


@SIZES
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_reconstructs_exactly(size, levels):
    images = torch.rand(2, 3, *size, dtype=torch.float64)
    pyramid = laplacian_pyramid(images, levels)
    assert len(pyramid) == levels
    torch.testing.assert_close(collapse_pyramid(pyramid), images, rtol=0, atol=1e-13)


@SIZES
def test_equals_scipy(size):
    """Its border "mirror" does not repeat the edge pixel."""
    image = torch.rand(size, dtype=torch.float64)
    want = image.numpy()
    for level in gaussian_pyramid(image, 4):
        np.testing.assert_allclose(level, want, atol=1e-14)
        for axis in (0, 1):
            want = convolve1d(want, np.array([1, 4, 6, 4, 1]) / 16, axis=axis, mode="mirror")
        want = want[::2, ::2]


def test_enlarging_equals_the_blur_of_what_was_spread_out():
    image = torch.rand(7, 10, dtype=torch.float64)
    detail, small = laplacian_pyramid(image, 2)
    spread = np.zeros((7, 10))
    spread[::2, ::2] = small
    for axis in (0, 1):
        spread = convolve1d(spread, np.array([1, 4, 6, 4, 1]) / 8, axis=axis, mode="mirror")
    np.testing.assert_allclose(image - detail, spread, atol=1e-14)


def test_flat_pictures_have_no_detail():
    *details, last = laplacian_pyramid(torch.full((1, 13, 18), 0.3).double(), 4)
    for detail in details:
        torch.testing.assert_close(detail, torch.zeros_like(detail), rtol=0, atol=1e-15)
    torch.testing.assert_close(last, torch.full_like(last, 0.3))


def test_gradcheck_of_a_view():
    image = torch.rand(6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: tuple(laplacian_pyramid(x.mT, 3)), image)
    pyramid = [torch.rand(n, n, dtype=torch.float64, requires_grad=True) for n in (5, 3, 2)]
    assert torch.autograd.gradcheck(lambda *levels: collapse_pyramid(levels), pyramid)


@pytest.mark.as_user
def test_bad_input():
    image = torch.rand(4, 4)
    for pyramid in (gaussian_pyramid, laplacian_pyramid):
        with pytest.raises(ValueError, match="levels must be at least 1, got 0"):
            pyramid(image, 0)
        with pytest.raises(ValueError, match="images must be floating point"):
            pyramid(image.long(), 2)
        with pytest.raises(ValueError, match="images must have height and width above 0"):
            pyramid(image[:0], 2)
    with pytest.raises(ValueError, match="pyramid must hold at least one"):
        collapse_pyramid([])
    with pytest.raises(ValueError, match=r"pyramid must go from \(2, 2\), got \(3, 2\)"):
        collapse_pyramid([image, torch.rand(3, 2)])
