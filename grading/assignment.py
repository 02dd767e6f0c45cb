"""An assignment as its source notebook tells it: which cells are exercise, check, written answer.

| nbgrader calls it | we call it | who writes it | where it runs |
|---|---|---|---|
| read-only code | set-up | the teacher | in the student process and beside the checks |
| autograded answer | exercise | the student | in the student process |
| autograder tests | check | the teacher | in the grader; calls the student's functions |
| manually graded answer | written | the student | nowhere; a person marks it |
| (no mark) | text | anyone | code in the student process |
"""

import dataclasses
import functools
import hashlib
import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
SOURCE, RELEASE = ROOT / "assignments/source", ROOT / "assignments/release"
HIDDEN = "HIDDEN TESTS"


def kind_of(cell) -> str:
    mark = cell.metadata.get("nbgrader", {})
    if mark.get("solution"):
        return "written" if mark.get("grade") else "exercise"
    if mark.get("grade"):
        return "check"
    return "set-up" if mark.get("locked") and cell.cell_type == "code" else "text"


def key_of(cell) -> str:
    """The name of a cell: nbgrader's where it has one, else the notebook's."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id


@dataclasses.dataclass(frozen=True)
class Assignment:
    name: str
    source: nbformat.NotebookNode  # with solutions and hidden tests
    release: nbformat.NotebookNode  # as the students have it

    @classmethod
    def load(cls, name: str, source=SOURCE, release=RELEASE) -> "Assignment":
        paths = [Path(folder) / name / f"{name}.ipynb" for folder in (source, release)]
        return cls(name, *(nbformat.read(path, as_version=4) for path in paths))

    @property
    def version(self) -> str:
        """Changes when the notebook does, or the code that grades it."""
        digest = hashlib.sha256(nbformat.writes(self.source).encode())
        for path in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def checks(self) -> dict[str, float]:
        """Points of each check."""
        return self._points("check")

    @property
    def written(self) -> dict[str, float]:
        return self._points("written")

    def _points(self, kind: str) -> dict[str, float]:
        cells = [cell for cell in self.source.cells if kind_of(cell) == kind]
        return {key_of(cell): float(cell.metadata.nbgrader.points) for cell in cells}

    @property
    def withheld(self) -> list[str]:
        """Functions that student code may not call here, because writing them is the exercise."""
        return list(self.source.metadata.get("cvcourse", {}).get("withheld", []))

    @property
    def in_place(self) -> list[str]:
        """Functions whose purpose is to change their arguments."""
        return list(self.source.metadata.get("cvcourse", {}).get("in_place", []))

    @property
    def functions(self) -> dict[str, set[str]]:
        """What each exercise cell defines at its top level."""
        cells = [cell for cell in self.release.cells if kind_of(cell) == "exercise"]
        return {key_of(cell): defined_in(cell.source) for cell in cells}

    @functools.cached_property
    def signature(self) -> set[tuple[str, str]]:
        """What a notebook of this assignment is known by: exercises, checks, texts."""
        known = set()
        for cell in self.release.cells:
            kind = kind_of(cell)
            if kind in ("exercise", "check"):
                known.add(("name", key_of(cell)))
            if kind == "exercise":
                known |= {("function", name) for name in defined_in(cell.source)}
            elif kind != "set-up" and len(bare(cell.source)) > 30:
                known.add(("text", bare(cell.source)))
        return known


def bare(text: str) -> str:
    """A cell's text without what editors change by themselves: ends of lines, and of the cell."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def defined_in(code: str) -> set[str]:
    return set(re.findall(r"^(?:def|class)\s+(\w+)", code, re.M))


def names(source=SOURCE) -> list[str]:
    return sorted(
        path.stem for path in Path(source).glob("*/*.ipynb") if path.stem == path.parent.name
    )
