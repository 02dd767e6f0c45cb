"""One submission from its bytes to its outputs: which checks hold, and what to tell the student.

Cells run from top to bottom as *Restart and Run All* would. When student code ends its process (an
endless loop, a crash, an exit), the cell or call that did so has failed; a new process repeats the
cells that were fine, and the rest is graded as if nothing had happened.
"""

import ast
import builtins
import contextlib
import dataclasses
import io
import re
import reprlib
import signal
import symtable
import sys
import time

import torch

from grading import submission as handed_in
from grading import wire
from grading.assignment import Assignment, key_of, kind_of
from grading.limits import Limits
from grading.remote import Missing, Names
from grading.sandbox import START, Student, StudentGone, StudentRaised, Zygote
from grading.submission import clean


@dataclasses.dataclass
class Result:
    """What came of a submission. `notebook` and `outputs` are None if there was nothing to run."""

    passed: dict[str, bool]  # per check
    messages: dict[str, str]  # per failed check or cell
    notes: list[str]  # on the submission as a whole
    notebook: dict | None = None
    outputs: dict[str, list] | None = None  # per cell id
    seconds: float = 0.0  # wall clock
    cpu: float = 0.0  # seconds of student processes
    graded: str = ""  # which file
    modified: str = ""  # when it was changed last
    tried: dict[str, dict] = dataclasses.field(default_factory=dict)  # per failed check

    @classmethod
    def nothing(cls, assignment: Assignment, reason: str) -> "Result":
        return cls(dict.fromkeys(assignment.checks, False), {}, [reason])


SHOWN = 10_000  # characters of text of one cell
SHOWN_IN_ALL = 4 * 2**20  # characters of text and pictures of a whole notebook
HIDDEN_PART = "### BEGIN HIDDEN TESTS"


class TooSlow(BaseException):
    """No Exception, so that no check and no library takes it for one of its own."""


class Examiner:
    """Holds a warm parent of student processes; examines one submission after the other."""

    def __init__(self, limits: Limits | None = None, zygote: Zygote | None = None):
        self.limits = limits or Limits()
        self.zygote = zygote or Zygote()
        self.warm: set[str] = set()
        torch.testing.assert_close(torch.ones(2), torch.ones(2))  # imports much at its first call

    def close(self):
        self.zygote.close()

    def import_for_checks(self, assignment: Assignment):
        """Nobody's time, and never half-way: an import that is cut off spoils all later checks."""
        if assignment.name in self.warm:
            return
        for cell in assignment.source.cells:
            if kind_of(cell) == "check":
                body = ast.walk(ast.parse(cell.source))
                imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
                exec(compile(ast.Module(imports, []), "imports of checks", "exec"), {})
        self.warm.add(assignment.name)

    def examine(self, content: bytes, assignment: Assignment) -> Result:
        self.import_for_checks(assignment)
        try:
            cells, notes = handed_in.read(content)
            notebook, more = handed_in.rebuild(cells, assignment)
        except handed_in.Unreadable as error:
            return Result.nothing(assignment, str(error))
        run = _Run(self, assignment, notebook)
        try:
            run.all_cells()
        finally:
            run.stop()
        return Result(
            passed=run.passed,
            messages=run.messages,
            notes=notes + more + run.notes,
            notebook=dict(notebook),
            outputs=run.outputs,
            tried=run.tried,
            seconds=round(time.monotonic() - run.started, 3),
            cpu=round(run.cpu, 3),
        )


