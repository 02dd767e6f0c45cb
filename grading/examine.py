"""One submission from its bytes to its outputs: which checks hold, and what to tell the student.

Cells run from top to bottom as *Restart and Run All* would. When student code ends its process (an
endless loop, a crash, an exit), the cell or call that did so has failed; a new process repeats the
cells that were fine, and the rest is graded as if nothing had happened.
"""

import builtins
import contextlib
import dataclasses
import io
import re
import signal
import symtable
import time

import torch

from grading import submission as handed_in
from grading import wire
from grading.assignment import Assignment, key_of, kind_of
from grading.limits import Limits
from grading.remote import Missing, Names
from grading.sandbox import START, Student, StudentGone, StudentRaised, Zygote


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

    @classmethod
    def nothing(cls, assignment: Assignment, reason: str) -> "Result":
        return cls(dict.fromkeys(assignment.checks, False), {}, [reason])


class _CheckTooSlow(BaseException):
    pass


class Examiner:
    """Holds a warm parent of student processes; examines one submission after the other."""

    def __init__(self, limits: Limits | None = None, zygote: Zygote | None = None):
        self.limits = limits or Limits()
        self.zygote = zygote or Zygote()

    def close(self):
        self.zygote.close()

    def examine(self, content: bytes, assignment: Assignment) -> Result:
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

    # The student process

    def stop(self):
        if self.student is not None:
            self.student.end()
            self.cpu += self.student.cpu
            self.student = None

    def out_of_time(self) -> bool:
        return time.monotonic() - self.started > self.limits.total

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
            outputs = [out for out in answer.get("outputs", []) if _well_formed(out)]
            self.outputs[cell.id] = outputs
            self.fine.append(cell.source)
            if error := answer.get("error"):
                text = str(StudentRaised(error))
                self.messages[key] = text
                outputs.append(_error(str(error.get("type")), text))
        except StudentGone as gone:
            self.fail(cell, key, f"stopped in this cell: {gone}. The rest was graded without it")
        except (StudentRaised, AttributeError, TypeError, KeyError) as error:
            self.fail(cell, key, f"gave an answer that is none ({type(error).__name__})")

    def fail(self, cell, key: str, text: str):
        self.messages[key] = text
        self.outputs[cell.id] = [_error("Stopped", text)]

    def check(self, cell, key: str):
        code = self.source[key].source
        printed = io.StringIO()
        reason = kind = None
        try:
            names = Names(self.alive(), self.assignment.in_place)
            scope = dict(self.scope)  # of its own: no check leans on another one
            for name in _asked_for(code, self.scope):
                scope[name] = names.find(name)
            torch.manual_seed(0)
            with contextlib.redirect_stdout(printed), _at_most(2 * self.limits.call + 30):
                exec(compile(code, f"check {key}", "exec"), scope)
        except Missing as error:
            kind, reason = (
                "Missing",
                f"`{error}` is not defined: is its cell there, and without an error?",
            )
        except AssertionError as error:
            text = str(error)
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
            kind, reason = "Raised", f"your code raised {error}"
        except wire.WireError as error:
            kind, reason = "Not right", f"your function returned what cannot be checked: {error}"
        except _CheckTooSlow:
            kind, reason = "Stopped", "the check took too long with your function"
        except Exception as error:  # the check met a value that it did not expect
            kind = "Not right"
            reason = f"its value cannot be used as it should ({type(error).__name__}: {error})"
        self.passed[key] = reason is None
        text = printed.getvalue()[:5000]
        outputs = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
        if reason is not None:
            self.messages[key] = reason
            outputs.append(_error(kind, reason))
        self.outputs[cell.id] = outputs


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


@contextlib.contextmanager
def _at_most(seconds: float):
    def stop(*_):
        raise _CheckTooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
