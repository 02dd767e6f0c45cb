"""Every assignment has the parts that a student and a teacher can rely on."""

import ast
import json
import re

import pytest

from grading.assignment import SOURCE, key_of, kind_of
from tests.assignments.helpers import NAMES, exercises
from tests.lessons.notebooks import number_of

pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def cells(name, load):
    return load(name).source.cells


def test_belongs_to_a_lesson(name):
    assert number_of(name)
    assert (SOURCE.parents[1] / "lessons" / f"{name}.ipynb").exists()


def test_card(name, cells, load):
    card = cells[0].source
    assert card.startswith(f"# Assignment {number_of(name)} · ")
    points = sum((load(name).checks | load(name).written).values())
    assert f"{points:g} points" in card
    assert re.search(r"\d+ minutes", card)
    assert "Restart Kernel and Run All" in card
    assert all(f"`{function}`" in card for function in load(name).withheld)


def test_two_to_four_exercises_each_with_checks(name, cells, load):
    checks = exercises(load(name))
    assert 2 <= len(checks) <= 4
    assert all(checks.values()), "each exercise has a check before the next begins"
    order = [kind_of(cell) for cell in cells if kind_of(cell) != "text"]
    assert order[-1] == "written"
    assert "set-up" not in order[order.index("exercise") :]


def test_each_exercise_is_introduced(name, cells, load):
    keys = [key_of(cell) for cell in cells]
    levels = []
    for number, (exercise, checks) in enumerate(exercises(load(name)).items(), 1):
        text = cells[keys.index(exercise) - 1].source
        found = re.match(
            rf"## Exercise {number} · .+ \((\d+) points?, \d+ min, (easy|medium|hard)\)", text
        )
        assert found, f"{exercise}: '## Exercise {number} · Title (P points, M min, easy)'"
        assert int(found[1]) == sum(load(name).checks[check] for check in checks), exercise
        levels.append(("easy", "medium", "hard").index(found[2]))
        assert "**Example**" in text
        assert text.count("<details><summary>Hint") == text.count("</details>") == 1
        for function in load(name).functions[exercise]:
            assert f"{function}(" in text, f"the signature of {function}"
    assert levels == sorted(levels), "from easy to hard"


def test_checks_are_seen_and_hidden_and_speak(name, cells):
    for cell in cells:
        if kind_of(cell) != "check":
            continue
        seen, _, rest = cell.source.partition("### BEGIN HIDDEN TESTS")
        hidden, _, last = rest.partition("### END HIDDEN TESTS")
        key = key_of(cell)
        assert seen.startswith("# Check "), key
        assert "assert" in seen, f"{key}: a part that students see"
        assert "assert" in hidden, f"{key}: a part that they do not see"
        assert "print(" in last, key
        silent = [
            n.lineno for n in ast.walk(ast.parse(seen)) if isinstance(n, ast.Assert) and not n.msg
        ]
        assert not silent, f"{key}: lines {silent} do not say in words what is wrong"


def test_each_check_marks_one_function(name, cells, load):
    """Of its own exercise: a mistake in one function must not cost the marks of another."""
    exercise, functions = None, load(name).functions
    for cell in cells:
        if kind_of(cell) == "exercise":
            exercise = key_of(cell)
        if kind_of(cell) == "check":
            used = {n.id for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)}
            students = used & set().union(*functions.values())
            assert len(students) == 1, f"{key_of(cell)} calls {students}"
            assert students <= functions[exercise], f"{key_of(cell)} calls {students}"


def test_hidden_messages_are_sentences(name, cells):
    """`8 by 12, 4, 3` tells a student nothing: say what was asked, and what is wrong."""
    for cell in cells:
        if kind_of(cell) != "check":
            continue
        hidden = cell.source.partition("### BEGIN HIDDEN TESTS")[0].count("\n")
        for node in ast.walk(ast.parse(cell.source)):
            if not isinstance(node, ast.Assert) or node.lineno <= hidden or not node.msg:
                continue
            parts = [n.value for n in ast.walk(node.msg) if isinstance(n, ast.Constant)]
            words = re.findall(r"[^\W\d_]{2,}", " ".join(map(str, parts)))
            assert len(words) >= 2, f"{key_of(cell)}: {parts}"


def test_written_answers(name, cells, load):
    written = [cell for cell in cells if kind_of(cell) == "written"]
    assert written
    assert all(cell.cell_type == "markdown" for cell in written)
    assert all("point" in cell.source for cell in written), (
        "the model answer tells what earns points"
    )


def test_names_are_words_and_one_for_all_purposes(name, cells):
    keys = [key_of(cell) for cell in cells]
    assert len(set(keys)) == len(keys)
    assert [cell.id for cell in cells] == keys, "nbgrader's name of a cell is its id"
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", key) for key in keys)
    assert not any(re.fullmatch(r"[0-9a-f]{8}", key) for key in keys)


def test_committed_without_outputs(name):
    for folder in (SOURCE, SOURCE.with_name("release")):
        notebook = json.loads((folder / name / f"{name}.ipynb").read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
