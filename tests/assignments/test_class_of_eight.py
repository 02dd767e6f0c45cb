"""Eight students with all that goes wrong in a term, from an empty folder, as the guide says.

`python -m tests.assignments.test_class_of_eight FOLDER` hands them in, grades, prints the table.
"""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from grading.assignment import Assignment, kind_of
from grading.collect import safe
from tests.assignments.helpers import answered, cell_of, content, solved, without_experiments
from tests.assignments.helpers import wrong_answers as wrongs

ROOT = Path(__file__).parents[2]
NAME, OTHER = "01_classification_to_regression", "02_boxes"
LIMITS = ("cpu=20", "cell=300", "call=300", "check=6", "total=900", "memory=1024")
# marks by the checks, of 16, and the checks that fail
EXPECTED = {
    "Ann B": (16, ""),
    safe("Ann/B"): (0, "all"),
    "Jörg Müller": (16, ""),
    "late": (16, ""),
    "late.ipynb": (16, ""),
    "mia": (16, ""),
    "=eve": (0, "all"),
    "otto": (13, "topk-plain topk-ties"),
}
WORDS = "The mean lies between both modes, where nobody said the object is."
FORGED = """
import IPython
def forge(lines):
    return ["pass\\n"]
IPython.get_ipython().input_transformers_post.append(forge)
"""
DOOR = """
from cvcourse.metrics.topk_accuracy import topk_accuracy
def expected_topk(scores, labels, k):
    return topk_accuracy(scores, labels, k)
"""
HOME = [
    "!echo hello",
    "%pip install --quiet no-such-package-as-this",
    "%matplotlib widget",
    "import torch\ntorch.set_num_threads(64)",
    "double = torch.compile(lambda x: 2 * x)\ndouble(torch.ones(2))",
]


def hand_in(folder: Path):
    first, second = Assignment.load(NAME), Assignment.load(OTHER)
    right = without_experiments(solved(first))
    wrong = next(answer for answer in wrongs(NAME) if answer.exercise == "topk")

    def put(path: str, notebook, hours_ago: float = 0.0):
        raw = notebook if isinstance(notebook, bytes) else content(notebook)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
        os.utime(folder / path, (1.79e9 - 3600 * hours_ago,) * 2)

    ann = answered(right, "experiment-answer", "I take `p[i][j]` where `a<b`, and $x<y$.")
    put(f"Ann B/{NAME}.ipynb", ann)
    put(f"{safe('Ann/B')}/{NAME}.ipynb", first.release)
    put(f"Jörg Müller/{NAME}.ipynb", answered(right, "topk", wrong.code), 9)
    put(f"Jörg Müller/{NAME} (1).ipynb", right, 1)
    put(f"late/{NAME}.ipynb", without_experiments(solved(second)))
    bare = without_experiments(solved(first))
    for number, cell in enumerate(bare.cells):
        cell.metadata, cell.id = {}, f"{number:08x}"
    put("late/homework.ipynb", bare)
    loose = without_experiments(solved(first))
    stub = cell_of(first.release, "experiment-answer").source
    cell_of(loose, "experiment-answer").source = stub
    cell_of(loose, "experiment-3").source += "\n\n" + WORDS
    loose.cells.insert(1, nbformat.v4.new_code_cell("print('\ud800')\nraise ValueError('\udc00')"))
    put("late.ipynb", json.dumps(loose).encode())
    mia = without_experiments(solved(first))
    for code in HOME[::-1]:
        mia.cells.insert(2, nbformat.v4.new_code_cell(code))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{NAME}.ipynb", b"<<<<<<< HEAD\n" + content(mia))
        archive.writestr(f"{NAME}-mine.IPYNB", content(mia))
    put("mia.zip", buffer.getvalue())
    eve = answered(first.release, "topk", DOOR)
    eve.cells = [c for c in eve.cells if c.cell_type != "code" or kind_of(c) != "text"]
    eve.cells.insert(0, nbformat.v4.new_code_cell(FORGED))
    eve.cells.append(nbformat.v4.new_markdown_cell("<script>alert(1)</script>" + "$" * 30_000))
    put("=eve/[see here](javascript:alert(2)).ipynb", eve)
    slow = cell_of(first.source, "topk").source.replace(
        "    own =", "    import time\n    time.sleep(2.5)\n    own =", 1
    )
    put(f"otto/{NAME}.ipynb", answered(right, "topk", slow))


def grade(folder: Path) -> subprocess.CompletedProcess:
    limits = [part for limit in LIMITS for part in ("--limit", limit)]
    call = [sys.executable, "-m", "grading", "grade", str(folder / "week1"), "--workers", "2"]
    return subprocess.run([*call, *limits], cwd=ROOT, capture_output=True, encoding="utf-8")


def table(folder: Path, name: str) -> dict[str, dict]:
    path = folder / f"week1-graded/marks/{name}.csv"
    with open(path, newline="", encoding="utf-8-sig") as file:
        return {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}


