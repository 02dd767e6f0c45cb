import pytest
import torch
from scipy import ndimage

from cvcourse.data import cluttered_digits, digits


def draw(count, seed=0, split="test", **options):
    return cluttered_digits.cluttered_digits(
        count, split, torch.Generator().manual_seed(seed), **options
    )


@pytest.fixture
def bare(monkeypatch):
    monkeypatch.setattr(cluttered_digits, "SCRAPS", 0)


def test_same_seed_same_pictures():
    pictures, labels, centres = draw(5)
    assert pictures.shape == (5, 1, 40, 40)
    assert centres.shape == (5, 2)
    assert all(torch.equal(a, b) for a, b in zip((pictures, labels, centres), draw(5), strict=True))
    assert not torch.equal(pictures, draw(5, seed=1)[0])
    assert 0 <= pictures.min() < pictures.max() <= 1


def test_each_digit_once_and_then_once_more():
    _, truth = digits.load("test")
    _, labels, _ = draw(2 * len(truth))
    for part in labels.split(len(truth)):
        assert torch.equal(part.bincount(), truth.bincount())


def test_the_digit_is_where_it_is_said_to_be(bare):
    pictures, _, centres = draw(60)
    ink = torch.tensor([ndimage.center_of_mass(p[0].numpy()) for p in pictures]).flip(1)
    assert ((ink + 0.5 - 20 - centres).norm(dim=1) < 4).all(), "ink is not in the middle of a digit"
    edges = torch.cat([pictures[:, 0, [0, -1]], pictures[:, 0, :, [0, -1]].mT], 1)
    assert edges.max() < 0.2, "digits lie inside"


def test_turns_to_either_side(bare):
    pictures, _, centres = draw(200, turns=(89.99, 90.01))
    upright, _, same = draw(200, turns=(-0.01, 0.01))
    assert torch.equal(centres, same)

    def around(picture, centre):
        points = torch.linspace(-0.4, 0.4, 9)
        y, x = torch.meshgrid(points, points, indexing="ij")
        grid = torch.stack([x, y], -1) + centre / 20
        return torch.nn.functional.grid_sample(picture[None], grid[None], align_corners=False)[0]

    turned = torch.stack([around(p, c) for p, c in zip(pictures, centres, strict=True)])
    straight = torch.stack([around(p, c) for p, c in zip(upright, centres, strict=True)])
    clockwise, other = ((turned - straight.rot90(k, (2, 3))).abs().mean((1, 2, 3)) for k in (-1, 1))
    assert torch.minimum(clockwise, other).max() < 0.07, "a quarter turn, but for resampling"
    assert 60 < (clockwise < other).sum() < 140


def test_scraps_only_add_ink():
    pictures, labels, _ = draw(20)
    ink = pictures.sum((1, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluttered_digits, "SCRAPS", 0)
        bare, same, _ = draw(20)
    assert torch.equal(labels, same)
    assert (pictures >= bare).all()
    assert (ink > bare.sum((1, 2, 3))).float().mean() > 0.9
