"""Measures of restored pictures, against closed forms and others' code."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from skimage import restoration
from skimage.color import deltaE_cie76, rgb2lab, rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import restoring
from cvcourse.ops import gaussian_kernel
from tests.data.tiny import write_coco, write_div2k, write_set5

X = torch.arange(96.0)


def waves(f, height=64):  # f cycles a pixel along x
    return (0.5 + 0.4 * torch.cos(2 * math.pi * f * X)).expand(1, 3, height, 96)


def run_of(scale):
    return Run("17 test", seed=0, device=torch.device("cpu"), scale=scale)


def test_pieces_are_the_same_each_time_and_of_the_photographs():
    photographs = torch.rand(2, 3, 256, 256)
    pieces = restoring.Pieces(photographs, 3, 5, 32, seed=4)
    assert len(pieces) == 3
    first, again = list(pieces), list(pieces)
    assert [tuple(batch.shape) for batch in first] == [(5, 3, 32, 32)] * 3
    assert all(a.equal(b) for a, b in zip(first, again, strict=True))
    assert not first[0].equal(first[1])
    assert not first[0].equal(next(iter(restoring.Pieces(photographs, 1, 5, 32, seed=5))))


def test_pieces_of_one_colour_have_its_channels_in_any_order_and_a_tint():
    colour = torch.tensor([0.2, 0.5, 0.8])
    photographs = colour.view(1, 3, 1, 1).expand(1, 3, 256, 256)
    (pieces,) = restoring.Pieces(photographs, 1, 400, 16, seed=0)
    assert pieces.flatten(2).std(2).max() < 1e-5
    values = pieces[:, :, 0, 0]
    ratios = values[:, :, None] / colour  # each channel to each of the three
    fits = ((ratios > 0.6 - 1e-4) & (ratios < 1.2 + 1e-4)).any(2)
    assert fits.all()
    brightest = values.argmax(1).bincount(minlength=3)
    assert (brightest > 90).all()  # 133 each on average


def test_power_is_that_of_a_wave_where_it_is():
    spectrum = restoring.power(waves(4 / 32))
    assert spectrum.shape == (32, 32)
    row = spectrum[0]
    assert row.argmax() in (4, 28)
    torch.testing.assert_close(row[4], row[28])
    # a cosine of amplitude a under a window w has |a/2 Σw|² there; Hann sums to N/2 on each axis
    assert row[4].item() == pytest.approx((0.4 / 2 * 16 * 16) ** 2, rel=0.02)


def test_fineness_counts_beyond_a_quarter_of_a_cycle_in_any_direction():
    coarse, fine = restoring.fineness(waves(1 / 8)), restoring.fineness(waves(3 / 8))
    assert coarse < 1e-3 * fine
    y = torch.arange(64.0)[:, None]
    slanted = 0.5 + 0.4 * torch.cos(2 * math.pi * (X + y) * 7 / 32)  # 0.31 along the diagonal
    assert restoring.fineness(slanted.expand(1, 3, 64, 96)) == pytest.approx(fine, rel=0.05)
    assert restoring.fineness(0.2 + waves(3 / 8)) == pytest.approx(fine, rel=1e-4)


def test_checkerboard_sees_patterns_of_two_and_four_pixels_and_no_others():
    noise = 0.1 * torch.randn(4, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    assert abs(restoring.checkerboard(noise)) < 0.5
    x, y = torch.arange(96), torch.arange(128)[:, None]
    for pattern in ((-1.0) ** (x + y), ((x % 4 == 0) & (y % 4 == 0)).float()):
        assert restoring.checkerboard(noise + 0.1 * pattern) > restoring.checkerboard(noise) + 1
    other = (x % 5 == 0).float().expand(128, 96)
    assert restoring.checkerboard(noise + 0.1 * other) < restoring.checkerboard(noise) + 1


def test_colour_error_is_that_of_scikit_image():
    ours, theirs = torch.rand(2, 2, 3, 16, 24, generator=torch.Generator().manual_seed(1))

    def lab(images):
        blocks = images.unflatten(2, (2, 8)).unflatten(4, (3, 8)).mean((3, 5))
        return rgb2lab(blocks.movedim(1, -1).numpy())

    wanted = np.mean(deltaE_cie76(lab(ours), lab(theirs)))
    assert restoring.colour_error(ours, theirs) == pytest.approx(wanted, rel=1e-5)
    assert restoring.colour_error(ours, ours) == 0
    assert restoring.colour_error(ours + 9, torch.ones_like(ours)) < 1e-3  # clipped


def test_photographs_of_the_packages_at_scale_small():
    assert restoring.training_photographs(run_of("small"), "coco").shape == (9, 3, 256, 256)
    assert restoring.held_out_photographs(run_of("small"), 48).shape == (4, 3, 48, 48)
    assert not set(restoring.TESTED) & set(restoring.TRAINED)


def test_real_photographs_at_scale_full(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert len(restoring.training_photographs(run_of("full"), "coco")) == 9
    assert "coco: not at hand" in capsys.readouterr().out
    write_coco(tmp_path / "coco", "val2017", (7, 3), [])
    write_div2k(tmp_path / "div2k")
    write_set5(tmp_path / "set5")
    assert restoring.training_photographs(run_of("full"), "coco").shape == (2, 3, 256, 256)
    assert restoring.training_photographs(run_of("full"), "div2k").shape == (1, 3, 256, 256)
    assert restoring.held_out_photographs(run_of("full"), 24).shape == (2, 3, 24, 24)
    assert str(tmp_path / "set5") in capsys.readouterr().out


def test_set5_is_whole_and_belongs_to_scale_full(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert restoring.whole_set5(run_of("full")) == []
    write_set5(tmp_path / "set5", low=(5, 4))
    assert restoring.whole_set5(run_of("small")) == []
    (low, high), _ = restoring.whole_set5(run_of("full"))
    assert low.shape == (1, 3, 5, 4)
    assert high.shape == (1, 3, 15, 12)
    assert 255 * high[0, 0, 14, 0] == 14  # row 14 of the ramp, not resampled


def test_decibels_of_set5_are_scikit_images_of_bytes():
    a, b = torch.rand(2, 1, 1, 20, 17, generator=torch.Generator().manual_seed(0))
    ours, theirs = ((255 * x[0, 0, 3:-3, 3:-3]).round().byte().numpy() for x in (a, b))
    wanted = peak_signal_noise_ratio(theirs, ours, data_range=255)
    assert restoring.set5_decibels(a, b) == pytest.approx(wanted, rel=1e-5)
    border = a.clone()
    border[..., :3, :] = 0
    assert restoring.set5_decibels(border, b) == restoring.set5_decibels(a, b)


def test_ways_to_enlarge_set5_begin_with_bicubic_luma(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert restoring.on_set5(run_of("full"), {"bicubic": lambda x: x}) == {}
    write_set5(tmp_path / "set5", low=(8, 6))
    begun = []
    ways = {"bicubic": lambda x: begun.append(x) or x, "black": torch.zeros_like}
    found = restoring.on_set5(run_of("full"), ways)
    high = restoring.whole_set5(run_of("full"))[0][1]
    image = Image.open(tmp_path / "set5/image_SRF_3/img_001_SRF_3_LR.png")
    luma = rgb2ycbcr(np.asarray(image))[..., 0].astype(np.float32)
    peer = np.asarray(Image.fromarray(luma).resize((18, 24), Image.Resampling.BICUBIC)) / 255
    np.testing.assert_allclose(begun[0][0, 0].numpy(), peer, atol=1e-4)
    truth = torch.from_numpy(rgb2ycbcr(high[0].movedim(0, 2).numpy())[None, None, ..., 0]) / 255
    expected = restoring.set5_decibels(begun[0], truth.float())
    assert found["bicubic"][0] == pytest.approx(expected, rel=1e-4)
    assert found["black"][0] == restoring.set5_decibels(torch.zeros(1, 1, 24, 18), truth.float())
    assert len(found["black"]) == 2


def test_spoilt_pieces_are_blurred_and_noisy_and_the_same_each_time():
    photographs = torch.rand(2, 3, 256, 256)
    pairs = restoring.SpoiltPieces(photographs, 2, 3, 48, seed=4)
    (first, _), (again, _) = list(pairs), list(pairs)
    assert all(a.equal(b) for a, b in zip(first, again, strict=True))
    assert first[1].equal(next(iter(restoring.Pieces(photographs, 1, 3, 48, seed=4))))
    flat = torch.full((1, 3, 64, 64), 0.5)
    spoilt = restoring.blur_and_noise(flat, torch.Generator().manual_seed(0))
    assert spoilt.std().item() == pytest.approx(0.05, rel=0.05)
    dot = torch.zeros(1, 1, 65, 65)
    dot[0, 0, 32, 32] = 1e4  # what is seen is the kernel
    row = restoring.blur_and_noise(dot, torch.Generator().manual_seed(0))[0, 0, 32]
    assert (row[33] / row[32]).item() == pytest.approx(math.exp(-1 / (2 * 1.5**2)), rel=0.01)


def test_right_detail_is_numpy_s_correlation_and_does_not_see_light():
    ours, theirs = torch.rand(2, 2, 3, 40, 40)
    assert restoring.right_detail(theirs, theirs) == pytest.approx(1)
    assert restoring.right_detail(0.5 * theirs + 0.2, theirs) == pytest.approx(1, abs=1e-3)
    assert restoring.right_detail(-theirs, theirs) == pytest.approx(-1)
    fine = []
    for images in (ours, theirs):
        grey = images.mean(1).numpy()
        soft = gaussian_filter1d(gaussian_filter1d(grey, 1.0, 1, radius=3), 1.0, 2, radius=3)
        fine.append((grey - soft)[:, 4:-4, 4:-4])
    inside = np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1]
    assert restoring.right_detail(ours, theirs) == pytest.approx(inside, abs=0.05)


def test_wiener_is_scikit_image_s_and_sharpens_what_was_blurred():
    images = torch.rand(2, 3, 48, 48)
    spoilt = restoring.blur_and_noise(images, torch.Generator().manual_seed(0))
    cleared = restoring.wiener(spoilt, 0.1)
    kernel = gaussian_kernel(1.5, size=9).numpy()
    theirs = restoration.wiener(spoilt[1, 2].double().numpy(), kernel, 0.1)
    np.testing.assert_allclose(cleared[1, 2].numpy(), theirs, atol=1e-6)
    assert restoring.right_detail(cleared, images) > restoring.right_detail(spoilt, images)
