"""What nbval receives from a lesson is kept for the site, and stamped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cvcourse import __main__ as course
from scripts import executed
from tests.lessons.notebooks import ROOT

CELLS = {
    "prints": "print('one', flush=True)\nprint('two', end='\\r'); print('three')",
    "result": "6 * 7",
    "shows": (
        "from IPython.display import display, clear_output\n"
        "clear_output(wait=True)\n"
        "handle = display({'text/plain': 'first', 'text/html': '<b>first</b>'}, raw=True,"
        " display_id='d')"
    ),
    "updates": "handle.update({'text/plain': 'last', 'text/html': '<b>last</b>'}, raw=True)",
    "clears": "print('gone')\nclear_output()\nprint('here')",
}


@pytest.fixture(scope="module")
def course_folder(tmp_path_factory):
    """A course of two lessons, run by nbval as `make lessons` runs ours; the second one fails."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("lessons/weights", "cvcourse"):
        (root / folder).mkdir(parents=True)
    (root / "cvcourse/__init__.py").write_text("", encoding="utf-8")
    (root / "constraints.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    (root / "lessons/weights/91-net.safetensors").write_bytes(b"weights")
    cells = [nbformat.v4.new_markdown_cell("# 91", id="card")]
    cells += [nbformat.v4.new_code_cell(source, id=name) for name, source in CELLS.items()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "lessons/91_good.ipynb")
    bad = [nbformat.v4.new_code_cell(s, id=f"c{i}") for i, s in enumerate(("1", "1 / 0", "2"))]
    nbformat.write(nbformat.v4.new_notebook(cells=bad), root / "lessons/92_bad.ipynb")
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("node_*"))
    (root / "build/records").mkdir(parents=True)
    (root / "build/records/91.json").write_text('{"claims": []}', encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", *course.NBVAL, "-n", "0", "lessons"]
    environment = {k: v for k, v in os.environ.items() if k != "CVCOURSE_RECORDS"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, encoding="utf-8")
    assert "1 failed, 7 passed" in done.stdout, done.stdout + done.stderr
    return root


@pytest.fixture
def kept(course_folder):
    notebook = nbformat.read(course_folder / "build/executed/91.ipynb", as_version=4)
    nbformat.validate(notebook)
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def test_make_keeps_what_nbval_receives():
    assert course.NBVAL[-2:] == ["-p", "scripts.executed"]


def test_outputs_are_what_a_browser_would_show(kept):
    assert [(o.output_type, o.text) for o in kept["prints"]] == [("stream", "one\nthree\n")]
    assert [(o.output_type, o.data["text/plain"]) for o in kept["result"]] == [
        ("execute_result", "42")
    ]
    assert [o.data["text/html"] for o in kept["shows"]] == ["<b>last</b>"]
    assert kept["updates"] == []
    assert [o.text for o in kept["clears"]] == ["here\n"]


def test_the_run_s_record_is_kept_with_it(course_folder):
    notebook = nbformat.read(course_folder / "build/executed/91.ipynb", as_version=4)
    assert notebook.metadata[executed.STAMP]["record"] == {"claims": []}


def test_a_lesson_that_fails_leaves_nothing(course_folder):
    assert [path.name for path in (course_folder / "build/executed").iterdir()] == ["91.ipynb"]
    assert executed.state(course_folder / "lessons/92_bad.ipynb") == "missing"


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ("lessons/91_good.ipynb", "stale"),
        ("lessons/weights/91-net.safetensors", "stale"),
        ("cvcourse/__init__.py", "stale"),
        ("constraints.txt", "stale"),
        ("lessons/92_bad.ipynb", "fresh"),
    ],
)
def test_stamp(course_folder, tmp_path, changed, state):
    root = Path(shutil.copytree(course_folder, tmp_path / "copy"))
    lesson = root / "lessons/91_good.ipynb"
    assert executed.state(lesson) == "fresh"
    executed._package.cache_clear()
    with (root / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert executed.state(lesson) == state


def test_line_ends_of_a_platform_change_no_stamp(course_folder, tmp_path):
    root = Path(shutil.copytree(course_folder, tmp_path / "copy"))
    for name in ("constraints.txt", "lessons/91_good.ipynb"):
        path = root / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert executed.state(root / "lessons/91_good.ipynb") == "fresh"
