import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from cvcourse.methods import perturb_background, rough_segmentation

ELLIPSE = np.array([[0, 0, 1, 0, 0], [1] * 5, [1] * 5, [1] * 5, [0, 0, 1, 0, 0]], dtype=bool)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def subject():
    alpha = torch.zeros(1, 1, 40, 48)
    alpha[..., 10:30, 12:34] = 1
    return alpha


def test_noise_and_gamma():
    backgrounds = torch.full((400, 3, 8, 8), 0.5)
    out = perturb_background(backgrounds, generator=seeded(0))
    flat = out.flatten(1).std(1) < 1e-6
    assert 0.5 < flat.float().mean() < 0.7
    gammas = out[flat][:, 0, 0, 0].log() / np.log(0.5)
    assert gammas.mean() == pytest.approx(1, abs=0.03)
    assert gammas.std() == pytest.approx(0.12, rel=0.15)
    noise = 255 * (out[~flat] - 0.5).flatten(1)
    assert -8 < noise.mean(1).min() < -5
    assert 4 < noise.mean(1).max() < 7
    assert 1.5 < noise.std(1).min() < noise.std(1).max() < 6
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize(("erode", "dilate"), [(0, 0), (2, 0), (0, 3), (3, 4)])
def test_steps_equal_scipy(erode, dilate):
    alpha = subject()
    alpha[..., 0:3, 40:48] = 1  # at the border
    got = rough_segmentation(
        alpha, erode=(erode, erode + 1), dilate=(dilate, dilate + 1), holes=(0, 1), blurs=(1,)
    )
    want = alpha[0, 0].numpy() > 0
    if erode:
        want = binary_erosion(want, ELLIPSE, iterations=erode, border_value=1)
    if dilate:
        want = binary_dilation(want, ELLIPSE, iterations=dilate)
    np.testing.assert_array_equal(got[0, 0].numpy(), want)


def test_blur_is_opencvs_gaussian():
    options = {"erode": (0, 1), "dilate": (0, 1), "holes": (0, 1)}
    got = rough_segmentation(subject(), blurs=(9,), **options)
    sigma = 0.3 * 3 + 0.8
    want = gaussian_filter(subject()[0, 0].numpy(), sigma, mode="nearest", radius=4)
    np.testing.assert_allclose(got[0, 0], want, atol=1e-6)


def test_holes_lie_where_alpha_is_uncertain():
    alpha = subject()
    alpha[..., 15:17, 20:22] = 0.5
    options = {"erode": (0, 1), "dilate": (0, 1), "hole_sides": (5,), "blurs": (1,)}
    for seed in range(5):
        got = rough_segmentation(alpha, holes=(1, 2), generator=seeded(seed), **options)
        hole = ((alpha > 0) & (got == 0))[0, 0].nonzero()
        assert len(hole) == 25
        middle = hole.float().mean(0)
        assert alpha[0, 0][tuple(middle.long())] == 0.5


def test_of_several_pictures_each_is_drawn_anew_and_the_same_seed_is_the_same():
    alpha = subject().expand(6, -1, -1, -1)
    options = {"erode": (0, 4), "dilate": (0, 4), "hole_sides": (5, 7), "blurs": (3, 5)}
    first = rough_segmentation(alpha, generator=seeded(1), **options)
    again = rough_segmentation(alpha, generator=seeded(1), **options)
    assert torch.equal(first, again)
    assert len(first.unique(dim=0)) > 3
    assert rough_segmentation(torch.zeros(1, 1, 9, 9), **options).eq(0).all()


@pytest.mark.as_user
def test_bad_input():
    alpha = subject()
    with pytest.raises(ValueError, match="alpha must have shape"):
        rough_segmentation(alpha[0])
    with pytest.raises(ValueError, match="erode must be a range"):
        rough_segmentation(alpha, erode=(3, 3))
    with pytest.raises(ValueError, match="blurs must be odd"):
        rough_segmentation(alpha, blurs=(4,))
    with pytest.raises(ValueError, match="noisy must lie in"):
        perturb_background(torch.rand(1, 3, 4, 4), noisy=1.5)
