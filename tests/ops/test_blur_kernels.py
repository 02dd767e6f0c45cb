import math

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter

from cvcourse.ops import blur, defocus_kernel, gaussian_kernel, motion_kernel


def moments(kernel):
    """Mean and covariance (x, y) of the light of a kernel, y upwards."""
    n = len(kernel) // 2
    y, x = torch.meshgrid(-torch.arange(-n, n + 1.0), torch.arange(-n, n + 1.0), indexing="ij")
    points = torch.stack([x, y]).flatten(1).double()
    light = kernel.flatten().double()
    mean = points @ light
    return mean, (light * (points - mean[:, None])) @ (points - mean[:, None]).T


KERNELS = [
    *(gaussian_kernel(s) for s in (0.3, 1.0, 2.7)),
    *(motion_kernel(m, a) for m in (0.5, 1.0, 4.0, 7.3) for a in (0.0, 0.4, 2.0)),
    *(defocus_kernel(r) for r in (0.05, 0.5, 1.0, 3.3, 8.0)),
]


@pytest.mark.parametrize("kernel", KERNELS)
def test_sum_is_one_centred_and_odd(kernel):
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert len(kernel) % 2 == 1
    torch.testing.assert_close(kernel, kernel.rot90(2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("sigma", [0.8, 2.0])
def test_gaussian_equals_scipy(sigma):
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    size = 2 * math.ceil(3 * sigma) + 1
    want = gaussian_filter(impulse, sigma, radius=size // 2)
    got = gaussian_kernel(sigma, dtype=torch.float64)
    edge = 20 - size // 2
    np.testing.assert_allclose(got, want[edge:-edge, edge:-edge], atol=1e-15)
    assert gaussian_kernel(sigma, size=11).shape == (11, 11)


@pytest.mark.parametrize("length", [2.0, 5.0, 9.5])
@pytest.mark.parametrize("angle", [0.0, 0.6, math.pi / 2, 2.5])
def test_motion_has_the_moments_of_a_segment(length, angle):
    _, covariance = moments(motion_kernel(length, angle, dtype=torch.float64))
    direction = torch.tensor([math.cos(angle), math.sin(angle)]).double()
    along = direction @ covariance @ direction
    across = covariance.trace() - along
    # a segment's M²/12, and at most 1/4 a direction from sharing points between pixels
    assert length**2 / 12 - 1e-6 <= along < length**2 / 12 + 0.3
    assert -1e-6 <= across < 0.3


def test_horizontal_motion_by_hand():
    got = motion_kernel(3.0, 0.0, dtype=torch.float64)
    want = torch.tensor([1 / 24, 7 / 24, 8 / 24, 7 / 24, 1 / 24]).double()
    torch.testing.assert_close(got[2], want, rtol=0, atol=2e-3)
    assert got[[0, 1, 3, 4]].abs().max() < 1e-12
    turned = motion_kernel(3.0, math.pi / 4)
    assert turned[1, 3] > 0.1 > turned[1, 1]  # up on the right


@pytest.mark.parametrize("radius", [1.5, 4.0, 7.7])
def test_defocus_is_a_disc(radius):
    kernel = defocus_kernel(radius, dtype=torch.float64)
    middle = kernel[len(kernel) // 2, len(kernel) // 2].item()
    assert middle == pytest.approx(1 / (math.pi * radius**2), rel=0.01)
    _, covariance = moments(kernel)
    # r²/4 of a disc, and 1/12 of a pixel
    torch.testing.assert_close(
        covariance, torch.eye(2).double() * (radius**2 / 4), rtol=0.02, atol=1 / 12
    )


@pytest.mark.parametrize(
    ("border", "mode"), [("reflect", "mirror"), ("replicate", "nearest"), ("zeros", "constant")]
)
def test_blur_equals_scipy(border, mode):
    images, kernel = torch.rand(2, 3, 6, 9).double(), torch.rand(3, 7).double()
    got = blur(images, kernel, border=border)
    for b in range(2):
        for c in range(3):
            want = convolve(images[b, c].numpy(), kernel.numpy(), mode=mode)
            np.testing.assert_allclose(got[b, c], want, rtol=1e-12)


def test_gradcheck_of_views():
    images = torch.rand(1, 2, 4, 5, dtype=torch.float64).mT.requires_grad_()
    kernel = torch.rand(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blur, (images, kernel))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("sigma must be positive", lambda: gaussian_kernel(0.0)),
        ("size must be odd and at least 1, got 4", lambda: gaussian_kernel(1.0, size=4)),
        ("length must be positive", lambda: motion_kernel(-1.0, 0.0)),
        ("angle must be finite", lambda: motion_kernel(1.0, math.nan)),
        ("size must be odd and at least 7, got 5", lambda: motion_kernel(5.0, 0.0, size=5)),
        ("radius must be positive", lambda: defocus_kernel(0.0)),
        ("size must be odd and at least 7, got 5", lambda: defocus_kernel(3.2, size=5)),
        ("images must have shape", lambda: blur(torch.rand(4, 4), torch.rand(3, 3))),
        ("kernel must have two odd sides", lambda: blur(torch.rand(1, 1, 4, 4), torch.rand(2, 3))),
        ("kernel must reach less far", lambda: blur(torch.rand(1, 1, 2, 4), torch.rand(5, 5))),
        ("border must be one of", lambda: blur(*2 * [torch.rand(1, 1, 4, 4)], border="wrap")),
    ],
)
def test_bad_input(message, call):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
