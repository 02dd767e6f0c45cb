"""The committed release is what the sources give, and it gives nothing away."""

import json
import re

import pytest

from grading.assignment import RELEASE, kind_of
from grading.release import generated
from tests.assignments.helpers import NAMES

STEP = "run  make assignments  and commit assignments/release"


@pytest.fixture(scope="module")
def fresh(once):
    pytest.importorskip("nbgrader")

    def generate(folder):
        (folder / "notebooks.json").write_text(json.dumps(generated(NAMES)), encoding="utf-8")

    return json.loads((once("release", generate) / "notebooks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_the_release_is_in_step_with_its_source(name, fresh):
    assert (RELEASE / name / f"{name}.ipynb").read_text(encoding="utf-8") == fresh[name], STEP


def test_each_release_has_a_source():
    assert sorted(path.stem for path in RELEASE.glob("*/*")) == NAMES


def regions(text: str, what: str) -> list[str]:
    return re.findall(rf"### BEGIN {what}\n(.*?)### END {what}", text, re.S)


def significant(code: str) -> set[str]:
    """Lines that tell something: not an `else:`, not the first half of a bracket."""
    lines = {line.split("  # ")[0].strip() for line in code.splitlines()}
    return {line for line in lines if len(line) > 24}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaks(name, load):
    assignment = load(name)
    text = (RELEASE / name / f"{name}.ipynb").read_text(encoding="utf-8")
    assert not re.search(r"(BEGIN|END) (SOLUTION|HIDDEN|MARK)", text)
    cells = assignment.release.cells
    seen = {line.strip() for cell in cells for line in cell.source.splitlines()}
    for cell in assignment.source.cells:
        hidden = regions(cell.source, "SOLUTION") + regions(cell.source, "HIDDEN TESTS")
        if kind_of(cell) == "written":
            hidden = [cell.source]
        if kind_of(cell) in ("exercise", "check", "written"):
            assert hidden, f"{cell.id} hides nothing"
        shown = cell.source  # a hidden test may repeat a line of the visible one
        for region in hidden:
            shown = shown.replace(region, "")
        secret = {line for region in hidden for line in significant(region)} - significant(shown)
        leaked = secret & seen
        assert not leaked, f"{cell.id}: {leaked}"
