import numpy as np
import pytest
import torch

from cvcourse.ops import split_frequencies, wls_filter
from tests import oracle


def test_equals_a_sparse_solver():
    meta, want = oracle.restoration_golden("wls_filter")
    config = meta["config"]
    image = torch.from_numpy(want["image"])
    got = wls_filter(
        image, smoothness=config["lambda_"], alpha=config["alpha"], small=config["small"]
    )
    np.testing.assert_allclose(got, want["smooth"], atol=1e-8)
    turned = wls_filter(image.mT, smoothness=2.0, alpha=2.0)
    np.testing.assert_allclose(turned.mT, want["smooth"], atol=1e-8)
    several = wls_filter(torch.stack([image.flip(0), image]), smoothness=2.0, alpha=2.0)
    np.testing.assert_allclose(several[1], want["smooth"], atol=1e-8)


def test_minimises_its_sum():
    g, guide = torch.rand(2, 5, 4, dtype=torch.float64)

    def energy(u):
        total = (u - g).square().sum()
        for dim in (0, 1):
            weight = 0.7 / (guide.diff(dim=dim).abs() ** 1.2 + 1e-4)
            total = total + (weight * u.diff(dim=dim).square()).sum()
        return total

    u = wls_filter(g, guide=guide, smoothness=0.7).requires_grad_()
    (gradient,) = torch.autograd.grad(energy(u), u)
    assert gradient.abs().max() < 1e-9


def test_flat_stays_and_single_pixels_work():
    flat = torch.full((6, 9), 0.3)
    torch.testing.assert_close(wls_filter(flat), flat)
    torch.testing.assert_close(wls_filter(torch.full((1, 1), 0.3)), torch.full((1, 1), 0.3))
    assert wls_filter(torch.zeros(3, 1)).eq(0).all()


def test_frequencies_add_up_to_the_grey_picture():
    images = torch.rand(2, 3, 7, 9, dtype=torch.float64)
    luminance, detail = split_frequencies(images)
    grey = (images * torch.tensor([0.299, 0.587, 0.114]).double()[:, None, None]).sum(1)
    grey = grey / grey.amax((1, 2), keepdim=True)
    torch.testing.assert_close((luminance + detail)[:, 0], grey)
    torch.testing.assert_close(luminance[0, 0], wls_filter(grey[0], smoothness=2.0, alpha=2.0))
    assert all(part.eq(0).all() for part in split_frequencies(torch.zeros(1, 3, 4, 4)))


def test_gradcheck():
    image = (torch.rand(4, 3, dtype=torch.float64) + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: wls_filter(x, smoothness=0.1, small=0.1), image)


@pytest.mark.as_user
def test_bad_input():
    image = torch.rand(4, 4)
    with pytest.raises(ValueError, match="smoothness must be positive"):
        wls_filter(image, smoothness=0.0)
    with pytest.raises(ValueError, match="small must be positive"):
        wls_filter(image, small=0.0)
    with pytest.raises(ValueError, match="guide must have shape"):
        wls_filter(image, guide=image[:2])
    with pytest.raises(ValueError, match="image must have height and width above 0"):
        wls_filter(image[:0])
    with pytest.raises(ValueError, match=r"images must have shape \(\.\.\., 3, height"):
        split_frequencies(image)
