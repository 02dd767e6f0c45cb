"""A class is graded as a teacher does it: killed half-way, started again, marked by hand."""

import csv
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading import batch
from grading.assignment import RELEASE, SOURCE, Assignment
from grading.batch import Refused
from grading.collect import safe
from tests.assignments import class_of_ten
from tests.assignments.helpers import STRICT, content, solved, without_experiments

ROOT = Path(__file__).parents[2]
NAME = class_of_ten.NAME
PATIENT = ("cpu=3", "cell=300", "call=300", "total=900", "memory=512")


def command(folder: Path) -> list[str]:
    limits = [part for limit in PATIENT for part in ("--limit", limit)]
    return [
        *(sys.executable, "-m", "grading", "grade", str(folder / "week1")),
        *("--to", str(folder / "marked"), "--workers", "2", *limits),
    ]


def descendants(process: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {process}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def finished(folder: Path) -> dict[str, float]:
    return {p.stem: p.stat().st_mtime_ns for p in (folder / f"marked/state/{NAME}").glob("*.json")}


def grade_killed_and_again(folder: Path):
    class_of_ten.make(folder / "week1")
    with open(folder / "first.log", "w", encoding="utf-8") as log:
        first = subprocess.Popen(command(folder), cwd=ROOT, stderr=log, stdout=log)
        deadline = time.monotonic() + 900
        while len(finished(folder)) < 3 and first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        family = descendants(first.pid)
        first.send_signal(signal.SIGKILL)
        first.wait()
    done = finished(folder)
    (folder / "done").write_text("\n".join(f"{k} {v}" for k, v in done.items()), encoding="utf-8")
    while (alive := {p for p in family if is_alive(p)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    (folder / "alive").write_text(str(alive or ""), encoding="utf-8")
    second = subprocess.run(command(folder), cwd=ROOT, capture_output=True, encoding="utf-8")
    (folder / "second.log").write_text(second.stdout + second.stderr, encoding="utf-8")
    assert second.returncode == 0, second.stderr


def is_alive(process: int) -> bool:
    try:
        state = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
        )
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def graded(once):
    return once("class-of-ten", grade_killed_and_again)


@pytest.fixture(scope="module")
def rows(graded):
    with open(graded / f"marked/marks/{NAME}.csv", newline="", encoding="utf-8-sig") as file:
        return {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}


def test_marks_are_as_deserved(rows):
    checks = " ".join(Assignment.load(NAME).checks)
    got = {name: (float(row["marks"]), row["failed_checks"]) for name, row in rows.items()}
    assert got == {
        name: (marks, checks if failed == "all" else failed)
        for name, (marks, failed) in class_of_ten.EXPECTED.items()
    }
    assert {row["out_of"] for row in rows.values()} == {"20"}


def test_who_waits_for_a_mark_by_hand(rows):
    waits = {name for name, row in rows.items() if row["to_mark_by_hand"]}
    assert waits == {"ada", "ben", "dan", "eve", "hana", "=ivo (späť) [2]"}  # eve left some text


def test_messages_say_what_happened(rows):
    for student, words in {
        "ben": "an exponential overflowed, or a logarithm of 0 was taken",
        "cleo": "this exercise is not answered yet",
        "dan": "used more than 3 seconds of processor time",
        "eve": "was changed; the original was used",
        "finn": "not JSON",
        "gus": "no notebook was handed in",
        "hana": "matched by content",
        "=ivo (späť) [2]": "cell topk is there 2 times; the last one counts",
        "jo": "links are not followed",
    }.items():
        assert words in rows[student]["messages"], student
    assert rows["ada"]["messages"] == ""


def test_the_gradebook_says_the_same(graded, rows):
    with sqlite3.connect(graded / "marked/gradebook.db") as book:
        found = book.execute(
            "select s.student_id, sum(g.auto_score) from grade g "
            "join submitted_notebook n on n.id = g.notebook_id "
            "join submitted_assignment s on s.id = n.assignment_id group by s.student_id"
        )
        assert dict(found.fetchall()) == {
            safe(name): marks for name, (marks, _) in class_of_ten.EXPECTED.items()
        }


def test_it_went_on_where_it_was_killed(graded):
    done = dict(line.split() for line in (graded / "done").read_text(encoding="utf-8").splitlines())
    assert len(done) >= 3, (graded / "first.log").read_text(encoding="utf-8")
    now = finished(graded)
    assert {name: now[name] for name in done} == {name: int(t) for name, t in done.items()}
    assert f"{len(done)} of 10 are graded already" in (graded / "second.log").read_text(
        encoding="utf-8"
    )
    assert "10/10" not in (graded / "second.log").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with their parent")
def test_a_killed_grader_leaves_no_process(graded):
    assert (graded / "alive").read_text(encoding="utf-8") == ""


def test_progress_and_protection_are_told(graded):
    log = (graded / "second.log").read_text(encoding="utf-8")
    assert "notebook" in log
    assert log.count("Student code runs with") + log.count("WARNING: this machine cannot") == 1


def test_feedback_is_for_one_student_and_holds_no_hidden_test(graded, rows):
    hidden = "itertools.permutations(range(5))"
    assert hidden in (SOURCE / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    for student, row in rows.items():
        text = (graded / "marked" / row["feedback"]).read_text(encoding="utf-8")
        assert row["feedback"].startswith(f"feedback/{safe(student)}/")
        assert hidden not in text, student
        others = [name for name in ("finn", "hana", "cleo") if name != student]
        assert not any(name in text for name in others), student
    ben = (graded / "marked" / rows["ben"]["feedback"]).read_text(encoding="utf-8")
    assert "logits of ±500 gave" in ben
    gus = (graded / "marked" / rows["gus"]["feedback"]).read_text(encoding="utf-8")
    assert "no notebook was handed in" in gus


def test_feedback_runs_nothing_of_the_students(graded, rows):
    text = (graded / "marked" / rows["eve"]["feedback"]).read_text(encoding="utf-8")
    assert "alert(" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert not re.search(r"""(href|src)\s*=\s*["']?\s*java""", text, re.I)


def test_marks_are_private_and_submissions_untouched(graded):
    assert (graded / "marked").stat().st_mode & 0o077 == 0
    fresh = graded / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    class_of_ten.make(fresh)
    for path in fresh.rglob("*.ipynb"):
        handed_in = graded / "week1" / path.relative_to(fresh)
        if "jo" not in path.parts:
            assert handed_in.read_bytes() == path.read_bytes()
    assert {p.name for p in (graded / "week1").iterdir()} == set(class_of_ten.EXPECTED)


def grade(folder: Path, **options) -> dict[str, dict]:
    options = {"limits": STRICT, "workers": 1} | options
    (path,) = batch.grade(folder / "in", folder / "out", **options)
    with open(path, newline="", encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def mark_by_hand(folder: Path, student: str, marks: float):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/out/gradebook.db", "cvcourse") as book:
        mark = book.find_grade("experiment-answer", NAME, NAME, student)
        mark.manual_score, mark.needs_manual_grade = marks, False
        book.db.commit()


def test_marks_by_hand_and_grading_anew(tmp_path):
    notebook = content(without_experiments(solved(Assignment.load(NAME))))
    (tmp_path / "in/ann").mkdir(parents=True)
    (tmp_path / f"in/ann/{NAME}.ipynb").write_bytes(notebook)
    assert grade(tmp_path)["ann"]["marks"] == "16"

    mark_by_hand(tmp_path, "ann", 3)
    result = tmp_path / f"out/results/{NAME}/ann.json"
    before = result.stat().st_mtime_ns
    row = grade(tmp_path)["ann"]
    assert (row["marks"], row["to_mark_by_hand"]) == ("19", "")
    assert result.stat().st_mtime_ns == before, "only the feedback was written anew"
    assert "3 of 4" in (tmp_path / "out" / row["feedback"]).read_text(encoding="utf-8")

    for folder in (SOURCE, RELEASE):  # the teacher mends a check: all are graded again
        shutil.copytree(folder / NAME, tmp_path / folder.name / NAME)
    path = tmp_path / "source" / NAME / f"{NAME}.ipynb"
    hidden = "### BEGIN HIDDEN TESTS\\n"
    assert hidden in path.read_text(encoding="utf-8")
    path.write_text(
        path.read_text(encoding="utf-8").replace(hidden, hidden + '",\n    "assert False, 1\\n', 1),
        encoding="utf-8",
    )
    row = grade(tmp_path, source=tmp_path / "source", release=tmp_path / "release")["ann"]
    assert row["failed_checks"] == "topk-plain"
    assert (row["marks"], row["to_mark_by_hand"]) == ("18", "experiment-answer")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"submitted": "nowhere"}, "there is no folder"),
        ({"to": "in/marks"}, "cannot lie in the folder of submissions"),
        ({"to": "in"}, "cannot lie in the folder of submissions"),
        ({"only": "99_nothing"}, "there is no assignment 99_nothing"),
        ({}, "no notebook in .* holds an assignment"),
    ],
)
def test_what_is_refused(tmp_path, options, reason):
    (tmp_path / "in/ann").mkdir(parents=True)
    submitted = tmp_path / options.pop("submitted", "in")
    to = tmp_path / options.pop("to", "out")
    with pytest.raises(Refused, match=reason):
        batch.grade(submitted, to, **options)
