"""nbgrader's part: marks go into its gradebook, and feedback comes out of it.

nbgrader's autograder overwrites the teacher's cells, takes the outputs that `examine` has found
instead of running anything itself, and saves a score per cell. What it reports is not believed: the
gradebook is read again, and each check must have there what it deserves.
"""

import contextlib
import html
import io
import logging
import re
import shutil
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    GetGrades,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)

from grading.assignment import Assignment, key_of, kind_of
from grading.examine import Result
from grading.release import add_to_course, course

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


def harmless(markdown: str) -> str:
    """Markdown without live HTML and without links, which may lead to `javascript:`."""
    no_tags = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", markdown)  # what HTML takes for the start of one
    return re.sub(r"\](?=\s*[(\[:])", "&#93;", no_tags)


class Course:
    """An nbgrader course in a folder, with its gradebook."""

    def __init__(self, root: Path):
        self.root = Path(root)
        config = course(self.root)
        config.Autograde.autograde_preprocessors = [
            InsertOutputs,
            LimitOutput,
            SaveAutoGrades,
            AssignLatePenalties,
            CheckCellMetadata,
        ]
        config.GenerateFeedback.preprocessors = [
            GetGrades,
            ClearHiddenTests,  # feedback names what failed, and does not show next year's tests
            CSSHTMLHeaderPreprocessor,
        ]
        self.api = NbGraderAPI(config=config)
        self.api.log_level = logging.ERROR

    def add(self, name: str, source: Path):
        (self.root / "nbgrader_config.py").write_text(
            "# for `jupyter lab` here: nbgrader's formgrader shows what waits for a mark\n"
            "c = get_config()\n"
            "c.CourseDirectory.course_id = 'cvcourse'\n",
            encoding="utf-8",
        )
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
        for cell in notebook.cells:  # shown in the teacher's browser, here and in Formgrader
            if cell.cell_type == "markdown" and (
                kind_of(cell) == "written" or cell.id.startswith("own-")
            ):
                cell.source = harmless(cell.source)
        if result.notes:
            listed = "\n".join(f"- {html.escape(note)}" for note in result.notes)
            text = f"**What the grader noticed**\n\n{listed}"
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
        got = {name: grade["auto"] for name, grade in self.grades(assignment, student).items()}
        for name, points in assignment.checks.items():
            if got.get(name) != (points if result.passed[name] else 0):
                raise RuntimeError(f"the gradebook holds {got.get(name)} for {name}")

    def grades(self, assignment: Assignment, student: str) -> dict[str, dict]:
        """Per graded cell: score by the checks, score that counts, comment, whether it waits."""
        with self.api.gradebook as book:
            notebook = book.find_submission_notebook(assignment.name, assignment.name, student)
            comments = {c.name: c.comment for c in notebook.comments}
            return {
                grade.name: {
                    "auto": grade.auto_score,
                    "score": grade.score,
                    "waits": bool(grade.needs_manual_grade),
                    "comment": comments.get(grade.name),
                }
                for grade in notebook.grades
            }

    def feedback(self, name: str, student: str) -> Path:
        self._call(self.api.generate_feedback, name, student, "write feedback")
        return self.root / "feedback" / student / name / f"{name}.html"

    def _call(self, function, name: str, student: str, what: str):
        options = {"create": True} if what == "mark" else {}
        with contextlib.redirect_stderr(io.StringIO()) as said:
            done = function(name, student, force=True, **options)
        if not done["success"]:
            raise RuntimeError(
                f"nbgrader cannot {what} for {student}:\n{done['log']}{said.getvalue()}"
            )
