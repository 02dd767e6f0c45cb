"""Whatever a submission does, it ends in the mark that it earned and in a message."""

import copy

import nbformat
import pytest

from grading.assignment import key_of, kind_of
from tests.assignments.helpers import (
    NAMES,
    answered,
    content,
    exercises,
    failed,
    solved,
    without_experiments,
)

# What the functions of one exercise do when they are called, and what the student is then told.
CALLED = {
    "an endless loop": ("while True: pass", "processor time"),
    "exit": ("exit()", "SystemExit"),
    "sys.exit": ("import sys; sys.exit(0)", "SystemExit"),
    "the end of the process": ("import os; os._exit(0)", "ended the Python process"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "segmentation fault"),
    "too many processes": (
        "import os, time\n"
        "    for _ in range(40):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(600); os._exit(0)",
        "Resource temporarily unavailable",
    ),
    "too much memory": ("bytearray(3 * 2**30)", "memory limit"),
    "too large a tensor": ("import torch; torch.ones(2**30)", "can't allocate memory"),
    "too large a file": ("open('big', 'wb').write(bytes(40 * 2**20))", "File too large"),
    "endless recursion": ("return f()", "RecursionError"),
    "the network": (
        "import socket; socket.create_connection(('192.0.2.1', 80), 5)",
        "unreachable",
    ),
    "nonsense": ("return object()", ""),
}
# What a cell of an exercise does before it defines anything.
RUN = {
    "an endless loop": ("while True:\n    pass", "processor time"),
    "the end of the process": ("import os\nos._exit(0)", "ended the Python process"),
    "a syntax error": ("def (:", "SyntaxError"),
}


def in_turn(attacks, one_in):
    """Each attack on some of the assignments, another each time: what runs them is the same."""
    return [
        pytest.param(name, attack, id=f"{name}-{attack}")
        for i, name in enumerate(NAMES)
        for j, attack in enumerate(attacks)
        if (i + j) % one_in == 0
    ]


@pytest.fixture
def last(name, load):
    """The last exercise, so that no other one leans on it, and its checks."""
    return list(exercises(load(name)).items())[-1]


@pytest.mark.parametrize(("name", "attack"), in_turn(CALLED, one_in=6))
def test_functions_that_misbehave(name, attack, last, load, strict):
    assignment = load(name)
    exercise, checks = last
    body, told = CALLED[attack]
    functions = sorted(assignment.functions[exercise])
    code = f"def f(*_, **__):\n    {body}\n\n" + "\n".join(f"{name} = f" for name in functions)
    notebook = answered(without_experiments(solved(assignment)), exercise, code)
    result = strict.examine(content(notebook), assignment)
    assert failed(result) == set(checks), result.messages
    assert all(told in result.messages[check] for check in checks), result.messages


@pytest.mark.parametrize(("name", "attack"), in_turn(RUN, one_in=3))
def test_cells_that_misbehave(name, attack, last, load, strict):
    assignment = load(name)
    exercise, checks = last
    code, told = RUN[attack]
    notebook = answered(without_experiments(solved(assignment)), exercise, code)
    result = strict.examine(content(notebook), assignment)
    assert failed(result) == set(checks), result.messages
    assert told in result.messages[exercise]
    assert all("is not defined" in result.messages[check] for check in checks), result.messages


def is_graded(cell):
    return kind_of(cell) in ("exercise", "check", "written", "set-up")


def deleted_checks(notebook):
    notebook.cells = [cell for cell in notebook.cells if kind_of(cell) != "check"]


def deleted_set_up(notebook):
    notebook.cells = [cell for cell in notebook.cells if kind_of(cell) != "set-up"]


def doubled_cells(notebook):
    cells = [copy.deepcopy(cell) for cell in notebook.cells if is_graded(cell)]
    notebook.cells += cells  # with the same ids, as copying in JupyterLab once did


def stripped_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata = {}


def stripped_metadata_and_ids(notebook):
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"{number:08x}"


def edited_checks(notebook):
    for cell in notebook.cells:
        if kind_of(cell) == "check":
            cell.source = "print('right')"


def checks_worth_a_hundred(notebook):
    for cell in notebook.cells:
        if kind_of(cell) == "check":
            cell.metadata.nbgrader.points = 100
            cell.metadata.nbgrader.locked = False


def shuffled(notebook):
    notebook.cells.reverse()


def text_cells(notebook):
    """Exercises whose cells were turned into Markdown by a slip of the finger."""
    for place, cell in enumerate(notebook.cells):
        if kind_of(cell) == "exercise":
            other = nbformat.v4.new_markdown_cell(cell.source, id=cell.id, metadata=cell.metadata)
            notebook.cells[place] = other


def without_outputs_field(notebook):
    for cell in notebook.cells:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


CHANGES = {
    change.__name__: change
    for change in (
        deleted_checks,
        deleted_set_up,
        doubled_cells,
        stripped_metadata,
        stripped_metadata_and_ids,
        edited_checks,
        checks_worth_a_hundred,
        shuffled,
        text_cells,
        without_outputs_field,
    )
}
# Cells without ids are found by what they say, and each assignment says it in its own words.
CHANGED = in_turn({"stripped_metadata_and_ids"}, one_in=1)
CHANGED += in_turn(sorted(CHANGES.keys() - {"stripped_metadata_and_ids"}), one_in=3)


def as_written(notebook) -> bytes:
    """Without nbformat's repairs."""
    import json

    return json.dumps(notebook).encode()


@pytest.mark.parametrize(("name", "change"), CHANGED)
def test_a_changed_notebook_keeps_its_marks_and_earns_no_other(name, change, last, load, examiner):
    """The last exercise is not answered: its checks fail, and all others hold, changed or not."""
    assignment = load(name)
    exercise, checks = last
    stub = next(cell.source for cell in assignment.release.cells if key_of(cell) == exercise)
    notebook = answered(without_experiments(solved(assignment)), exercise, stub)
    CHANGES[change](notebook)
    result = examiner.examine(as_written(notebook), assignment)
    assert failed(result) == set(checks), result.messages
    silent = {"stripped_metadata", "text_cells", "without_outputs_field", "shuffled"}
    if change not in silent | {"checks_worth_a_hundred"}:
        assert result.notes
    cells = nbformat.from_dict(result.notebook).cells
    kept = [key_of(cell) for cell in cells if is_graded(cell)]
    assert kept == [key_of(cell) for cell in assignment.release.cells if is_graded(cell)]
    answers = {key_of(cell): cell.source for cell in cells if kind_of(cell) == "written"}
    model = {key_of(c): c.source for c in assignment.source.cells if kind_of(c) == "written"}
    assert answers == model, "the written answer is kept for the person who marks it"


@pytest.mark.parametrize("name", NAMES)
def test_a_deleted_exercise_earns_nothing_and_says_so(name, last, load, examiner):
    assignment = load(name)
    exercise, checks = last
    notebook = without_experiments(solved(assignment))
    notebook.cells = [cell for cell in notebook.cells if key_of(cell) != exercise]
    result = examiner.examine(content(notebook), assignment)
    assert failed(result) == set(checks)
    assert (
        f"cell {exercise} is missing from the notebook: it counts as not answered" in result.notes
    )
