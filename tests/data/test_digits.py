"""Digits: scikit-learn's own, split by form, so that hands do not leak."""

import pytest
import torch
from sklearn.datasets import load_digits

from cvcourse.data import digits


def test_together_they_are_the_digits_of_scikit_learn():
    images = torch.cat([digits.load(split)[0] for split in digits.SPLITS])
    labels = torch.cat([digits.load(split)[1] for split in digits.SPLITS])
    theirs = load_digits()
    assert torch.equal(images[:, 0].double() * 16, torch.from_numpy(theirs.images))
    assert torch.equal(labels, torch.from_numpy(theirs.target).long())


@pytest.mark.parametrize(("split", "count"), [("train", 1157), ("val", 258), ("test", 382)])
def test_stratified(split, count):
    images, labels = digits.load(split)
    assert images.shape == (count, 1, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert images.min() == 0
    assert images.max() == 1
    shares = labels.bincount(minlength=10) / count
    assert ((shares - 0.1).abs() < 0.01).all()


def test_no_digit_is_in_two_splits():
    seen = [{image.numpy().tobytes() for image in digits.load(s)[0]} for s in digits.SPLITS]
    assert sum(len(s) for s in seen) == 1797  # no two digits are equal, in or across splits
    assert len(set.union(*seen)) == 1797


def test_each_form_is_in_one_split():
    """Forms begin with 0123456789 twice or more; no split may begin inside a form."""
    labels = torch.cat([digits.load(split)[1] for split in digits.SPLITS]).tolist()
    for part in digits.SPLITS.values():
        assert labels[part.start : part.start + 20] == list(range(10)) * 2


def test_larger_and_smaller():
    for size in (4, 28, 32):
        images, _ = digits.load("val", size=size)
        assert images.shape == (258, 1, size, size)
        assert images.min() >= 0
        assert images.max() <= 1
        original = digits.load("val")[0]
        assert abs(images.mean() - original.mean()) < 0.01


def test_callers_may_write_into_what_they_get():
    digits.load("val")[0].zero_()
    assert digits.load("val")[0].max() == 1


def test_bad_input():
    with pytest.raises(ValueError, match="split must be one of"):
        digits.load("training")
    with pytest.raises(ValueError, match="size must be positive"):
        digits.load("train", size=0)
