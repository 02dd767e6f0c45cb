"""Digits that move: they are where the film says, as fast as asked, and inside."""

import pytest
import torch
from scipy import ndimage

from cvcourse.classroom.subjects.moving_digits import batches, late, marked, moving_digits


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def centre_of_mass(frame):
    y, x = ndimage.center_of_mass(frame[0].numpy())
    return torch.tensor([x + 0.5, y + 0.5]).float()  # the middle of a pixel is half a pixel in


@pytest.mark.parametrize("bounce", [False, True])
def test_places_are_the_inks_centre_of_mass(bounce):
    film = moving_digits(6, "test", seeded(), frames=9, speed=2.5, bounce=bounce, photographs=False)
    assert film.frames.shape == (6, 9, 1, 48, 48)
    for frames, places in zip(film.frames, film.places, strict=True):
        for frame, place in zip(frames, places, strict=True):
            assert (centre_of_mass(frame) - place).abs().max() < 0.25


def test_a_straight_path_has_its_speed_and_stays_inside():
    film = moving_digits(50, "train", seeded(), frames=9, speed=4.0, photographs=False)
    steps = film.places.diff(dim=1)
    torch.testing.assert_close(steps.norm(dim=2), torch.full((50, 8), 4.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(steps, steps[:, :1].expand(-1, 8, -1), atol=1e-3, rtol=0)
    whole = film.frames.sum((2, 3, 4))
    assert (whole / whole[:, :1]).sub(1).abs().max() < 0.05  # no ink is cut off
    with pytest.raises(ValueError, match=r"10 frames of 4.0 pixels do not fit into 34"):
        moving_digits(1, "test", seeded(), frames=10, speed=4.0)


def test_thrown_back_it_is_equally_likely_everywhere_at_each_speed():
    how = {"frames": 30, "size": 10, "digit": 8, "bounce": True, "photographs": False}
    for speed in (0.0, 0.3, 1.7):
        film = moving_digits(400, "test", seeded(), speed=speed, **how)
        slow = moving_digits(400, "test", seeded(1), speed=0.0, **how)
        for a, b in ((film, slow), (slow, film)):
            assert a.places.amax((0, 1)).sub(b.places.amax((0, 1))).abs().max() < 0.3
        assert film.places[:, -1].mean(0).sub(slow.places[:, 0].mean(0)).abs().max() < 0.2
        assert film.places.diff(dim=1).norm(dim=2).max() <= speed + 1e-4


def test_the_photograph_stands_still_and_noise_does_not():
    film = moving_digits(3, "test", seeded(), frames=5, speed=1.0)
    change = film.frames.diff(dim=1).abs()
    assert 0 < (change > 1e-6).float().mean() < 0.15
    assert 0 <= film.frames.min() <= film.frames.max() <= 1 + 1e-6
    noisy = moving_digits(3, "test", seeded(), frames=5, speed=1.0, noise=0.1)
    torch.testing.assert_close((noisy.frames - film.frames).std().item(), 0.1, atol=0.005, rtol=0)


def test_marks():
    frames, places = torch.zeros(3, 1, 20, 20), torch.tensor([[9.0, 10.0], [0, 0], [torch.nan] * 2])
    shown = marked(frames, places, half=3)
    assert shown.shape == (3, 3, 20, 20)
    drawn = (shown.amax(1) > 0).nonzero()
    first = drawn[drawn[:, 0] == 0, 1:]
    assert (first.amin(0).tolist(), first.amax(0).tolist()) == ([7, 6], [13, 12])
    assert [len(drawn[drawn[:, 0] == i]) for i in range(3)] == [24, 7, 0]


def test_late_answers():
    places = torch.arange(10.0).view(5, 2)
    found = late(places, [None, 1, 1, 3, 4])
    assert found.isnan().all(1).tolist() == [True, False, False, False, False]
    assert found[1:].tolist() == [[0, 1], [2, 3], [0, 1], [0, 1]]
    assert late(places, [2] * 5).isnan().all(1).tolist() == [True, True, False, False, False]


def test_batches(monkeypatch):
    made = list(batches(4, 2, seeded(), size=10, digit=8, photographs=False))
    assert [len(film.frames) for film in made] == [2] * 4
    assert not torch.equal(made[0].frames, made[1].frames)
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    made = list(batches(400, 7, seeded(), photographs=False))
    assert [len(film.frames) for film in made] == [4, 4]