class _Run:
    def __init__(self, examiner: Examiner, assignment: Assignment, notebook):
        self.examiner, self.limits = examiner, examiner.limits
        self.assignment, self.notebook = assignment, notebook
        self.source = {key_of(cell): cell for cell in assignment.source.cells}
        self.passed = dict.fromkeys(assignment.checks, False)
        self.messages, self.notes, self.outputs = {}, [], {}
        self.fine: list[str] = []  # code that ran and would run again
        self.scope: dict = {"__name__": "check", "__builtins__": builtins}
        self.student: Student | None = None
        self.started, self.cpu = time.monotonic(), 0.0
        self.room = SHOWN_IN_ALL
        self.tried: dict[str, dict] = {}

    # The student process

    def stop(self):
        if self.student is not None:
            self.student.end()
            self.cpu += self.student.cpu
            self.student = None

    def left(self, most: float) -> float:
        """Seconds that a step may take: `most`, or what is left of them all."""
        return max(0.0, min(most, self.started + self.limits.total - time.monotonic()))

    def out_of_time(self) -> bool:
        return self.left(1.0) == 0.0

    def alive(self) -> Student:
        """The student process; a new one, brought to the same state, when the last one ended."""
        while self.student is None or self.student.gone:
            self.stop()
            if self.out_of_time():
                raise StudentGone(
                    f"the notebook took more than {self.limits.total:.0f} seconds in all"
                )
            self.student = self.examiner.zygote.start(self.limits)
            try:
                self.student.ask(START, do="prepare", withheld=self.assignment.withheld)
            except StudentRaised as error:
                raise RuntimeError(
                    f"{self.assignment.name} withholds what there is not: {error}"
                ) from None
            self.student.until = self.started + self.limits.total
            for place, code in enumerate(self.fine):
                try:
                    self.student.ask(self.limits.cell, do="cell", source=code)
                except StudentRaised:
                    pass
                except StudentGone:  # fine once, not twice: leave it out
                    del self.fine[place]
                    break
        return self.student

    # Cells

    def all_cells(self):
        for cell in self.notebook.cells:
            if cell.cell_type != "code":
                continue
            key, kind = key_of(cell), kind_of(cell)
            if kind == "check":
                self.check(cell, key)
                continue
            if kind == "set-up":
                exec(compile(self.source[key].source, f"set-up {key}", "exec"), self.scope)
            self.run_cell(cell, key)

    def run_cell(self, cell, key: str):
        if self.out_of_time():
            self.fail(
                cell,
                key,
                f"did not run: the notebook took more than {self.limits.total:.0f} seconds",
            )
            return
        try:
            answer, _ = self.alive().ask(self.limits.cell, do="cell", source=cell.source)
            outputs = self.kept(answer.get("outputs", []))
            self.outputs[cell.id] = outputs
            self.fine.append(cell.source)
            if error := answer.get("error"):
                text = clean(str(StudentRaised(error)))
                self.messages[key] = text
                outputs.append(_error(str(error.get("type")), text))
        except StudentGone as gone:
            self.fail(cell, key, f"stopped in this cell: {gone}. The rest was graded without it")
        except (StudentRaised, AttributeError, TypeError, KeyError) as error:
            self.fail(cell, key, f"gave an answer that is none ({type(error).__name__})")

    def kept(self, outputs) -> list[dict]:
        """What student code says that it has shown: the right shapes, and not too much of them."""
        kept = []
        for out in outputs[:100] if isinstance(outputs, list) else []:
            if not _well_formed(out):
                continue
            texts = out if "text" in out else out["data"]
            for kind in ("text", "text/plain"):
                if kind in texts:
                    texts[kind] = clean(texts[kind][:SHOWN])
            size = sum(len(value) for value in texts.values() if isinstance(value, str))
            if size > self.room:
                note = "this notebook shows more than is kept: some outputs are left out"
                self.notes += [note] if note not in self.notes else []
                continue
            self.room -= size
            kept.append(out)
        return kept

    def fail(self, cell, key: str, text: str):
        self.messages[key] = text
        self.outputs[cell.id] = [_error("Stopped", text)]

    def check(self, cell, key: str):
        code = self.source[key].source
        printed = io.StringIO()
        reason = kind = where = None
        scope = dict(self.scope)  # of its own: no check leans on another one
        known = set(sys.modules)
        try:
            names = Names(self.alive(), self.assignment.in_place)
            for name in _asked_for(code, self.scope):
                scope[name] = names.find(name)
            torch.manual_seed(0)
            most = self.left(self.limits.check)
            with contextlib.redirect_stdout(printed), at_most(most):
                exec(compile(code, f"check {key}", "exec"), scope)
        except Missing as error:
            kind, reason = (
                "Missing",
                f"`{error}` is not defined: is its cell there, and without an error?",
            )
        except AssertionError as error:
            text, where = str(error), error
            if isinstance(error, StudentRaised):
                text = "your code raised " + text
            kind, reason = (
                "Not right",
                text.strip() or "an assertion of this check does not hold",
            )
        except StudentGone as gone:
            kind, reason = "Stopped", f"your code was called, and {gone}"
        except NotImplementedError:
            kind, reason = "Not right", "this exercise is not answered yet"
        except StudentRaised as error:
            kind, reason, where = "Raised", f"your code raised {error}", error
        except wire.WireError as error:
            kind, reason = "Not right", f"your function returned what cannot be checked: {error}"
        except TooSlow:
            kind, reason = "Stopped", "the check took too long with your function"
            if self.out_of_time():
                reason = f"the notebook took more than {self.limits.total:.0f} seconds in all"
            self.stop()  # it may have been stopped half-way through an answer, or an import
            for name in set(sys.modules) - known:
                del sys.modules[name]
        except Exception as error:  # the check met a value that it did not expect
            kind, where = "Not right", error
            reason = f"its value cannot be used as it should ({type(error).__name__}: {error})"
        self.passed[key] = reason is None
        text = clean(printed.getvalue()[:5000])
        outputs = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
        if reason is not None:
            tried = self.tried[key] = _tried(code, key, where, scope)
            if tried["hidden"]:
                reason = f"right for the numbers that are shown, not for others: {reason}"
            reason = self.messages[key] = clean(reason)[:5000]
            outputs.append(_error(kind, reason))
        self.outputs[cell.id] = outputs


