"""nbgrader's part: it keeps the gradebook, and shows written answers to the teacher.

nbgrader's autograder overwrites the teacher's cells, takes the outputs that `examine` has found
instead of running anything itself, and saves a score per cell. What it reports is not believed: the
gradebook is read again, and each check must have there what it deserves. What a check is worth in
the file of marks and in the feedback comes from our own result alone; the gradebook adds what a
person has entered.

Formgrader's own buttons *Autograde* and *Generate Feedback* would run student code as the teacher,
and show hidden tests: the configuration in a folder of marks refuses both.
"""

import contextlib
import functools
import io
import logging
import shutil
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import (
    CheckCellMetadata,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)

from grading.assignment import Assignment, key_of, kind_of
from grading.examine import Result
from grading.release import add_to_course, course

CONFIGURATION = '''\
"""For `jupyter lab` in this folder: nbgrader's Formgrader shows what waits for a mark."""

c = get_config()
c.CourseDirectory.course_id = "cvcourse"

from nbconvert.exporters import NotebookExporter


class Refused(NotebookExporter):
    """Student code would run with your rights: it runs in a sandbox alone, with `make grade`."""

    def __init__(self, *_, **__):
        raise RuntimeError(
            "Autograde and Generate Feedback are switched off here, because they would run student "
            "code with your rights and show hidden tests. Call  make grade  instead: it marks what "
            "is new, and writes the feedback with your marks and comments."
        )


c.Autograde.exporter_class = Refused
c.GenerateFeedback.exporter_class = Refused
# all Markdown that Formgrader shows goes through this filter
c.HTMLExporter.filters = {"strip_files_prefix": lambda html: harmless(html)}
'''

_found: dict[str, Result] = {}  # of the student whom nbgrader is looking at


class InsertOutputs(NbGraderPreprocessor):
    """In the place of nbgrader's Execute: a check without a known outcome is a failed check."""

    def preprocess(self, notebook, resources):
        result = _found[resources["nbgrader"]["student"]]
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            found = (result.outputs or {}).get(cell.id, [])
            if kind_of(cell) == "check" and not result.passed.get(key_of(cell)) and not found:
                found = [_error("did not run", "this check did not run")]
            cell.outputs = [nbformat.from_dict(output) for output in found]
        return notebook, resources


def _error(name: str, text: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


class Course:
    """An nbgrader course in a folder, with its gradebook."""

    def __init__(self, root: Path):
        self.root = Path(root)
        config = course(self.root)
        config.Autograde.autograde_preprocessors = [
            InsertOutputs,
            LimitOutput,
            SaveAutoGrades,
            CheckCellMetadata,
        ]
        self.api = NbGraderAPI(config=config)
        self.api.log_level = logging.ERROR

    def configure(self):
        """What protects the teacher who opens this folder; written anew at each call."""
        filters = Path(__file__).with_name("harmless.py").read_text(encoding="utf-8")
        (self.root / "nbgrader_config.py").write_text(
            CONFIGURATION + "\n\n# " + "-" * 20 + "\n" + filters, encoding="utf-8"
        )
        (self.root / ".gitignore").write_text("*\n", encoding="utf-8")

    def add(self, name: str, source: Path):
        add_to_course(name, self.root, source)

    def record(self, assignment: Assignment, student: str, result: Result):
        """Save the marks; raises when the gradebook then holds anything else than they are."""
        notebook = result.notebook
        if notebook is None:
            notebook = dict(assignment.release)
            reason = " ".join(result.notes)
            checks = [cell for cell in assignment.release.cells if kind_of(cell) == "check"]
            result.outputs = {cell.id: [_error("Nothing to grade", reason)] for cell in checks}
        notebook = nbformat.from_dict(notebook)
        if result.notes:
            listed = "\n".join(result.notes)
            fence = "`" * (3 + max((len(run) for run in _backticks(listed)), default=0))
            text = f"**What the grader noticed**\n\n{fence}text\n{listed}\n{fence}"
            notebook.cells.insert(
                0, nbformat.v4.new_markdown_cell(text, id="what-the-grader-noticed")
            )
        folder = self.root / "submitted" / student / assignment.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{assignment.name}.ipynb")
        _found[student] = result
        try:
            self._call(self.api.autograde, assignment.name, student, "mark")
        finally:
            del _found[student]
        for name, got in self.differences(assignment, student, result).items():
            raise RuntimeError(f"the gradebook holds {got} for {name}")

    def differences(self, assignment: Assignment, student: str, result: Result) -> dict:
        """Checks for which the gradebook holds another score than they have earned."""
        grades = self.grades(assignment, student)
        got = {name: grades.get(name, {}).get("auto") for name in assignment.checks}
        deserved = {n: points if result.passed[n] else 0 for n, points in assignment.checks.items()}
        return {name: got[name] for name in got if got[name] != deserved[name]}

    def grades(self, assignment: Assignment, student: str) -> dict[str, dict]:
        """Per graded cell: what nbgrader saved for it, and what a person has entered."""
        book = self._gradebook
        try:
            notebook = book.find_submission_notebook(assignment.name, assignment.name, student)
        except MissingEntry:
            return {}
        else:
            comments = {c.name: c.comment for c in notebook.comments}
            return {
                grade.name: {
                    "auto": grade.auto_score,
                    "by_hand": grade.manual_score,
                    "extra": grade.extra_credit,
                    "waits": bool(grade.needs_manual_grade),
                    "comment": comments.get(grade.name),
                }
                for grade in notebook.grades
            }
        finally:
            book.db.rollback()  # what others write is seen, and nothing is locked

    @functools.cached_property
    def _gradebook(self) -> Gradebook:
        return Gradebook(self.api.coursedir.db_url, self.api.coursedir.course_id)

    def _call(self, function, name: str, student: str, what: str):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            done = function(name, student, force=True, create=True)
        if not done["success"]:
            raise RuntimeError(
                f"nbgrader cannot {what} for {student}:\n{done['log']}{said.getvalue()}"
            )


def _backticks(text: str) -> list[str]:
    runs, run = [], ""
    for letter in text + " ":
        if letter == "`":
            run += letter
        elif run:
            runs.append(run)
            run = ""
    return runs


def earned(assignment: Assignment, result: Result, grades: dict[str, dict]) -> dict[str, dict]:
    """Per graded cell: score (None while it waits), points, comment, and what a person changed."""
    found = {}
    for name, points in (assignment.checks | assignment.written).items():
        grade = grades.get(name, {})
        score = None
        if name in assignment.checks:
            score = points if result.passed.get(name) else 0.0
        elif not grade.get("waits"):
            score = grade.get("auto") or 0.0
        by_hand = grade.get("by_hand")
        if by_hand is not None:  # also while it is listed as waiting once more
            score = by_hand
        waits = name in assignment.written and bool(grade.get("waits"))
        if score is not None:
            score += grade.get("extra") or 0.0
        changed = name in assignment.checks and (by_hand is not None or grade.get("extra"))
        found[name] = {
            "score": score,
            "points": points,
            "waits": waits,
            "comment": grade.get("comment"),
            "by_hand": bool(changed),
        }
    return found
