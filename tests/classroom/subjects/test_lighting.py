"""Lamps and noise, by their closed forms."""

import numpy as np
import torch
from skimage.exposure import adjust_gamma

from cvcourse.classroom.subjects.lighting import lamps, photographed


def own(seed=0):
    return torch.Generator().manual_seed(seed)


def test_even_light_is_one_number_in_its_range():
    light = lamps(500, 5, own(), even=True)
    assert light.shape == (500, 1, 5, 5)
    assert (light == light[..., :1, :1]).all()
    np.testing.assert_allclose([light.min(), light.max()], [0.04, 0.3], rtol=0.1)
    assert light.min() >= 0.04
    assert light.max() <= 0.3


def test_a_lamp_at_one_side_falls_off_by_the_same_factor():
    light = lamps(500, 9, own()).double()
    for dim in (2, 3):
        steps = light.log().diff(dim=dim).flatten(1)
        assert steps.std(1).max() < 1e-5
    near, far = light.amax((1, 2, 3)), light.amin((1, 2, 3))
    np.testing.assert_allclose([near.min(), near.max()], [0.3, 0.9], rtol=0.05)
    np.testing.assert_allclose([far.min(), far.max()], [0.02, 0.1], rtol=0.05)


def test_what_is_saved_has_the_mean_and_the_variance_of_the_law():
    grey = torch.full((1, 3, 200, 200), 0.5)
    linear = adjust_gamma(photographed(grey, 0.25, own()).double().numpy(), 2.2)
    mean = 0.25 * 0.5**2.2
    np.testing.assert_allclose(linear.mean(), mean, atol=1e-4)
    np.testing.assert_allclose(linear.var(), 1e-4 * mean + 1e-6, rtol=0.1)


def test_it_is_saved_in_8_bits_and_cut_off():
    seen = photographed(torch.rand(2, 3, 16, 16, generator=own()), 1.0, own(1))
    assert torch.equal((255 * seen).round() / 255, seen)
    assert (photographed(torch.ones(1, 1, 40, 40), 1.0, own()) <= 1).all()
    assert (photographed(torch.zeros(1, 1, 40, 40), 1.0, own()) == 0).float().mean() > 0.4
