"""A made-up class: `python -m tests.assignments.class_of_ten FOLDER` hands it in."""

import copy
import sys
from pathlib import Path

import nbformat

from grading.assignment import Assignment, kind_of
from tests.assignments.helpers import answered, cell_of, content, solved, without_experiments
from tests.assignments.helpers import wrong_answers as wrongs

NAME = "01_classification_to_regression"
# marks by the checks, of 16 (and 4 by hand), and the checks that fail
EXPECTED = {
    "ada": (16, ""),
    "ben": (13, "entropy-stable"),
    "cleo": (0, "all"),
    "dan": (13, "soft-rows soft-values"),
    "eve": (0, "all"),
    "finn": (0, "all"),
    "gus": (0, "all"),
    "hana": (16, ""),
    "=ivo (späť) [2]": (14, "topk-ties"),
    "jo": (0, "all"),
}
SPITE = """
import torch, builtins, json
torch.allclose = torch.equal = lambda *a, **k: True
builtins.AssertionError = Exception
open("marks.json", "w").write(json.dumps({"marks": 20}))
"""
SCRIPT = """<script>alert(1)</script> <img src=x onerror=alert(2)> [click](javascript:alert(3))

[a][b] ![c](javascript:alert(4)) <javascript:alert(5)>

[b]: java&#115;cript:alert(6)
"""


def make(folder: Path):
    assignment = Assignment.load(NAME)
    right = without_experiments(solved(assignment))
    wrong = {answer.mistake: answer for answer in wrongs(NAME)}

    def put(student: str, notebook, name: str = f"{NAME}.ipynb"):
        (folder / student).mkdir(parents=True)
        raw = notebook if isinstance(notebook, bytes) else content(notebook)
        (folder / student / name).write_bytes(raw)

    put("ada", solved(assignment))
    put("ben", answered(right, "entropy", wrong["the logarithm of a softmax"].code))
    put("cleo", assignment.release)
    put("dan", answered(right, "soft", "def soft_targets(*_):\n    while True: pass"))
    spiteful = copy.deepcopy(assignment.release)
    for cell in spiteful.cells:
        if kind_of(cell) == "check":
            cell.source = "print('right')"
    spiteful.cells.insert(0, nbformat.v4.new_code_cell(SPITE, id="spite"))
    spiteful.cells.append(nbformat.v4.new_markdown_cell(SCRIPT, id="script"))
    spiteful.cells.append(nbformat.v4.new_code_cell(f"print({SCRIPT!r})", id="printed"))
    spiteful.cells.append(nbformat.v4.new_code_cell("import os\nos._exit(0)", id="the-end"))
    put("eve", spiteful)
    put("finn", b"PK\x03\x04 this was zipped")
    (folder / "gus").mkdir()
    bare = copy.deepcopy(right)
    for number, cell in enumerate(bare.cells):
        cell.metadata, cell.id = {}, f"{number:08x}"
    put("hana", bare, "assignment 1 (final).ipynb")
    doubled = answered(right, "topk", wrong["of equal scores all count"].code)
    doubled.cells.insert(3, copy.deepcopy(cell_of(right, "topk")))  # the right one comes first
    put("=ivo (späť) [2]", nbformat.v4.writes(doubled).encode())
    (folder / "jo").symlink_to(folder / "ada")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
