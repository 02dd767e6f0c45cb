"""What `make lessons` leaves behind for the site: `build/executed/NN.ipynb`, one a lesson.

A plugin of pytest beside nbval (`-p scripts.executed`): it listens to what a lesson's kernel says
while nbval runs the cells, and writes the notebook with these outputs when all of them have passed.
Nothing is run for it. The notebook is stamped with what its outputs depend on, and `state` tells
whether that is still so.
"""

import hashlib
import json
import os
import re
import warnings
from functools import cache
from pathlib import Path

import pytest

STAMP = "cvcourse"  # the key in the notebook's metadata


def number(lesson: Path) -> str:
    """`04` of `04_one_stage.ipynb`."""
    return lesson.stem.partition("_")[0]


def executed(lesson: Path) -> Path:
    """Where the lesson with its outputs is, or will be."""
    return lesson.parents[1] / "build" / "executed" / f"{number(lesson)}.ipynb"


def stamp(lesson: Path) -> str:
    """SHA-256 of what decides a lesson's outputs: itself, what it ships, the package, the pins."""
    shipped = sorted(lesson.parent.glob(f"*/{number(lesson)}-*"))
    return _digest([lesson, *shipped], _package(lesson.parents[1]))


def state(lesson: Path) -> str:
    """ "fresh", "stale" (the lesson or the package has changed since), or "missing"."""
    path = executed(lesson)
    if not path.exists():
        return "missing"
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    return "fresh" if metadata.get(STAMP, {}).get("stamp") == stamp(lesson) else "stale"


def record(lesson: Path) -> dict | None:
    """What the lesson's last run has recorded: its claims, time and memory."""
    folder = os.environ.get("CVCOURSE_RECORDS") or lesson.parents[1] / "build" / "records"
    path = Path(folder).expanduser() / f"{number(lesson)}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@cache
def _package(root: Path) -> str:
    files = sorted((root / "cvcourse").rglob("*.py"))
    return _digest([*files, root / "constraints.txt"], "")


def _digest(files: list[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for path in files:
        content = path.read_bytes().replace(b"\r\n", b"\n")  # the same on every platform
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


class Outputs:
    """The outputs of a notebook's cells, from the messages that its kernel publishes."""

    def __init__(self):
        self.cells: dict[str, list] = {}
        self._named = {}  # by display_id: outputs that later messages replace
        self._clear = set()  # cells that are cleared as soon as something new comes

    def hear(self, cell: str, message: dict) -> None:
        kind, content = message["msg_type"], message["content"]
        outputs = self.cells.setdefault(cell, [])
        if kind == "clear_output":
            if content.get("wait"):
                self._clear.add(cell)
            else:
                outputs.clear()
            return
        name = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            for output in self._named.get(name, []):
                output["data"], output["metadata"] = content["data"], content["metadata"]
            return
        if kind not in ("stream", "display_data", "execute_result", "error"):
            return
        if cell in self._clear:
            outputs.clear()
            self._clear.discard(cell)
        if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
            outputs[-1]["text"] = overwritten(outputs[-1]["text"] + content["text"])
            return
        output = {"output_type": kind} | {k: v for k, v in content.items() if k != "transient"}
        if kind == "stream":
            output["text"] = overwritten(output["text"])
        if name is not None:
            self._named.setdefault(name, []).append(output)
        outputs.append(output)


def overwritten(text: str) -> str:
    """What a terminal shows: after a carriage return, a line begins anew."""
    return re.sub(r"[^\n]*\r(?!\n)(?=[^\n])", "", text)


@pytest.hookimpl(trylast=True)  # the kernel is there
def pytest_runtest_setup(item):
    notebook = item.parent
    if not _is_cell(item) or hasattr(notebook, "heard"):
        return
    notebook.heard, notebook.passed = Outputs(), set()
    notebook.stamp = stamp(notebook.path)
    notebook.asked, notebook.running = {}, None  # cells by the request that runs them
    kernel = notebook.kernel
    execute, get_message = kernel.execute_cell_input, kernel.get_message

    def ask(source, allow_stdin=None):
        request = execute(source, allow_stdin=allow_stdin)
        notebook.asked[request] = notebook.running
        return request

    def listen(stream, timeout=None):
        message = get_message(stream, timeout=timeout)
        cell = notebook.asked.get(message["parent_header"].get("msg_id"))
        if stream == "iopub" and cell is not None:
            notebook.heard.hear(cell, message)
        return message

    kernel.execute_cell_input, kernel.get_message = ask, listen


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    if _is_cell(item):
        item.parent.running = item.cell.id


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    if _is_cell(item) and call.when == "call" and call.excinfo is None:
        item.parent.passed.add(item.cell.id)


def pytest_runtest_teardown(item, nextitem):
    if not _is_cell(item) or (nextitem is not None and nextitem.parent is item.parent):
        return
    try:
        _save(item.parent)
    except Exception as error:  # the lesson has run; only its page is missing
        warnings.warn(f"{item.parent.path.name}: not kept for the site: {error!r}", stacklevel=1)


def _is_cell(item) -> bool:
    return type(item).__name__ == "IPyNbCell"


def _save(notebook) -> None:
    cells = [cell for cell in notebook.nb.cells if cell.cell_type == "code"]
    if {cell.id for cell in cells} != notebook.passed:
        return
    for count, cell in enumerate(cells, start=1):
        cell.outputs, cell.execution_count = notebook.heard.cells.get(cell.id, []), count
        for output in cell.outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = count
    notebook.nb.metadata[STAMP] = {"stamp": notebook.stamp, "record": record(notebook.path)}
    path = executed(notebook.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps(notebook.nb, ensure_ascii=False, indent=1) + "\n"
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
