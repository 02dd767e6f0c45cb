"""Makes the submissions that the tests hand in, as a student would write them."""

import copy
import dataclasses
import re
from pathlib import Path

import nbformat

from grading.assignment import Assignment, key_of, kind_of, names
from grading.limits import Limits

HERE = Path(__file__).parent
NAMES = names()
# Long waiting times, because machines that run tests are shared: loops end by processor time.
PATIENT = Limits(cpu=60, cell=300, call=300, check=600, total=900, memory=1024, processes=12)
STRICT = dataclasses.replace(PATIENT, cpu=2, memory=512, processes=6)


@dataclasses.dataclass(frozen=True)
class Wrong:
    exercise: str
    mistake: str
    fails: frozenset[str]
    code: str


def wrong_answers(name: str) -> list[Wrong]:
    """From `answers/NAME.py`: `# %% exercise: what is wrong -> checks that fail`, then the code."""
    path = HERE / "answers" / f"{name}.py"
    if not path.exists():
        return []
    first, *parts = re.split(r"^# %% ", path.read_text(encoding="utf-8"), flags=re.M)
    assert not re.sub(r"^#.*$", "", first, flags=re.M).strip(), (
        f"code before the first answer: {path}"
    )
    answers = []
    for part in parts:
        head, _, code = part.partition("\n")
        found = re.fullmatch(r"(\S+): (.+) -> (.+)", head)
        assert found, f"not 'exercise: mistake -> checks': {head}"
        answers.append(Wrong(found[1], found[2], frozenset(found[3].split()), code.strip()))
    return answers


def solved(assignment: Assignment) -> nbformat.NotebookNode:
    """The release with the solutions written into it, as a perfect student hands it in."""
    notebook = copy.deepcopy(assignment.release)
    source = {key_of(cell): cell.source for cell in assignment.source.cells}
    for cell in notebook.cells:
        if kind_of(cell) in ("exercise", "written"):
            cell.source = re.sub(
                r"^ *### (BEGIN|END) SOLUTION\n?", "", source[key_of(cell)], flags=re.M
            )
    return notebook


def without_experiments(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Free code cells are deleted, which costs nothing and saves the tests their time."""
    notebook = copy.deepcopy(notebook)
    notebook.cells = [c for c in notebook.cells if c.cell_type != "code" or kind_of(c) != "text"]
    return notebook


def cell_of(notebook, key: str):
    return next(cell for cell in notebook.cells if key_of(cell) == key)


def answered(notebook, key: str, code: str) -> nbformat.NotebookNode:
    notebook = copy.deepcopy(notebook)
    cell_of(notebook, key).source = code
    return notebook


def exercises(assignment: Assignment) -> dict[str, list[str]]:
    """The checks of each exercise: those between it and the next."""
    found, last = {}, None
    for cell in assignment.source.cells:
        if kind_of(cell) == "exercise":
            last = key_of(cell)
            found[last] = []
        elif kind_of(cell) == "check":
            found[last].append(key_of(cell))
    return found


def content(notebook) -> bytes:
    return nbformat.writes(notebook).encode()


def failed(result) -> set[str]:
    return {name for name, passed in result.passed.items() if not passed}
