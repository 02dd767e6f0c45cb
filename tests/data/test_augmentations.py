"""SimCLR's ten augmentations: what each changes, and what it leaves."""

import pytest
import torch

from cvcourse.data.augmentations import AUGMENTATIONS, augmentation, simclr_augmentation


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.rand(1, 3, 32, 32).expand(12, -1, -1, -1).clone()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_range_and_randomness(images, name):
    changed = augmentation(name, 32)(images)
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    alike = (changed == changed[:1]).flatten(1).all(1)
    settled = name in ("original", "color drop", "sobel")
    assert alike.all() == settled  # each image of a batch in its own way
    assert torch.equal(changed, images) == (name == "original")
    assert augmentation(name, 32)(images[:1]).shape == (1, 3, 32, 32)


def test_what_each_does(images):
    grey = augmentation("color drop", 32)(images)
    assert (grey[:, 0] - grey[:, 2]).abs().max() < 1e-6
    turned = augmentation("rotate", 32)(images)
    quarters = [torch.rot90(images[0], k, (1, 2)) for k in (1, 2, 3)]
    for image in turned:
        assert min((image - q).abs().max() for q in quarters) < 1e-3
    cut = augmentation("cutout", 32)(images)
    share = ((cut == 0.5).all(1)).float().mean((1, 2))
    assert (share > 0.05).all()
    assert (share < 0.35).all()
    kept = (cut == images).all(1).float().mean((1, 2))
    torch.testing.assert_close(share + kept, torch.ones(12))
    noisy = augmentation("noise", 32, strength=0.5)(torch.full((4, 3, 64, 64), 0.5))
    assert noisy.std().item() == pytest.approx(0.05, rel=0.05)
    blurred = augmentation("blur", 32)(images)
    assert (blurred.std((1, 2, 3)) <= images.std((1, 2, 3)) + 1e-6).all()
    edges = augmentation("sobel", 32)(torch.full((1, 3, 16, 16), 0.3))
    assert edges.max() < 2e-3  # kornia adds 1e-6 under the root
    still = augmentation("color jitter", 32, strength=0.0)(images)
    torch.testing.assert_close(still, images, atol=1e-4, rtol=0)


def test_a_crop_of_a_ramp_keeps_its_order():
    ramp = torch.linspace(0, 1, 40).expand(30, 3, 40, 40).contiguous()
    cropped = augmentation("crop", 24)(ramp)
    assert cropped.shape == (30, 3, 24, 24)
    steps = cropped.diff(dim=3)
    assert (steps > -1e-3).all()
    width = (cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]).clamp(min=0)
    assert width.min() < 0.5 < width.max() + 0.3
    flipped = augmentation("crop and flip", 24)(ramp)
    backwards = (flipped.diff(dim=3) < 1e-3).flatten(1).all(1)
    assert 4 < backwards.sum() < 26


def test_composition(images):
    views = simclr_augmentation(32, strength=0.5, blur=False)(images)
    assert views.shape == images.shape
    assert not torch.equal(views[0], views[1])
    grey = ((views[:, 0] - views[:, 1]).abs().amax((1, 2)) < 1e-5).sum()
    assert grey < 12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augmentation("mirror", 32), "name must be one of"),
        (lambda: augmentation("crop", 4), "size must be at least 8 pixels, got 4"),
        (lambda: augmentation("noise", 32, strength=2.0), "strength must be from 0 to 1.25"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
