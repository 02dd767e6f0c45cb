"""CelebA's reader, against files in the makers' format."""

import pytest
import torch

from cvcourse.data.real import CelebA
from cvcourse.data.real.places import read_image
from tests.data.tiny import CELEBA_NAMES, cut, write_celeba


@pytest.fixture
def celeba(tmp_path):
    write_celeba(tmp_path, train=5, val=2, test=1)
    return tmp_path


def rewrite(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_splits_pictures_and_marks(celeba):
    sets = {split: CelebA(celeba, split) for split in ("train", "val", "test")}
    assert [len(each) for each in sets.values()] == [5, 2, 1]
    assert sets["train"].names == CELEBA_NAMES
    image, marks = sets["val"][1]  # number 7: binary 111
    assert image.equal(read_image(celeba / "img_align_celeba" / "000007.jpg", None))
    assert marks.tolist() == [True, True, True]
    assert sets["train"][3][1].tolist() == [False, False, True]  # number 4
    assert sets["train"].attributes.dtype == torch.bool
    with pytest.raises(IndexError, match="from 0 to 1"):
        sets["val"][2]


def test_the_readers_marks_are_its_own(celeba):
    faces = CelebA(celeba)
    faces[0][1][:] = True
    assert faces[0][1].tolist() == [True, False, False]


def test_a_split_without_pictures(tmp_path):
    write_celeba(tmp_path, train=2, val=0, test=1)
    assert CelebA(tmp_path, "val").attributes.shape == (0, 3)


def test_damaged(celeba):
    with pytest.raises(ValueError, match="split must be one of"):
        CelebA(celeba, "valid")
    marks, partition = celeba / "list_attr_celeba.txt", celeba / "list_eval_partition.txt"
    cut(celeba / "img_align_celeba" / "000001.jpg")
    with pytest.raises(ValueError, match="cut off or damaged"):
        CelebA(celeba)[0]
    kept = marks.read_text(encoding="utf-8"), partition.read_text(encoding="utf-8")
    for path, old, new, told in (
        (partition, "000003.jpg 0", "000003.jpg 3", "0, 1 or 2"),
        (partition, "000003.jpg 0\n", "", "000003.jpg is in one alone"),
        (marks, "8\n", "9\n", "it has 8"),
        (marks, "000003.jpg  1", "000003.jpg  2", "must have 3 marks"),
        (marks, "000003.jpg  1", "000003.jpg", "must have 3 marks"),
    ):
        rewrite(path, old, new)
        with pytest.raises(ValueError, match=told):
            CelebA(celeba)
        marks.write_text(kept[0], encoding="utf-8")
        partition.write_text(kept[1], encoding="utf-8")
    partition.unlink()
    with pytest.raises(FileNotFoundError, match=r"list_eval_partition\.txt is missing"):
        CelebA(celeba)
