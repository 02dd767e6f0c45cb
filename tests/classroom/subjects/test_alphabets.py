import colorsys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.classroom.subjects import alphabets
from tests.data.tiny import write_omniglot


def test_ink_is_where_the_curve_is():
    """A straight stroke along the middle, three times, without noise: a bar with round ends."""
    line = torch.tensor([[-0.5, 0.0], [0, 0], [0.5, 0]]).expand(1, 3, 3, 2)
    picture = alphabets.write(line, 1, seed=0, size=21, jitter=0.0, affine=0.0)[0, 0]
    at = (torch.arange(21) + 0.5) / 21 * 2 - 1
    for i, y in enumerate(at.tolist()):
        for j, x in enumerate(at.tolist()):
            beyond = max(abs(x) - 0.5, 0.0)
            distance = (beyond**2 + y**2) ** 0.5
            ink = min(max((0.16 - distance) / 0.08, 0.0), 1.0)
            assert picture[i, j].item() == pytest.approx(ink, abs=0.2)  # ten points a stroke
    assert picture.max() == 1
    assert picture[:, 0].max() == 0


def test_curves_pass_through_their_ends_and_bend_to_the_middle_point():
    stroke = torch.tensor([[-0.6, 0.6], [0.0, -0.6], [0.6, 0.6]]).expand(1, 3, 3, 2)
    picture = alphabets.write(stroke, 1, seed=0, size=40, jitter=0.0, affine=0.0)[0, 0]
    for x, y in ((-0.6, 0.6), (0.6, 0.6), (0.0, 0.0)):  # at t = 1/2: a quarter, a half, a quarter
        row, column = (int((v + 1) / 2 * 40) for v in (y, x))
        assert picture[row - 1 : row + 2, column - 1 : column + 2].max() > 0.5
    assert picture[4:9, 18:22].max() == 0


def test_copies_differ_and_letters_differ_more():
    strokes = alphabets.invent(20, seed=1)
    assert strokes.shape == (20, 3, 3, 2)
    assert strokes.abs().max() <= 0.75
    pictures = alphabets.write(strokes, 4, seed=2)
    assert torch.equal(pictures, alphabets.write(strokes, 4, seed=2))
    within = (pictures[:, 0] - pictures[:, 1]).square().mean()
    between = (pictures[:-1, 0] - pictures[1:, 0]).square().mean()
    assert 0 < within < 0.8 * between


def test_colours_are_those_of_the_circle():
    hues = torch.rand(30, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
    pictures = alphabets.colour(torch.ones(30, 1, 1), hues)[:, :, 0, 0]
    for hue, found in zip(hues.tolist(), pictures.tolist(), strict=True):
        assert found == pytest.approx(colorsys.hsv_to_rgb(hue % 1, 1, 1), abs=1e-5)
    assert alphabets.colour(torch.zeros(1, 2, 2), torch.zeros(1)).min() == 1  # paper is white


def test_cards():
    found = alphabets.cards(3, 2, seed=5, hues=4)
    assert found.shape == (3, 4, 2, 3, 20, 20)
    still = alphabets.cards(3, 2, seed=5, hues=4, hue_noise=0.0)
    assert torch.allclose(still[:, 0, :, 0].amin((-1, -2)), torch.tensor(1.0))  # red keeps red
    assert not torch.equal(found, still)
    assert not torch.equal(still[:, :, 0], still[:, :, 1])


def test_moments_are_those_of_weighted_points():
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(4, 1, 6, 6, generator=generator)
    mean, covariance = alphabets.moments(images)
    side = (np.arange(6) + 0.5) / 3 - 1
    places = [(x, y) for y in side for x in side]
    for picture, m, c in zip(images.flatten(1), mean, covariance, strict=True):
        weights = picture.double().numpy()
        assert m.tolist() == pytest.approx(np.average(places, axis=0, weights=weights), abs=1e-5)
        want = np.cov(np.array(places).T, aweights=weights, ddof=0)
        assert c.numpy() == pytest.approx(want, abs=1e-5)


def test_normalised_ink_is_centred_and_round():
    images = alphabets.write(alphabets.invent(20, 1), 3, 2, affine=0.2).flatten(0, 1)[:, None]
    mean, covariance = alphabets.moments(alphabets.normalised(images))
    assert mean.abs().mean() < 0.03
    assert (covariance - 0.16 * torch.eye(2)).abs().mean() < 0.02
    centred, spread = alphabets.moments(alphabets.normalised(images, rounded=False))
    assert centred.abs().mean() < 0.03
    assert (spread - alphabets.moments(images)[1]).abs().mean() < 0.02
    middle = images[:, :, 4:-4, 4:-4]
    padded = [F.pad(middle, pad) for pad in ((4, 4, 4, 4), (6, 2, 1, 7))]  # shifted by whole pixels
    same = [alphabets.normalised(picture, rounded=False) for picture in padded]
    assert torch.allclose(*same, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alphabets.invent(0, 0), "letters must be at least 1"),
        (lambda: alphabets.write(alphabets.invent(1, 0), 0, 0), "copies must be at least 1"),
        (
            lambda: alphabets.colour(torch.zeros(2, 4, 4), torch.zeros(3)),
            r"hues must have shape \(2,\), got \(3,\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_cards_of_drawings_are_different_drawings_of_their_letter():
    ink = torch.arange(2 * 5.0).view(2, 5, 1, 1).expand(-1, -1, 4, 4) / 10  # letter and drawing
    found = alphabets.cards_of_drawings(ink, 3, seed=1, hues=2, hue_noise=0.0)
    assert found.shape == (2, 2, 3, 3, 4, 4)
    numbers = (10 * (1 - found.amin(3)[..., 0, 0])).round().int()  # a pure hue takes ink from one
    for letter in range(2):
        for hue in range(2):
            mine = numbers[letter, hue].tolist()
            assert len(set(mine)) == 3
            assert set(mine) <= set(range(5 * letter, 5 * letter + 5))
    with pytest.raises(ValueError, match="copies must be from 1 to 5, the drawings, got 6"):
        alphabets.cards_of_drawings(ink, 6, seed=1)


def test_omniglot_in_three_parts(tmp_path):
    write_omniglot(tmp_path, letters=3)
    parts = [alphabets.omniglot(tmp_path, number, size=21) for number in (1, 2, 3)]
    assert [part.shape for part in parts] == [(4, 20, 21, 21), (2, 20, 21, 21), (6, 20, 21, 21)]
    bar = parts[0][0, 0]  # of 105 rows 10 to 14, columns 20 to 40
    assert (bar[2, 4:8] == 1).all()
    assert bar.sum() == pytest.approx(4 + 2 / 5)  # and a fifth of a column, doubled
    with pytest.raises(ValueError, match="number must be 1, 2 or 3, got 0"):
        alphabets.omniglot(tmp_path, 0)
