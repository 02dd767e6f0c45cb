import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from cvcourse.classroom.subjects import photographs
from cvcourse.classroom.subjects.foreground import (
    cleaned,
    grey_scenes,
    masks_by_threshold,
    pixel_classifier,
    surroundings,
    tuned_threshold,
)
from cvcourse.data import pictures


def test_surroundings_are_blurs_of_each_picture():
    images = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(0))
    values = surroundings(images).reshape(2, 5, 7, 9)
    np.testing.assert_array_equal(values[..., 0], images[:, 0])
    np.testing.assert_allclose(values[1, ..., 3], gaussian_filter(images[1, 0].numpy(), 4))
    assert (surroundings(torch.ones(1, 1, 5, 7))[:, 6:] == 0).all()  # no edge


def test_classifier_learns_what_one_pixel_cannot_tell():
    def discs(seed):  # as grey as the ground, but smooth where the ground is rough
        g = torch.Generator().manual_seed(seed)
        x, y = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
        centre = torch.randint(8, 24, (12, 2, 1, 1), generator=g)
        masks = (x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < 49
        return torch.randn(12, 1, 32, 32, generator=g) * ~masks[:, None], masks

    predict = pixel_classifier(*discs(0), pixels=6000, seed=0)
    images, masks = discs(1)
    found = predict(images)
    assert found.dtype == torch.bool
    assert found.shape == masks.shape
    assert ((found & masks).sum() / (found | masks).sum()) > 0.7
    assert found.equal(pixel_classifier(*discs(0), pixels=6000, seed=0)(images))
    tuned = pixel_classifier(*discs(0), tune_on=discs(2), pixels=6000, seed=0)(images)
    assert (tuned & masks).sum() / (tuned | masks).sum() > 0.85  # specks dropped, holes filled


def test_objects_grow_with_the_picture():
    images, masks = grey_scenes(24, "val", seed=1)
    assert images.shape == (24, 1, 64, 64)
    assert images.mean((1, 2, 3)).abs().max() < 1e-6
    larger = grey_scenes(24, "val", seed=1, size=128)[1]
    assert larger.shape == (24, 128, 128)
    assert abs(larger.float().mean() - masks.float().mean()) < 0.05
    assert masks.flatten(1).any(1).all()


def test_cleaned_fills_and_drops():
    mask = np.zeros((12, 12), bool)
    mask[2:9, 2:9] = True
    mask[5, 5] = False  # a hole
    mask[10, :] = True  # a line
    whole = np.zeros_like(mask)
    whole[2:9, 2:9] = True
    assert (cleaned(mask, 0) == (whole | mask)).all()
    opened = cleaned(mask, 1)
    assert opened[5, 5]
    assert not opened[10].any()


def test_threshold_with_the_settings_of_the_photograph_is_its_pipeline():
    coins = pictures.load("coins")[:1]
    (mask,) = masks_by_threshold(coins[None], blur=40, rounds=3)
    assert mask.equal(photographs.pieces_by_threshold(coins).any(0))


def test_dark_things_and_what_covers_least():
    image = torch.zeros(1, 1, 20, 20)
    image[..., 5:10, 5:10] = -1  # dark on light
    dark = image[:, 0] < 0
    assert masks_by_threshold(image, sides=(-1,)).equal(dark)
    assert masks_by_threshold(image, sides=(1, -1)).equal(dark)
    assert masks_by_threshold(image, sides=(1,)).equal(torch.ones_like(dark))  # its hole is filled


def test_tuning_finds_what_the_pictures_need():
    ramp = torch.linspace(0, 3, 40)
    images = torch.zeros(3, 1, 40, 40) + ramp
    masks = torch.zeros(3, 40, 40, dtype=torch.bool)
    for i in range(3):
        masks[i, 8 + i : 14 + i, 4:10] = masks[i, 20:26, 28 : 34 + i] = True
    images = images - masks[:, None].float()
    setting = tuned_threshold(images, masks)
    assert setting["sides"] == (-1,)
    assert setting["blur"] > 0
    found = masks_by_threshold(images, **setting)
    assert ((found & masks).sum() / (found | masks).sum()) > 0.7
