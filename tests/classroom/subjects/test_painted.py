import pytest
import torch

from cvcourse.classroom.subjects import painted
from cvcourse.data import digits


def test_no_photograph_is_in_two_splits():
    names = [name for part in painted.PHOTOGRAPHS.values() for name in part]
    assert len(names) == len(set(names))


def test_where_there_is_no_ink_there_is_the_ground_and_elsewhere_its_colour():
    ground = torch.full((1, 3, 24, 24), 0.8)
    stroke = torch.zeros(5, 1, 24, 24)
    stroke[:, :, 4:8, 6:9] = 1
    found = painted.paint(stroke, ground, torch.Generator().manual_seed(0))
    bare = found[stroke.expand_as(found) == 0]
    torch.testing.assert_close(bare, torch.full((5 * 3 * 564,), 0.8))
    colours = found[:, :, 4, 6]
    torch.testing.assert_close(found[:, :, 7, 8], colours)
    assert (colours <= 0.4).all()  # dark on a bright ground
    assert (painted.paint(stroke, 0.1 * ground, torch.Generator())[:, :, 4, 6] >= 0.6).all()
    assert len(colours.unique(dim=0)) == 5


def test_grounds_have_no_up():
    """A piece with a mark in one corner has it in each of the four about as often."""
    piece = torch.zeros(1, 3, 24, 24)
    piece[:, :, 0, 0] = 1
    found = painted.paint(torch.zeros(800, 1, 24, 24), piece, torch.Generator().manual_seed(0))
    corners = [(found[:, 0, y, x] > 0.3).sum().item() for y in (0, -1) for x in (0, -1)]
    assert sum(corners) == 800
    assert min(corners) > 150


def test_the_ink_is_that_of_the_digits():
    strokes, labels = painted.ink("val", 28)
    assert strokes.shape == (len(labels), 1, 28, 28)
    assert torch.equal(strokes[:, :, 4:24, 4:24], digits.load("val", 20)[0])
    assert strokes[:, :, :4].sum() == 0


def test_pieces_are_of_the_photographs_in_colour():
    found = painted.pieces("test", 24)
    assert found.shape[1:] == (3, 24, 24)
    assert 0 <= found.min() < 0.1
    assert 0.9 < found.max() < 1 + 1e-5  # resampled


def test_copies_and_seeds():
    images, labels = painted.painted("test", copies=2, seed=3)
    assert len(images) == len(labels) == 2 * len(digits.load("test")[1])
    assert not torch.equal(images[: len(images) // 2], images[len(images) // 2 :])
    assert torch.equal(images, painted.painted("test", copies=2, seed=3)[0])


def test_pixels_of_a_segmented_digit_are_its_ink():
    images, where = painted.segmented("val", 50)
    plain, labels = painted.painted("val", contrast=0.0)
    for image, pixels in zip(images, where, strict=True):
        same = int((plain == image).flatten(1).all(1).nonzero()[0])
        assert pixels.unique().tolist() == [0, 1 + int(labels[same])]
        assert torch.equal(pixels > 0, painted.ink("val")[0][same, 0] > 0.5)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 50  # each once


def test_a_loader_gives_the_same_again():
    loader = painted.Painted(3, 4, seed=1)
    first, again = list(loader), list(loader)
    assert len(first) == len(loader) == 3
    for (images, labels), (same, names) in zip(first, again, strict=True):
        assert images.shape == (4, 3, 24, 24)
        assert torch.equal(images, same)
        assert torch.equal(labels, names)
    assert not torch.equal(first[0][0], first[1][0])


@pytest.mark.parametrize(("split", "side"), [("all", 24), ("train", 12), ("train", 400)])
def test_what_there_is_not(split, side):
    with pytest.raises(ValueError, match="must be"):
        painted.pieces(split, side)


def test_scattered_digits_lie_in_their_boxes_and_apart():
    pairs = painted.scattered("val", 60, seed=1)
    assert {len(target["labels"]) for _, target in pairs} == {1, 2, 3}
    assert len({int(label) for _, target in pairs for label in target["labels"]}) == 10
    for image, target in pairs:
        assert image.shape == (3, 48, 48)
        assert 0 <= image.min() <= image.max() <= 1
        ground = image.flatten(1).mode(1).values
        stroke = (image - ground[:, None, None]).abs().sum(0)
        stroke /= stroke.max()
        for x1, y1, x2, y2 in target["boxes"].long().tolist():
            assert 4 <= x2 - x1 <= 24
            assert 8 <= y2 - y1 <= 24
            assert x1 // 24 == (x2 - 1) // 24
            assert y1 // 24 == (y2 - 1) // 24
            inside = stroke[y1:y2, x1:x2] > 0.45
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert edge.any()
            stroke[y1:y2, x1:x2] = 0
        assert stroke.max() < 0.55  # in no other place


def test_scattered_digits_are_drawn_by_their_seed_from_their_split():
    (one, _), (two, _), (other, _) = (
        painted.scattered(split, 1, seed=seed)[0]
        for split, seed in (("val", 1), ("val", 1), ("val", 2))
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    large, target = painted.scattered("test", 1, side=64)[0]
    assert large.shape == (3, 64, 64)
    assert target["boxes"].dtype == torch.float32
