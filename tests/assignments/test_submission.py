"""What lies in a folder of submissions is found, read and rebuilt, whatever it is."""

import json
import os
import re

import nbformat
import pytest

from grading.assignment import key_of
from grading.submission import LARGEST, Submission, Unreadable, find, read, rebuild, safe, shown
from tests.assignments.helpers import NAMES, cell_of, content, solved, without_experiments

NAME = "01_classification_to_regression"


@pytest.fixture
def assignment(load):
    return load(NAME)


@pytest.fixture
def notebook(assignment):
    return content(solved(assignment))


@pytest.mark.parametrize("student", ["anna", "s123456", "A-b_c"])
def test_ordinary_students_keep_their_name(student):
    assert safe(student) == student


@pytest.mark.parametrize(
    "student",
    ["", "..", ".", "a/b", "a b", "[x]*?", "ü", "=1+1", "x" * 300, "-rf", "a.b", "\udcff", "a\nb"],
    ids=repr,
)
def test_odd_students_get_a_safe_name_of_their_own(student):
    name = safe(student)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}", name)
    assert name != safe(student + " ")
    shown(student).encode()


def test_finds_one_submission_a_student(assignment, notebook, tmp_path):
    def put(path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(notebook)

    put(f"plain/{NAME}.ipynb")
    put(f"nbgrader/{NAME}/{NAME}.ipynb")
    put("renamed/my work (2).ipynb")
    put(f"checkpoint/.ipynb_checkpoints/{NAME}.ipynb")
    put(f"checkpoint/{NAME}.ipynb")
    put("loose.ipynb")
    put("stripped/final.ipynb")
    bare = json.loads(notebook)
    for cell in bare["cells"]:
        cell["metadata"] = cell["id"] = None
    (tmp_path / "stripped/final.ipynb").write_text(json.dumps(bare), encoding="utf-8")
    put(f"several/old/{NAME}.ipynb")
    put(f"several/{NAME}.ipynb")
    put(".hidden/x.ipynb")
    put("__MACOSX/x.ipynb")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/lesson.ipynb").write_text('{"cells": []}', encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    found = {s.student: s for s in find(tmp_path, assignment)}
    good = {"plain", "nbgrader", "renamed", "checkpoint", "loose", "several", "stripped"}
    assert set(found) == good | {"empty", "other"}
    for student in good - {"stripped"}:
        assert found[student].content() == notebook, student
    assert found["stripped"].path == tmp_path / "stripped/final.ipynb"
    assert found["several"].path == tmp_path / f"several/{NAME}.ipynb"
    assert found["empty"].trouble == f"no notebook was handed in for {NAME}"
    assert found["other"].trouble == f"no notebook of {NAME} was handed in, but lesson.ipynb"
    with pytest.raises(Unreadable, match="no notebook was handed in"):
        found["empty"].content()


def test_follows_no_links(assignment, notebook, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / f"{NAME}.ipynb").write_bytes(notebook)
    folder = tmp_path / "submitted"
    (folder / "file").mkdir(parents=True)
    (folder / "folder").symlink_to(secret)
    (folder / "file" / f"{NAME}.ipynb").symlink_to(secret / f"{NAME}.ipynb")
    (folder / "inner").mkdir()
    (folder / "inner" / NAME).symlink_to(secret)
    for submission in find(folder, assignment):
        with pytest.raises(Unreadable, match=r"link|cannot be opened|no notebook"):
            submission.content()


def test_waits_for_no_pipe_and_reads_no_huge_file(assignment, tmp_path):
    for student in ("pipe", "huge", "folder"):
        (tmp_path / student).mkdir()
    os.mkfifo(tmp_path / "pipe" / f"{NAME}.ipynb")
    with open(tmp_path / "huge" / f"{NAME}.ipynb", "wb") as file:
        file.truncate(LARGEST + 1)
    (tmp_path / "folder" / f"{NAME}.ipynb").mkdir()
    said = {}
    for submission in find(tmp_path, assignment):
        with pytest.raises(Unreadable) as error:
            submission.content()
        said[submission.student] = str(error.value)
    assert "no ordinary file" in said["pipe"]
    assert "clear its outputs" in said["huge"]
    assert "no notebook was handed in" in said["folder"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty file"),
        (b" \n", "empty file"),
        (b"PK\x03\x04", "not JSON"),
        (b'{"cells": [', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "has no cells"),
        (b"{}", "has no cells"),
        (b'{"cells": 3}', "has no cells"),
        (json.dumps({"cells": [{}] * 2000}).encode(), "2000 cells"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_notebook(raw, reason):
    with pytest.raises(Unreadable, match=reason):
        read(raw)


def test_reads_odd_cells():
    cells, _ = read(
        json.dumps(
            {
                "cells": [
                    3,
                    {"cell_type": "code", "source": ["a\n", 1], "metadata": None, "id": 7},
                    {"cell_type": "raw", "source": None},
                    {"metadata": {"nbgrader": [1]}},
                ]
            }
        ).encode()
    )
    assert [(c.kind, c.text, c.key) for c in cells] == [
        ("code", "a\n1", "7"), ("markdown", "None", ""), ("markdown", "", "")
    ]  # fmt: skip


def notes_on(notebook, assignment):
    cells, notes = read(json.dumps(notebook).encode())
    built, more = rebuild(cells, assignment)
    return notes + more, built


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n").splitlines(keepends=True),
        lambda text: text.replace("\n", "  \n") + "\n\n",
        lambda text: "\n" + text + "\r\n",
    ],
    ids=["Windows", "old Macs", "Windows, as a list", "spaces", "blank lines"],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_editors_do_to_lines_is_no_change(load, name, edit):
    assignment = load(name)
    notebook = json.loads(content(solved(assignment)))
    _, expected = notes_on(notebook, assignment)
    for cell in notebook["cells"]:
        cell["source"] = edit("".join(cell["source"]))
    notes, built = notes_on(notebook, assignment)
    assert notes == []
    for ours, theirs in zip(built.cells, expected.cells, strict=True):
        assert ours.id == theirs.id
        assert [line.rstrip() for line in ours.source.strip().split("\n")] == [
            line.rstrip() for line in theirs.source.strip().split("\n")
        ]
    for cell in notebook["cells"]:  # matched by their contents
        cell["metadata"] = cell["id"] = None
    notes, _ = notes_on(notebook, assignment)
    assert not [note for note in notes if "was changed" in note or "missing" in note]


def test_a_change_among_lines_of_windows_is_still_seen(assignment, notebook):
    told = json.loads(notebook)
    check = next(
        c
        for c in told["cells"]
        if c["metadata"].get("nbgrader", {}).get("grade") is True and c["cell_type"] == "code"
    )
    check["source"] = ("".join(check["source"]) + "\nassert True").replace("\n", "\r\n")
    notes, _ = notes_on(told, assignment)
    key = check["metadata"]["nbgrader"]["grade_id"]
    assert notes == [f"cell {key} was changed; the original was used"]


def test_reads_format_3():
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1"}]}], "nbformat": 3}
    cells, _ = read(json.dumps(old).encode())
    assert [(c.kind, c.text) for c in cells] == [("code", "x = 1")]


def test_another_notebook_is_told_apart(assignment):
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    cells, _ = read(content(lesson))
    with pytest.raises(Unreadable, match="is it the right one"):
        rebuild(cells, assignment)


def test_own_cells_stay_where_they_were(assignment):
    notebook = solved(assignment)
    keys = [key_of(cell) for cell in notebook.cells]
    notebook.cells.insert(keys.index("entropy"), nbformat.v4.new_code_cell("before = 1"))
    notebook.cells.insert(0, nbformat.v4.new_code_cell("first = 1"))
    notebook.cells.append(nbformat.v4.new_markdown_cell("last"))
    built, notes = rebuild(read(content(notebook))[0], assignment)
    sources = [cell.source for cell in built.cells]
    assert sources[0] == "first = 1"
    assert sources[-1] == "last"
    answer = next(cell.source for cell in notebook.cells if key_of(cell) == "entropy")
    assert sources.index("before = 1") + 1 == sources.index(answer)
    assert not notes
    nbformat.validate(built)


def test_the_last_of_two_answers_counts_and_the_first_still_runs(assignment):
    notebook = solved(assignment)
    place = [key_of(cell) for cell in notebook.cells].index("topk")
    first = nbformat.from_dict(notebook.cells[place])
    first.source = "earlier = 1"
    notebook.cells.insert(place, first)
    built, notes = rebuild(read(json.dumps(notebook).encode())[0], assignment)
    sources = [cell.source for cell in built.cells]
    answer = notebook.cells[place + 1].source
    assert sources.count(answer) == 1
    assert sources.index("earlier = 1") < sources.index(answer)
    assert notes == ["cell topk is there 2 times; the last one counts"]


def test_experiments_are_the_students_own(assignment):
    notebook = solved(assignment)
    cell_of(notebook, "experiment-2").source = "changed = 1"
    cell_of(notebook, "experiment-3").source += "\n\nI answer here."
    built, notes = rebuild(read(content(notebook))[0], assignment)
    assert cell_of(built, "experiment-2").source == "changed = 1"
    original = cell_of(assignment.release, "experiment-3").source
    assert cell_of(built, "experiment-3").source == original
    assert sum("I answer here" in cell.source for cell in built.cells) == 1
    built, more = rebuild(read(content(without_experiments(notebook)))[0], assignment)
    assert "experiment-2" not in {key_of(cell) for cell in built.cells}
    assert not notes
    assert not more


def test_a_submission_that_vanishes_is_a_message(tmp_path):
    with pytest.raises(Unreadable, match="cannot be opened"):
        Submission("x", "x", tmp_path / "gone.ipynb").content()
