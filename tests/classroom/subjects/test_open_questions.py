"""What lesson 43 measures about its open questions."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from cvcourse.classroom.subjects import open_questions
from cvcourse.data import digits


def nearest(seed):
    return KNeighborsClassifier(1)


def test_digits_and_others_are_what_readers_take():
    shown = open_questions.digits_and_others(0)
    assert {name: len(images) for name, (images, _) in shown.items()} == {
        "to set a bar": 258, "as taught": 382, "turned over": 382, "faces": 100, "faces, dark": 100,
        "no faces": 100,
    }  # fmt: skip
    dark, taught = (shown[name][0].mean() for name in ("faces, dark", "as taught"))
    torch.testing.assert_close(dark, taught)
    for name, (images, truth) in shown.items():
        assert images.shape[1:] == (1, 40, 40)
        assert images.min() >= 0
        assert images.max() <= 1
        assert (truth is None) == ("face" in name)
    again, other = open_questions.digits_and_others(0), open_questions.digits_and_others(1)
    assert torch.equal(again["as taught"][0], shown["as taught"][0])
    assert not torch.equal(other["as taught"][0], shown["as taught"][0])


def test_a_bar_is_what_95_of_100_reach():
    class Straight(nn.Module):  # the first two pixels are the logits of two digits
        def forward(self, images):
            return images.flatten(1)[:, :2]

    def pictures(logits):
        images = torch.zeros(len(logits), 1, 2, 2)
        images[:, 0, 0, 0] = torch.as_tensor(logits)
        return images

    first = torch.linspace(0, 2, 101)
    shown = {
        "bar": (pictures(first), torch.zeros(101, dtype=torch.int64)),
        "two": (pictures([0.05, -3.0, 0.2]), torch.tensor([0, 0, 0])),
        "none": (pictures([1.0]), None),
    }
    said = open_questions.ask(Straight(), shown)
    assert list(said) == ["two", "none"]
    assert said["two"].digit.tolist() == [0, 1, 0]
    assert said["two"].sure.tolist() == [False, True, True]  # 0.1 is the 5th of 100
    assert said["two"].right.tolist() == [True, False, True]
    assert said["none"].right is None
    torch.testing.assert_close(said["none"].confidence, torch.tensor([1.0]).sigmoid())


def test_what_is_misread_is_what_the_learner_misreads():
    wrong, own = open_questions.misread(nearest, (60, 1415), 2)
    assert wrong.shape == (2, 2, 382)
    assert (own == 0).all()
    (x, y), (more, labels) = digits.load("train"), digits.load("val")
    everything = torch.cat([x, more]).flatten(1)
    new, truth = digits.load("test")
    near = torch.cdist(new.flatten(1), everything).argmin(1)
    assert (wrong[1] == (torch.cat([y, labels])[near] != truth).numpy()).all()  # in any order
    assert not (wrong[0, 0] == wrong[0, 1]).all()
    assert wrong[0].mean() > wrong[1].mean()
    with pytest.raises(ValueError, match="sizes must be 1415 at most"):
        open_questions.misread(nearest, (10, 1416), 1)


def test_times_foretold_by_hand():
    """Errors 0.8, 0.4 and 0.1 where the law halves each: half as many as foretold."""
    wrong = np.zeros((3, 1, 100), bool)
    for row, count in zip(wrong, (80, 40, 10), strict=True):
        row[0, :count] = True
    times, low, high = open_questions.times_foretold(lambda sizes, e: e[1] / 2, (1, 2, 4), wrong)
    assert times == pytest.approx(0.5)
    assert low < times < high
    everywhere = np.ones((3, 2, 10), bool)
    same = open_questions.times_foretold(lambda sizes, e: e[0] / 2, (1, 2, 4), everywhere)
    assert same == (2, 2, 2)


def test_wider_networks_misread_less_than_narrow_ones():
    found = open_questions.misread_by_width((2, 16), seed=0)
    assert list(found) == ["2", "2, own", "16", "16, own"]
    assert found["16"] < found["2"] / 2
    assert found["16, own"] == 0


def test_tables_of_other_lessons():
    table = open_questions.table_of("43-wider")
    assert table["256"].shape == (3,)
    with pytest.raises(FileNotFoundError):
        open_questions.table_of("99-nothing")
