import pytest
import torch

from cvcourse.data.cells import cell_pictures
from cvcourse.data.scenes import Scenes


def test_cells_are_those_of_the_scene():
    images, cells = cell_pictures(2, "val", seed=3, size=64)
    assert (images.shape, images.dtype) == ((2, 1, 64, 64), torch.float32)
    assert (cells.shape, cells.dtype) == ((2, 64, 64), torch.int64)
    scenes = Scenes(
        2, size=64, seed=3, split="val", objects=(2, 22), classes=("background", "blob"),
        scale=(0.12, 0.25), placement="touching", background="plain", texture=0,
    )  # fmt: skip
    for (_, target), numbers in zip(scenes, cells, strict=True):
        assert numbers.max() == len(target["masks"])
        for number, mask in enumerate(target["masks"], 1):
            assert torch.equal(numbers == number, mask)


def test_cells_are_brighter_than_what_is_behind_them():
    images, cells = cell_pictures(8, size=64)
    assert images.min() >= 0
    for image, numbers in zip(images, cells, strict=True):
        assert image[0][numbers > 0].mean() > image[0][numbers == 0].mean() + 0.1


def test_same_arguments_same_pictures_other_splits_others():
    first, again, val, other = (
        cell_pictures(1, split, seed=seed, size=64)[0]
        for split, seed in (("train", 0), ("train", 0), ("val", 0), ("train", 1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, val)
    assert not torch.equal(first, other)
    assert torch.equal(cell_pictures(3, size=64)[0][:1], first)


def test_none():
    images, cells = cell_pictures(0, size=64)
    assert images.shape == (0, 1, 64, 64)
    assert cells.shape == (0, 64, 64)


def test_bad_split():
    with pytest.raises(ValueError, match="split"):
        cell_pictures(1, "all")
