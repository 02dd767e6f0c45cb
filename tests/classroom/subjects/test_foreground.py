import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cvcourse.classroom.subjects import photographs
from cvcourse.classroom.subjects.foreground import (
    PixelClassifier,
    cleaned,
    grey_scenes,
    halves_by_contrast,
    masks_by_threshold,
    pixel_classifiers,
    surroundings,
    tuned_threshold,
)
from cvcourse.data import pictures


def test_halves_by_the_size_of_the_contrast():
    images, masks = torch.zeros(4, 1, 2, 2), torch.zeros(4, 2, 2, dtype=torch.bool)
    images[:, 0, 0], masks[:, 0] = torch.tensor([1.0, -2, 3, -4])[:, None], True
    halves = halves_by_contrast(images, masks, torch.tensor([0.9, 0.8, 0.7, 0.6]))
    assert {name: half.tolist() for name, half in halves.items()} == {
        "faint": pytest.approx([0.9, 0.8]),
        "strong": pytest.approx([0.7, 0.6]),
    }


def test_surroundings_of_each_picture():
    images = torch.rand(2, 1, 40, 30, generator=torch.Generator().manual_seed(0))
    known = np.stack(surroundings(images)).reshape(2, 40, 30, 62)
    assert known.dtype == np.float32
    image, planes = images[1, 0].numpy(), np.moveaxis(known[1], 2, 0)
    blurs = [gaussian_filter(image, width, mode="nearest") for width in (0.5, 1, 2, 4, 8, 16)]
    for blur in blurs:
        assert np.isclose(planes[:24], blur, atol=1e-5).all((1, 2)).any()
    padded = np.pad(image, 3, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    np.testing.assert_array_equal(planes[28], windows.min((2, 3)))
    np.testing.assert_array_equal(planes[29], windows.max((2, 3)))
    soft = gaussian_filter(image, 2)
    np.testing.assert_allclose(planes[34][6:, 6:], soft[:-6, :-6] - soft[6:, 6:], atol=1e-6)
    np.testing.assert_allclose(planes[58][:, 0], np.linspace(-1, 1, 40), atol=1e-6)
    np.testing.assert_allclose(planes[59][0], np.linspace(-1, 1, 30), atol=1e-6)
    assert planes[60].flat[image.argmin()] == 0
    np.testing.assert_allclose(planes[61], image.std(), rtol=1e-5)
    spread = (
        gaussian_filter(image.astype(float) ** 2, 4) - gaussian_filter(image.astype(float), 4) ** 2
    )
    np.testing.assert_allclose(planes[25], spread**0.5, atol=1e-3)


def test_a_flat_picture_has_no_edges_no_spread_and_no_direction():
    (known,) = surroundings(torch.ones(1, 1, 20, 20))
    constant = np.r_[0:58, 61]
    assert (np.ptp(known[:, constant], axis=0) < 1e-3).all()


def test_classifiers_learn_what_one_pixel_cannot_tell():
    def discs(seed):  # as grey as the ground, but smooth where the ground is rough
        g = torch.Generator().manual_seed(seed)
        x, y = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
        centre = torch.randint(8, 24, (12, 2, 1, 1), generator=g)
        masks = (x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < 49
        return torch.randn(12, 1, 32, 32, generator=g) * ~masks[:, None], masks

    options = {"tune_on": discs(2), "pixels": 3000, "stages": (4, 12), "seed": 0}
    grid, again = (pixel_classifiers(*discs(0), **options) for _ in range(2))
    assert len(grid) == 6
    images, masks = discs(1)
    for name, classifier in grid.items():
        found = classifier(images)
        assert found.dtype == torch.bool
        assert found.shape == masks.shape
        assert (found & masks).sum() / (found | masks).sum() > 0.8, name
        assert found.equal(again[name](images)), name
    early, late = (grid[f"boosted, 15 leaves, {stage} rounds"] for stage in (4, 12))
    assert early.trees is late.trees
    whole = late.trees.predict_proba(np.concatenate(surroundings(images)))[:, 1]
    np.testing.assert_allclose(late.chances(surroundings(images), (32, 32)).ravel(), whole)
    first = early.trees.staged_predict_proba(surroundings(images)[0])
    for _ in range(4):
        chances = next(first)
    np.testing.assert_allclose(
        early.chances(surroundings(images[:1]), (32, 32)).ravel(), chances[:, 1]
    )


def test_tuning_takes_the_cut_and_the_rounds_that_fit():
    class Trees:  # sure of a square, less sure of a speck
        @staticmethod
        def predict_proba(pixels):
            chance = np.full((20, 20), 0.05)
            chance[4:12, 4:12], chance[16, 16], chance[14:18, 2:4] = 0.35, 0.9, 0.25
            return np.stack([1 - chance.ravel(), chance.ravel()], axis=1)

    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[0, 4:12, 4:12] = True
    images = torch.rand(1, 1, 20, 20)
    plain = PixelClassifier(Trees())(images)
    assert plain.nonzero().tolist() == [[0, 16, 16]]
    tuned = PixelClassifier(Trees()).tune(surroundings(images), mask)
    assert abs(tuned.tuned_iou - 64 / 65) < 1e-6
    assert tuned.setting == (0.3, 0)  # an opening would take the square's corners


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
