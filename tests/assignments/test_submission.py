"""What lies in a folder of submissions is found, read and rebuilt, whatever it is."""

import io
import json
import os
import re
import zipfile

import nbformat
import pytest

from grading.assignment import key_of
from grading.collect import LARGEST, Collected, File, Submission, safe, shown
from grading.submission import Unreadable, belongs, clean, is_answered, read, rebuild
from tests.assignments.helpers import NAMES, cell_of, content, solved, without_experiments

NAME = "01_classification_to_regression"


@pytest.fixture
def assignment(load):
    return load(NAME)


@pytest.fixture
def notebook(assignment):
    return content(solved(assignment))


def find(folder, assignment):
    return Collected(folder, {assignment.name: assignment}).submissions(assignment.name)


@pytest.mark.parametrize(
    "student", ["anna", "s123456", "A-b_c", "Ann B", "Jörg Müller", "Łukasz Żak-Nowak", "李明"]
)
def test_ordinary_students_keep_their_name(student):
    assert safe(student) == student


@pytest.mark.parametrize(
    "student",
    [
        *("", "..", ".", "a/b", "a  b", " a", "[x]*?", "u\u0308", "=1+1", "x" * 300, "-rf", "a.b"),
        *("\udcff", "a\nb", "Ann_B-1923efbf", "a\u202eb"),
    ],
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
    assert found.pop(".hidden").content() == notebook
    good = {"plain", "nbgrader", "renamed", "checkpoint", "loose", "several", "stripped"}
    assert set(found) == good | {"empty", "other"}
    for student in good - {"stripped"}:
        assert found[student].content() == notebook, student
    assert found["stripped"].file.path == tmp_path / "stripped/final.ipynb"
    assert found["several"].file.path == tmp_path / f"several/{NAME}.ipynb"
    assert found["empty"].trouble == f"no notebook was handed in for {NAME}"
    assert found["other"].trouble == (
        f"no notebook of {NAME} was handed in, but lesson.ipynb (which is none of the course's)"
    )
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
        Submission("x", "x", File(tmp_path / "gone.ipynb", "gone.ipynb")).content()


# What belongs to whom


def test_two_students_never_share_a_key(assignment, notebook, tmp_path):
    names = ["Ann B", safe("Ann/B"), "Ann_B", "late", "LATE", "Jörg", "Jo\u0308rg"]
    for name in names:
        (tmp_path / name).mkdir()
    for loose in ("late.ipynb", "late.IPYNB", "alone.ipynb"):
        (tmp_path / loose).write_bytes(notebook)
    found = find(tmp_path, assignment)
    assert len(found) == len(names) + 3
    assert len({s.key for s in found}) == len({s.student for s in found}) == len(found)
    students = {s.student for s in found}
    assert {"late", "late.ipynb", "late.IPYNB", "alone"} <= students
    assert safe("Ann B") != safe(safe("Ann/B")) != safe("Ann/B")


@pytest.fixture
def every(load):
    return {name: load(name) for name in NAMES}


def stripped(notebook) -> bytes:
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"{number:08x}"
    return content(notebook)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_belongs_to_the_assignment_that_it_holds(name, load, every):
    """Whatever its file is called, with names and without, answered and not."""
    other = NAMES[(NAMES.index(name) + 1) % len(NAMES)]
    for raw in (content(solved(load(name))), stripped(solved(load(name)))):
        assert belongs(read(raw)[0], every, other) == name
    only_answers = solved(load(name))
    only_answers.cells = [c for c in only_answers.cells if c.cell_type == "code"]
    assert belongs(read(content(only_answers))[0], every) == name
    assert not is_answered(read(content(load(name).release))[0], load(name))
    assert is_answered(read(content(solved(load(name))))[0], load(name))


def test_another_assignment_under_this_name_is_graded_as_what_it_is(load, every, tmp_path):
    (tmp_path / "mia").mkdir()
    (tmp_path / f"mia/{NAME}.ipynb").write_bytes(content(solved(load("02_boxes"))))
    (tmp_path / "mia/homework.ipynb").write_bytes(content(solved(load(NAME))))
    collected = Collected(tmp_path, every)
    assert collected.names() == [NAME, "02_boxes"]
    (first,) = collected.submissions(NAME)
    assert first.file.shown == "homework.ipynb"
    (second,) = collected.submissions("02_boxes")
    assert second.file.shown == f"{NAME}.ipynb"
    assert second.notes == (f"{NAME}.ipynb holds 02_boxes, and was graded as that",)


def test_copies_all_renamed_are_found_beside_an_exact_name(load, every, tmp_path):
    for student in ("a", "b"):
        (tmp_path / student).mkdir()
        (tmp_path / student / "02_boxes.ipynb").write_bytes(content(solved(load("02_boxes"))))
        (tmp_path / student / "mine (1).ipynb").write_bytes(content(solved(load(NAME))))
    assert Collected(tmp_path, every).names() == [NAME, "02_boxes"]


# Several copies


def put(path, raw: bytes, hours_ago: float = 0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    time = 1.7e9 - 3600 * hours_ago
    os.utime(path, (time, time))


def test_the_newest_readable_copy_with_answers_counts(assignment, notebook, tmp_path):
    later = content(cell_changed(solved(assignment)))
    empty = content(assignment.release)
    put(tmp_path / f"late/{NAME}.ipynb", notebook, 9)
    put(tmp_path / f"late/{NAME} (1).ipynb", later, 1)
    put(tmp_path / f"conflict/{NAME}.ipynb", b"<<<<<<< HEAD\n{}", 1)
    put(tmp_path / f"conflict/{NAME}-mine.ipynb", notebook, 9)
    put(tmp_path / f"again/{NAME}.ipynb", notebook, 9)
    put(tmp_path / f"again/{NAME}-Copy1.ipynb", empty, 1)  # downloaded once more
    put(tmp_path / f"cloned/{NAME}.ipynb", notebook)  # one time for all: the number decides
    put(tmp_path / f"cloned/{NAME} (2).ipynb", later)
    put(tmp_path / f"cloned/{NAME} (1).ipynb", notebook)
    put(tmp_path / f"saved/.ipynb_checkpoints/{NAME}-checkpoint.ipynb", later, 1)
    put(tmp_path / f"saved/{NAME}.ipynb", notebook, 9)
    put(tmp_path / f"only/.ipynb_checkpoints/{NAME}-checkpoint.ipynb", notebook)
    found = {s.student: s for s in find(tmp_path, assignment)}
    chosen = {name: s.file.shown for name, s in found.items()}
    assert chosen == {
        "late": f"{NAME} (1).ipynb",
        "conflict": f"{NAME}-mine.ipynb",
        "again": f"{NAME}.ipynb",
        "cloned": f"{NAME} (2).ipynb",
        "saved": f"{NAME}.ipynb",
        "only": f".ipynb_checkpoints/{NAME}-checkpoint.ipynb",
    }
    assert found["late"].content() == later
    assert "the newest with answers; not" in found["late"].notes[0]
    assert any("cannot be read" in note for note in found["conflict"].notes)
    assert any("an automatic copy" in note for note in found["only"].notes)
    assert found["late"].modified.startswith("2023-11-")


def cell_changed(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("once more"))
    return notebook


# Archives and odd names


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return buffer.getvalue()


def test_archives_are_opened_or_spoken_of(assignment, notebook, tmp_path):
    put(tmp_path / "zip/all.zip", zipped({f"x/y/{NAME}.ipynb": notebook, "__MACOSX/a.ipynb": b""}))
    put(tmp_path / "loose.ZIP", zipped({"mine.IPYNB": notebook}))
    put(tmp_path / "upper.IPYNB", notebook)
    put(tmp_path / "upper2/Homework.IPYNB", notebook)
    put(tmp_path / ".dotted/work.ipynb", notebook)
    put(tmp_path / "rar.rar", b"Rar!")
    put(tmp_path / "tar/work.tar.gz", b"\x1f\x8b")
    put(tmp_path / "broken.zip", b"PK\x03\x04 this was cut off")
    put(tmp_path / "nested.zip", zipped({"inner.zip": zipped({"a.ipynb": notebook})}))
    put(tmp_path / "empty.zip", zipped({"readme.txt": b"hello"}))
    put(tmp_path / "bomb.zip", zipped({"a.ipynb": bytes(LARGEST + 10)}))
    put(tmp_path / "notes.txt", b"")
    (tmp_path / ".idea").mkdir()
    collected = Collected(tmp_path, {NAME: assignment})
    found = {s.student: s for s in collected.submissions(NAME)}
    for student in ("zip", "loose", "upper", "upper2", ".dotted"):
        assert found[student].content() == notebook, student
    assert found["zip"].file.shown == f"all.zip/x/y/{NAME}.ipynb"
    assert "not opened: unpack it, or zip it" in found["rar"].trouble
    assert "not opened: unpack it, or zip it" in found["tar"].trouble
    assert "cannot be unpacked" in found["broken"].trouble
    assert "another archive" in found["nested"].trouble
    assert "holds no notebook" in found["empty"].trouble
    assert "clear its outputs" in found["bomb"].trouble
    assert sorted(collected.ignored) == [".idea", "notes.txt"]


def test_halves_of_characters_cost_nothing(assignment):
    assert clean("a\ud800b\udc00") == "a\ufffdb\ufffd"
    assert clean("\ud83d\ude00") == "\N{GRINNING FACE}"
    raw = json.loads(content(solved(assignment)))
    raw["cells"][2]["source"] = "x = '\ud800'"
    cells, _ = read(json.dumps(raw).encode())
    assert cells[2].text == "x = '\ufffd'"


# Written answers


def written(built):
    return cell_of(built, "experiment-answer")


WORDS = "I think that the mean lies between both modes."


@pytest.mark.parametrize(
    "place",
    ["the question", "a cell of their own", "a raw cell", "a comment", "a string", "prose as code",
     "the check", "beside an emptied answer"],
)  # fmt: skip
def test_an_answer_in_a_wrong_cell_is_shown_to_the_teacher(assignment, place):
    notebook = solved(assignment)
    stub = cell_of(assignment.release, "experiment-answer").source
    cell_of(notebook, "experiment-answer").source = "" if "emptied" in place else stub
    if place == "the question":
        cell_of(notebook, "experiment-3").source += "\n\n" + WORDS
    elif place in ("a cell of their own", "beside an emptied answer"):
        notebook.cells.append(nbformat.v4.new_markdown_cell(WORDS))
    elif place == "a raw cell":
        notebook.cells.append(nbformat.v4.new_raw_cell(WORDS))
    elif place == "a comment":
        cell_of(notebook, "experiment-2").source += f"\n# {WORDS}"
    elif place == "a string":
        notebook.cells.append(nbformat.v4.new_code_cell(f'"""{WORDS}"""'))
    elif place == "prose as code":
        notebook.cells.append(nbformat.v4.new_code_cell(WORDS))
    else:
        cell_of(notebook, "topk-ties").source += f"\n# {WORDS}"
    built, notes = rebuild(read(content(notebook))[0], assignment)
    assert WORDS in written(built).source
    assert cell_of(assignment.release, "experiment-3").source not in written(built).source
    assert any("what was written elsewhere is shown in it" in note for note in notes)


def test_no_text_no_wait(assignment):
    """Code and its comments in exercises are no written answer."""
    notebook = solved(assignment)
    stub = cell_of(assignment.release, "experiment-answer").source
    cell_of(notebook, "experiment-answer").source = stub
    notebook.cells.append(nbformat.v4.new_code_cell("x = 1\nprint(x)"))
    built, _ = rebuild(read(content(notebook))[0], assignment)
    assert written(built).source == stub


PICTURE = "iVBORw0KGgo="


def test_pasted_pictures_stay(assignment):
    notebook = solved(assignment)
    answer = cell_of(notebook, "experiment-answer")
    answer["attachments"] = {"a.png": {"image/png": PICTURE, "text/html": "<script>"}}
    answer.source = "![a](attachment:a.png)"
    own = nbformat.v4.new_markdown_cell("![b](attachment:b.png)")
    own["attachments"] = {"b.png": {"image/png": [PICTURE]}}
    notebook.cells.append(own)
    built, _ = rebuild(read(json.dumps(notebook).encode())[0], assignment)
    assert written(built)["attachments"] == {"a.png": {"image/png": PICTURE}}
    assert built.cells[-1]["attachments"] == {"b.png": {"image/png": PICTURE}}
    nbformat.validate(built)


def test_a_picture_alone_is_an_answer(assignment):
    notebook = solved(assignment)
    stub = cell_of(assignment.release, "experiment-answer").source
    cell_of(notebook, "experiment-answer").source = stub
    cell_of(notebook, "experiment-3")["attachments"] = {"c.png": {"image/png": PICTURE}}
    built, _ = rebuild(read(json.dumps(notebook).encode())[0], assignment)
    assert "![c.png](attachment:c.png)" in written(built).source
    assert written(built)["attachments"] == {"c.png": {"image/png": PICTURE}}
