"""The page that a student gets: what was tried, what came, what is expected, where to read on.

Text of the assignment is typeset as it is; text of the student's goes through `harmless`, and the
page's own policy (CSP) lets no script run but the one that typesets formulas.
"""

import re
import secrets
import time
from pathlib import Path

import jinja2
import nbformat
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML
from pygments.formatters import HtmlFormatter

from grading.assignment import Assignment, key_of, kind_of
from grading.examine import HIDDEN_PART, OF_THE_PROCESSOR, Result, TooSlow, at_most
from grading.harmless import harmless, typeset
from grading.marks import earned

LONGEST = 50_000  # characters of one text that is typeset; longer ones are shown as they were typed
PATIENCE = 3.0  # seconds of processor time for all texts of a student: formulas can take minutes

_template = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
).get_template("feedback.html")
_highlight = Highlight2HTML(pygments_lexer="ipython3")


def tame(notebook: dict):
    """Texts of a student's that take too long to typeset become text as it was typed."""
    left = PATIENCE
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown" or not _is_theirs(nbformat.from_dict(cell)):
            continue
        try:
            if left <= 0 or len(cell["source"]) > LONGEST:
                raise TooSlow
            begun = time.process_time()
            with at_most(left, OF_THE_PROCESSOR):
                harmless(typeset(cell["source"], cell.get("attachments")))
            left -= time.process_time() - begun
        except TooSlow:
            left = min(left, 0.5)
            longest = max(map(len, re.findall("`+", cell["source"])), default=0)
            fence = "`" * max(3, longest + 1)
            cell["source"] = f"{fence}text\n{cell['source']}\n{fence}"
        except Exception:  # a parser that stumbles over it would do so in Formgrader as well
            cell["source"] = "    " + cell["source"].replace("\n", "\n    ")


def _is_theirs(cell) -> bool:
    return kind_of(cell) == "written" or cell.get("id", "").startswith("own-")


def page(assignment: Assignment, result: Result, grades: dict[str, dict], student: str) -> str:
    """The whole page as HTML."""
    marks = earned(assignment, result, grades)
    notebook = nbformat.from_dict(result.notebook or dict(assignment.release))
    sources = {key_of(cell): cell.source for cell in assignment.source.cells}
    cells, exercise = [], None
    for cell in notebook.cells:
        key, kind = key_of(cell), kind_of(cell)
        theirs = _is_theirs(cell)
        shown = {"kind": kind, "key": key, "mark": marks.get(key), "theirs": theirs}
        if kind == "text" and cell.cell_type == "markdown" and not theirs:
            before, exercise = exercise, _exercise(cell.source, key, exercise)
            shown["anchor"] = key if exercise is not before else ""
        shown["exercise"] = exercise
        if cell.cell_type == "markdown":
            text = typeset(cell.source, cell.get("attachments"))
            shown["html"] = Markup(harmless(text) if theirs else _with_open_hints(text))
        elif kind == "check":
            shown |= _check(key, sources[key], result, marks[key])
            shown["hint"] = Markup(exercise["hint"]) if exercise else ""
        else:
            shown["html"] = Markup(_highlight(cell.source))
        outputs = (result.outputs or {}).get(cell.id, []) if result.notebook else []
        shown["outputs"] = [_output(out) for out in outputs] if kind != "check" else []
        cells.append(shown)
    waiting = [name for name, mark in marks.items() if mark["waits"]]
    return _template.render(
        title=_title(assignment),
        lesson=f"lessons/{assignment.name}.ipynb",
        student=student,
        result=result,
        cells=cells,
        checks=[cell for cell in cells if cell["kind"] == "check"],
        written=[cell for cell in cells if cell["kind"] == "written"],
        total=number(sum(mark["score"] or 0 for mark in marks.values())),
        out_of=number(sum(mark["points"] for mark in marks.values())),
        open_points=number(sum(marks[name]["points"] for name in waiting)),
        waiting=waiting,
        style=Markup(HtmlFormatter(style="friendly").get_style_defs(".highlight")),
        nonce=secrets.token_urlsafe(12),
        number=number,
    )


def number(value: float) -> str:
    return f"{value:g}"


def _title(assignment: Assignment) -> str:
    return assignment.release.cells[0].source.split("\n")[0].lstrip("# ")


def _exercise(text: str, key: str, before: dict | None) -> dict | None:
    """Title, place in the page and hint of the exercise that a text introduces."""
    title = re.match(r"## (.+?)(?: \(.*\))?\s*$", text.split("\n")[0])
    if not title:
        return before
    hint = re.search(r"<details><summary>.*?</summary>(.*?)</details>", text, re.S)
    return {
        "title": title[1],
        "anchor": key,
        "hint": typeset(hint[1]) if hint else "",
    }


def _with_open_hints(text: str) -> str:
    return text.replace("<summary>Hint</summary>", "<summary>Hint (click to read)</summary>")


def _check(key: str, source: str, result: Result, mark: dict) -> dict:
    seen = source.partition(HIDDEN_PART)[0].rstrip()
    head, _, code = seen.partition("\n")
    passed = bool(result.passed.get(key))
    tried = result.tried.get(key) or {}
    message = result.messages.get(key) or "this check did not run"
    if result.notebook is None:
        message = "nothing could be graded: " + " ".join(result.notes)
    lines, step, failing = code.split("\n"), "", ""
    if tried.get("lines"):
        first, last = (number - 2 for number in tried["lines"])  # the head is line 1
        step, failing = "\n".join(lines[:first]), "\n".join(lines[first : last + 1])
    return {
        "title": re.sub(r"^# Check\s*", "Check ", head),
        "passed": passed,
        "message": message,
        "hidden": tried.get("hidden", False),
        "before": Markup(_highlight(step)) if step.strip() else "",
        "failing": Markup(_highlight(failing)) if failing else "",
        "seen_values": tried.get("values", []),
        "code": Markup(_highlight(code)),
    }


def _output(out: dict) -> dict:
    if out["output_type"] == "stream":
        return {"text": out["text"], "stderr": out["name"] == "stderr"}
    if out["output_type"] == "error":
        return {"error": out["evalue"], "name": out["ename"]}
    data = out["data"]
    if "image/png" in data:
        return {"png": re.sub(r"\s", "", data["image/png"])}
    return {"text": data.get("text/plain", "")}
