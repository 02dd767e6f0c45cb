"""The hand-written tables behind the site's reference: every name in them is there."""

import dataclasses
import importlib
import inspect

import pytest

from scripts.pages import cards, overview, reference
from tests.lessons.notebooks import LESSONS

NAMES = {name.short for name in reference.public_names()}
INSTALLED = ("torch", "torchmetrics", "kornia", "pytorch_metric_learning", "pycocotools", "skimage")
INSTALLED += ("sklearn",)


def resolved(name: str):
    """The object of a dotted name; where a module and a function share one, the function."""
    first, *parts = name.split(".")
    found = importlib.import_module(first)
    for part in parts:
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


def test_our_names_are_there():
    assert set(reference.elsewhere()) <= NAMES
    assert {name for names in reference.tasks().values() for name in names} <= NAMES
    assert {code for row in overview.systems().values() for code in row["code"]} <= NAMES


def test_no_name_serves_a_task_twice():
    listed = [name for names in reference.tasks().values() for name in names]
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize(
    "name", sorted({name for entry in reference.elsewhere().values() for name in entry["names"]})
)
def test_peers_names_are_there(name):
    assert reference.library(name)
    if name.split(".")[0] in INSTALLED:
        assert callable(resolved(name))


def test_lessons_of_systems_use_their_code():
    by_number = {card.number: card for card in map(cards.read_card, LESSONS)}
    for name, row in overview.systems().items():
        there = [by_number[number] for number in row["lessons"] if number in by_number]
        if there and row["code"]:
            names = [n for n in reference.public_names() if n.short in row["code"]]
            assert any(reference.used_in(n, there) for n in names), name


def test_a_page_of_the_reference():
    [name] = [n for n in reference.public_names() if n.short == "losses.sigmoid_focal_loss"]
    page = reference.object_page(name, [cards.read_card(path) for path in LESSONS])
    assert "from cvcourse.losses import sigmoid_focal_loss" in page
    assert "</lessons/04_one_stage>" in page
    assert "arxiv.org/abs/1708.02002" in page
    assert "`torchvision.ops.sigmoid_focal_loss` (torchvision)" in page
    first = name.source.rpartition("#L")[0]
    assert first.endswith("/cvcourse/losses/sigmoid_focal.py")


def test_every_public_function_says_what_it_is():
    for name in reference.public_names():
        assert name.kind == "data" or inspect.getdoc(name.object), name.full


def test_levels_and_direct_needs():
    all_cards = [cards.read_card(path) for path in LESSONS]
    level = overview.levels(all_cards)
    for card in all_cards:
        assert all(level[need] < level[card.number] for need in card.needs)

    some = [
        dataclasses.replace(all_cards[0], number=number, needs=needs)
        for number, needs in {"1": (), "2": ("1",), "3": ("1", "2"), "4": ("1", "3", "9")}.items()
    ]
    assert overview.direct_needs(some) == [("1", "2"), ("2", "3"), ("3", "4")]
    assert overview.levels(some) == {"1": 0, "2": 1, "3": 2, "4": 3}


def test_weeks_hold_every_lesson_once():
    all_cards = [cards.read_card(path) for path in LESSONS]
    weeks = overview.weeks(all_cards)
    assert len(weeks) == overview.WEEKS
    assert [card for week in weeks for card in week] == all_cards


def test_a_lesson_leads_to_the_code_that_it_uses():
    card = cards.read_card(next(path for path in LESSONS if path.stem == "04_one_stage"))
    section = reference.code_of(card, reference.public_names())
    assert "{doc}`losses.sigmoid_focal_loss </import/api/cvcourse.losses.sigmoid_focal_loss>`" in (
        section
    )
    assert "losses.dice_loss" not in section


def test_teachers_see_titles_assignments_and_no_track_without_lessons():
    some = [cards.read_card(path) for path in LESSONS if path.stem[:2] in ("00", "02", "04")]
    told = overview.teacher_tables(some)
    assert "{doc}`04 · One stage, and the class imbalance </lessons/04_one_stage>`" in told
    assert "assignments/release/02_boxes/02_boxes.ipynb" in told
    assert "Generative models" in told.partition("Planned")[2]
