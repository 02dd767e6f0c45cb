"""`NNb_topic.ipynb`: the second of two lessons that hid in one; it may have no assignment."""

import re

import nbformat
import pytest

from tests.lessons.notebooks import LESSONS, ROOT, number_of

SECOND = [path for path in LESSONS if not number_of(path.stem).isdigit()]
STILL_TO_WRITE: set[str] = set()  # whose second notebook was written before; ends empty


@pytest.mark.parametrize("path", SECOND, ids=lambda p: p.stem)
def test_card_says_whether_there_is_an_assignment(path):
    card = nbformat.read(path, as_version=4).cells[0].source
    (said,) = re.findall(r"\*\*assignment\*\* (its own|none)", card.lower())
    exists = (ROOT / "assignments" / "source" / path.stem).is_dir()
    assert said == ("its own" if exists else "none")


@pytest.mark.parametrize("path", SECOND, ids=lambda p: p.stem)
def test_stands_beside_a_first_one(path):
    first = number_of(path.stem)[:2]
    there = bool(list(path.parent.glob(f"{first}_*.ipynb")))
    assert there == (first not in STILL_TO_WRITE), "written? then strike it out of STILL_TO_WRITE"


def test_number():
    assert number_of("04_one_stage") == "04"
    assert number_of("19b_more_of_it") == "19b"


@pytest.mark.parametrize("name", ["4_one", "04bc_one", "04B_one", "04-one", "04_One", "one"])
def test_no_name_of_a_lesson(name):
    with pytest.raises(AssertionError, match="must be called NN_topic or NNb_topic"):
        number_of(name)