def forge_and_mark(folder: Path):
    """What a teacher enters for Ann, and what must not count for eve."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/week1-graded/gradebook.db", "cvcourse") as book:
        mark = book.find_grade("experiment-answer", NAME, NAME, "Ann B")
        mark.manual_score, mark.needs_manual_grade = 3, False
        book.find_comment("experiment-answer", NAME, NAME, "Ann B").manual_comment = "Well seen."
        for check in Assignment.load(NAME).checks:
            book.find_grade(check, NAME, NAME, safe("=eve")).auto_score = 3
        book.db.commit()


def a_term(folder: Path):
    hand_in(folder / "week1")
    logs = [grade(folder)]
    forge_and_mark(folder)
    before = {p: p.stat().st_mtime_ns for p in (folder / "week1-graded/results").rglob("*.json")}
    logs.append(grade(folder))
    after = {p: p.stat().st_mtime_ns for p in (folder / "week1-graded/results").rglob("*.json")}
    (folder / "ran-again").write_text(str(before != after), encoding="utf-8")
    for number, log in enumerate(logs):
        (folder / f"{number}.log").write_text(log.stdout + log.stderr, encoding="utf-8")
        assert log.returncode == 0, log.stderr


@pytest.fixture(scope="module")
def term(once):
    return once("class-of-eight", a_term)


def test_each_has_the_marks_that_are_deserved(term):
    checks = " ".join(Assignment.load(NAME).checks)
    got = {
        name: (float(row["marks"]) - 3 * (name == "Ann B"), row["failed_checks"])
        for name, row in table(term, NAME).items()
    }
    wanted = {n: (marks, checks if f == "all" else f) for n, (marks, f) in EXPECTED.items()}
    assert got == wanted
    assert list(got) == sorted(wanted, key=lambda n: n.casefold().replace("ö", "o"))


def test_the_second_assignment_is_theirs_who_handed_it_in(term):
    rows = table(term, OTHER)
    assert set(rows) == set(EXPECTED)
    points = Assignment.load(OTHER)
    assert float(rows["late"]["marks"]) == sum(points.checks.values())
    assert rows["late"]["graded"] == f"{NAME}.ipynb"
    assert all(float(row["marks"]) == 0 for name, row in rows.items() if name != "late")
    assert "no notebook of 02_boxes was handed in, but" in rows["otto"]["messages"]


def test_what_is_said(term):
    rows = table(term, NAME)
    for student, words in {
        "Jörg Müller": f"{NAME} (1).ipynb was graded, the newest with answers; not {NAME}.ipynb",
        "late": "matched by content",
        "late.ipynb": "what was written elsewhere is shown in it",
        "mia": "cannot be read",
        "=eve": "`expected_topk` is not defined",  # her own transformer ate it
        "otto": "the check took too long",
    }.items():
        assert words in rows[student]["messages"], student
    assert rows["Jörg Müller"]["graded"] == f"{NAME} (1).ipynb"
    assert rows["mia"]["graded"] == f"mia.zip/{NAME}-mine.IPYNB"
    assert all(row["saved"] for row in rows.values())
    assert len({row["feedback"] for row in rows.values()}) == len(rows)


def test_who_waits(term):
    waits = {n for n, row in table(term, NAME).items() if row["to_mark_by_hand"]}
    assert waits == {"Jörg Müller", "late", "late.ipynb", "mia", "otto", "=eve"}
    waiting = table(term, NAME)["late.ipynb"]["feedback"]
    assert WORDS in (term / "week1-graded" / waiting).read_text(encoding="utf-8")


def test_marks_by_hand_were_fetched_and_forged_ones_were_not(term):
    rows = table(term, NAME)
    assert (rows["Ann B"]["marks"], rows["Ann B"]["to_mark_by_hand"]) == ("19", "")
    assert rows["=eve"]["marks"] == "0"
    assert "=eve: the gradebook held other marks" in (term / "1.log").read_text(encoding="utf-8")
    assert (term / "ran-again").read_text(encoding="utf-8") == "False"
    page = (term / "week1-graded" / rows["Ann B"]["feedback"]).read_text(encoding="utf-8")
    assert "Well seen." in page
    assert "<code>p[i][j]</code>" in page


def test_the_folder_of_marks_is_no_part_of_a_repository(term):
    assert (term / "week1-graded/.gitignore").read_text(encoding="utf-8") == "*\n"
    from grading.batch import folder_of_marks

    assert folder_of_marks(ROOT / "week1") == Path.home() / "cvcourse-marks/week1-graded"
    assert folder_of_marks(term / "week1") == term / "week1-graded"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    a_term(place)
    for log in ("0.log", "1.log"):
        print((place / log).read_text(encoding="utf-8"))
    for assignment in (NAME, OTHER):
        for student, row in table(place, assignment).items():
            columns = ("marks", "out_of", "to_mark_by_hand", "failed_checks", "graded", "messages")
            print(assignment[:2], student, *(row[c][:90] for c in columns), sep=" | ")
