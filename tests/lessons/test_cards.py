"""The site reads prerequisites, hours and used code off the lessons."""

import pytest

from scripts.pages import cards
from tests.lessons.notebooks import LESSONS, number_of

NUMBERS = {number_of(path.stem) for path in LESSONS}


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_every_lesson_has_a_card_that_can_be_read(path):
    card = cards.read_card(path)
    assert card.number == number_of(path.stem)
    assert set(card.needs) <= NUMBERS - {card.number}
    assert 10 <= card.reading <= 90
    assert len(card.exercises) == 4
    assert card.uses


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("You have trained a classifier in PyTorch. Nothing else.", ()),
        ("Lessons 02 (boxes, 3 anchors), 03 and 05b. What 12 % are.", ("02", "03", "05b")),
        ("Cross-entropy. Lesson 01 is helpful, not needed: a box. Lesson 04.", ("04",)),
        ("PyTorch 2.13 from lesson 13.", ("13",)),
    ],
)
def test_prerequisites(text, numbers):
    assert cards.lessons_in(text) == numbers


def test_lessons_before_are_links_and_other_numbers_are_not():
    there = [cards.read_card(path) for path in LESSONS if path.stem == "02_boxes"]
    text = "# 04\n\n**Before** Lessons 02 (boxes, 12 %) and 99.\n\nIn 02 minutes."
    assert cards.linked(text, there) == (
        "# 04\n\n**Before** Lessons [02](02_boxes.ipynb) (boxes, 12 %) and 99.\n\nIn 02 minutes."
    )


def test_used():
    code = (
        "from cvcourse import ops\nfrom cvcourse.losses.dice import dice_loss as d\n"
        "from cvcourse.data import pictures\nimport torch\n"
        "ops.nms(1); torch.sum(2); pictures.faces()"
    )
    assert cards.used(code) - {"ops", "data.pictures"} == {
        "ops.nms",
        "losses.dice_loss",
        "losses.dice.dice_loss",
        "data.pictures.faces",
    }


def test_a_known_lesson():
    card = cards.read_card(next(path for path in LESSONS if path.stem == "04_one_stage"))
    assert (card.number, card.title) == ("04", "One stage, and the class imbalance")
    assert "02" in card.needs
    assert {"losses.sigmoid_focal_loss", "models.RetinaNet"} <= card.uses
    assert "1708.02002" in card.papers
    assert card.part == "Tasks beyond classification"