def _tried(code: str, key: str, error: Exception | None, scope: dict) -> dict:
    """Which line of a check failed, and the values of its names; of the hidden part, nothing."""
    seen, _, hidden = code.partition(HIDDEN_PART)
    lines, trace = [], error.__traceback__ if error else None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == f"check {key}":
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if not lines:
        return {"lines": None, "hidden": False, "values": []}
    line = lines[0]
    if hidden and line > seen.count("\n"):
        return {"lines": None, "hidden": True, "values": []}
    around = [
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno
    ]
    if not around:
        return {"lines": None, "hidden": False, "values": []}
    statement = min(around, key=lambda node: node.end_lineno - node.lineno)
    short = reprlib.Repr()
    short.maxlist = short.maxtuple = short.maxdict = 20
    short.maxstring, short.maxother = 200, 600
    values = []
    for name in sorted({n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}):
        value = scope.get(name)
        if isinstance(value, torch.Tensor | int | float | str | list | tuple | dict):
            values.append([name, clean(short.repr(value))])
    return {"lines": [statement.lineno, statement.end_lineno], "hidden": False, "values": values}


def _asked_for(code: str, scope: dict) -> list[str]:
    """Global names that a check uses and that neither it, nor Python, nor the set-up defines."""
    table = symtable.symtable(code, "check", "exec")
    own = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    used, tables = set(), [table]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        used |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_global() or table.get_type() == "module"
        }
    return sorted(n for n in used - own if n not in scope and not hasattr(builtins, n))


ON_THE_WALL = signal.ITIMER_REAL, signal.SIGALRM
OF_THE_PROCESSOR = signal.ITIMER_VIRTUAL, signal.SIGVTALRM


@contextlib.contextmanager
def at_most(seconds: float, clock=ON_THE_WALL):
    """Raises `TooSlow` in what takes longer."""

    def stop(*_):
        raise TooSlow

    timer, number = clock
    before = signal.signal(number, stop)
    signal.setitimer(timer, max(seconds, 0.001))  # 0 would be for ever
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


def _error(name: str, text: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def _well_formed(out) -> bool:
    """Outputs come from student code; only these two shapes are let through."""
    if not isinstance(out, dict):
        return False
    if out.get("output_type") == "stream":
        return (
            set(out) == {"output_type", "name", "text"}
            and isinstance(out["text"], str)
            and (out["name"] in ("stdout", "stderr"))
        )
    data = out.get("data")
    return (
        out.get("output_type") == "display_data"
        and set(out) == {"output_type", "data", "metadata"}
        and out["metadata"] == {}
        and isinstance(data, dict)
        and set(data) <= {"text/plain", "image/png"}
        and all(isinstance(v, str) for v in data.values())
        and re.fullmatch(r"[A-Za-z0-9+/=\s]*", data.get("image/png", "")) is not None
    )
