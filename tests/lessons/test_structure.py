"""Every lesson has the sections, sizes and habits that a learner can rely on."""

import ast
import re

import nbformat
import pytest

from tests.lessons.claims import called, vacuous
from tests.lessons.notebooks import LESSONS, number_of

SECTIONS = [
    "See the problem",
    "Set-up",
    "The idea in pictures",
    "From formula to code",
    "Build it",
    "Train",
    "Measure",
    "Turn a knob",
    "Break it",
    "Exercises",
    "What to remember",
]
CARD = ["Question", "After this you can", "Before", "Time", "Papers", "Data"]

# Cells whose claim cannot fail where it is not meant (`holds=photographs or ...`). There `run.skip`
# says so. Whoever mends a cell removes it here; none may be added, and the list ends empty.
UNMENDED_CLAIMS: dict[str, set[str]] = {}

pytestmark = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


@pytest.fixture
def lesson(path):
    return nbformat.read(path, as_version=4)


def sources(notebook, kind):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def lines(code):
    return [
        line for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


def calls(notebook, name):
    trees = [ast.parse(source) for source in sources(notebook, "code")]
    nodes = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call)]
    return [n for n in nodes if called(n) == name]


def test_card(path, lesson):
    card = lesson.cells[0].source
    assert card.startswith(f"# {number_of(path.stem)} · ")
    missing = [part for part in CARD if f"**{part}**" not in card]
    assert not missing
    outcomes = card.split("**After this you can**")[1].split("**Before**")[0]
    assert outcomes.count("\n- ") == 3, "three outcomes"


def test_sections_in_order(lesson):
    text = "\n".join(sources(lesson, "markdown"))
    titles = re.findall(r"^## (.+)$", text, re.M)
    first = [next((i for i, t in enumerate(titles) if t.startswith(s)), None) for s in SECTIONS]
    assert None not in first, (
        f"missing: {[s for s, i in zip(SECTIONS, first, strict=True) if i is None]}"
    )
    assert first == sorted(first), titles
    for part in ("### Lesson and paper", "### In production", "### Want to learn more?"):
        assert part in text


def test_problem_is_seen_in_the_first_three_cells_after_the_card(lesson):
    assert any("See the problem" in cell.source for cell in lesson.cells[1:4])
    assert any(cell.cell_type == "code" for cell in lesson.cells[1:5])


def test_sizes(lesson):
    code, words = sources(lesson, "code"), " ".join(sources(lesson, "markdown")).split()
    assert max(len(source.splitlines()) for source in code) <= 30
    assert 36 <= len(lesson.cells) <= 90
    assert 1500 <= len(words) <= 4500
    assert 150 <= sum(len(lines(source)) for source in code) <= 500


def test_claims_and_asserted_values(lesson):
    assert len(calls(lesson, "claim")) >= 3
    asserts = [
        n
        for s in sources(lesson, "code")
        for n in ast.walk(ast.parse(s))
        if isinstance(n, ast.Assert)
    ]
    checks = [c for name in ("assert_close", "assert_allclose") for c in calls(lesson, name)]
    assert len(asserts) + len(checks) >= 10


def test_claims_can_fail(path, lesson):
    cells = {cell.id for cell in lesson.cells if cell.cell_type == "code" and vacuous(cell.source)}
    assert cells == UNMENDED_CLAIMS.get(path.stem, set()), (
        "a claim that is not checked here is run.skip(sentence, reason), not `holds=... or ...`; "
        "a mended cell leaves UNMENDED_CLAIMS"
    )


def test_exercises(lesson):
    text = (
        "\n".join(sources(lesson, "markdown"))
        .split("## Exercises")[1]
        .split("## What to remember")[0]
    )
    assert len(re.findall(r"^### Exercise \d", text, re.M)) == 4
    assert text.count("<details>") >= 4
    assert text.count("</details>") == text.count("<details>")
    assert len(re.findall(r"\d+ min", text)) >= 4


def test_committed_without_outputs_and_with_stable_unique_ids(path, lesson):
    raw = path.read_text(encoding="utf-8")
    assert '"outputs": []' in raw
    assert all(
        not c.outputs and c.execution_count is None for c in lesson.cells if c.cell_type == "code"
    )
    ids = [cell.id for cell in lesson.cells]
    assert len(set(ids)) == len(ids)
    assert not any(re.fullmatch(r"[0-9a-f]{8}", i) for i in ids), (
        "ids are words, not random numbers"
    )
    assert lesson.metadata.kernelspec.name == "python3"


def test_written_with_lesson_habits(lesson):
    code = "\n".join(sources(lesson, "code"))
    assert "begin(" in code
    assert not re.search(r"^\s*[!%]", code, re.M), "no shell or magic: a lesson is plain Python"
    assert "except: pass" not in code
    assert not re.search(r"https?://", code), "lessons run offline"


def asks_for_own(lesson, function):
    """Whether the lesson calls `trained` or `repeated` for a file of its own, not another's."""
    trees = [ast.parse(source) for source in sources(lesson, "code")]
    named = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function
    ]
    others = [
        any(k.arg == "lesson" and isinstance(k.value, ast.Constant) for k in node.keywords)
        for node in named
    ]
    return not all(others)


def test_files_that_ship_are_those_that_the_lesson_asks_for(path, lesson):
    number = number_of(path.stem)
    weights = list((path.parent / "weights").glob(f"{number}-*.safetensors"))
    tables = list((path.parent / "tables").glob(f"{number}-*.json"))
    assert bool(weights) == asks_for_own(lesson, "trained")
    assert bool(tables) == asks_for_own(lesson, "repeated")
