"""What a teacher opens is true and harmless: Formgrader, the feedback page, the file of marks."""

import copy
import json
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from grading import feedback
from grading.assignment import SOURCE
from grading.batch import _alphabetical, _plain
from grading.examine import Result
from grading.harmless import harmless, typeset
from grading.submission import read, rebuild
from tests.assignments.helpers import cell_of, content, solved

NAME = "01_classification_to_regression"
STUDENT = "Jörg Müller"
SCRIPTS = """<script>alert(1)</script> <img src=x onerror=alert(2)> [click](javascript:alert(3))

[a][b] ![c](javascript:alert(4)) <javascript:alert(5)> <a href="JaVaScript:alert(6)">x</a>
<svg onload=alert(7)> <iframe src="//x"></iframe> <style>@import "//x"</style>
![track](https://example.org/pixel.png) [data](data:text/html;base64,PHNjcmlwdD4=)

[b]: java&#115;cript:alert(8)
"""
ANSWER = "I sort `boxes[i][j]` while `a<b`, and $x<y$; see [there](https://example.org)."
FILE = "[see here](javascript:alert(9))<img src=x onerror=alert(10)>.ipynb"


def result_of(assignment) -> Result:
    """As it comes from `examine`: one check of each exercise failed."""
    notebook = solved(assignment)
    cell_of(notebook, "experiment-answer").source = ANSWER
    notebook.cells.append(nbformat.v4.new_markdown_cell(SCRIPTS))
    notebook.cells.insert(3, nbformat.v4.new_code_cell("import os\nos.mkdir('ran')"))
    built, notes = rebuild(read(content(notebook))[0], assignment)
    passed = dict.fromkeys(assignment.checks, True)
    passed["soft-values"] = passed["topk-ties"] = False
    return Result(
        passed,
        {"soft-values": "wrong for bin 4 of 7", "topk-ties": "k = 2: expected [0.667], got [1.0]"},
        [*notes, f"2 copies were handed in: {FILE} was graded"],
        notebook=dict(built),
        outputs={"set-up": [{"output_type": "stream", "name": "stdout", "text": "<b>1</b>"}]},
        graded=FILE,
        modified="2026-11-02 17:03",
        tried={
            "topk-ties": {"lines": [5, 7], "hidden": False, "values": [["value", "tensor([1.])"]]},
            "soft-values": {"lines": None, "hidden": True, "values": []},
        },
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    from grading.assignment import Assignment
    from grading.marks import Course

    course = Course(tmp_path_factory.mktemp("teacher") / "marks")
    course.root.mkdir()
    course.configure()
    course.add(NAME, SOURCE)
    course.record(Assignment.load(NAME), STUDENT, result_of(Assignment.load(NAME)))
    return course


@pytest.fixture
def formgrader(course, monkeypatch):
    """Formgrader as `jupyter lab` starts it in the folder of marks."""
    from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

    monkeypatch.chdir(course.root)
    extension = FormgradeExtension()
    extension.root_dir = str(course.root)
    extension.initialize([])
    app = SimpleNamespace(settings={})
    extension.init_tornado_settings(app)
    return extension, app.settings


@pytest.mark.parametrize("button", ["autograde", "generate_feedback"])
def test_formgraders_own_buttons_are_refused(button, course, formgrader, load):
    """They would run `submitted/` as the teacher, write marks, and show hidden tests."""
    from nbgrader.apps.api import NbGraderAPI

    extension, settings = formgrader
    api = NbGraderAPI(extension.coursedir, settings["nbgrader_authenticator"], parent=extension)
    graded = course.root / "autograded" / STUDENT / NAME / f"{NAME}.ipynb"
    before = graded.read_bytes(), course.grades(load(NAME), STUDENT)
    for force in (True, False):
        done = getattr(api, button)(NAME, STUDENT, force=force)
        assert not done["success"]
        assert "make grade" in done.get("log", "") + done.get("error", "")
    assert (graded.read_bytes(), course.grades(load(NAME), STUDENT)) == before
    assert not list(course.root.rglob("ran"))
    assert not (course.root / "feedback").exists()


class Seen(HTMLParser):
    """Which elements and attributes are live in a page."""

    def __init__(self, text: str):
        super().__init__()
        self.live: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "iframe", "svg", "style", "object", "embed", "base", "form"):
            self.live.append(tag)
        for name, value in attrs:
            shown = "".join((value or "").split()).lower()
            if name.startswith("on") or "javascript:" in shown or shown.startswith("data:text"):
                self.live.append(f"{tag} {name}={value}")
            if tag == "img" and name == "src" and not shown.startswith("data:image/"):
                self.live.append(f"img src={value}")


def test_formgrader_shows_no_live_html_of_a_students(course, formgrader):
    _, settings = formgrader
    path = course.root / "autograded" / STUDENT / NAME / f"{NAME}.ipynb"
    resources = {"submission_id": "1", "index": 0, "total": 1, "base_url": "", "student": STUDENT}
    page, _ = settings["nbgrader_exporter"].from_filename(str(path), resources=resources)
    body = page[page.index("<body") :]
    own = {"script"}  # of Formgrader, in its navigation
    assert set(Seen(body[body.index("notebook-container") :]).live) <= own
    assert body.count("<script") == body[: body.index("notebook-container")].count("<script")
    assert "alert(3)" in harmless(typeset(SCRIPTS)) or "click" in body
    assert "<code>boxes[i][j]</code>" in body
    assert "$x&lt;y$" in body
    assert "&#93;" not in body


def test_the_filter_itself_finds_what_is_live():
    assert len(Seen(typeset(SCRIPTS)).live) >= 8
    assert Seen(harmless(typeset(SCRIPTS))).live == []


def test_marks_of_checks_never_come_from_the_gradebook(course, load):
    from nbgrader.api import Gradebook

    from grading.marks import earned

    assignment, result = load(NAME), result_of(load(NAME))
    fair = sum(points for name, points in assignment.checks.items() if result.passed[name])
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", "cvcourse") as book:
        for name in assignment.checks:
            book.find_grade(name, NAME, NAME, STUDENT).auto_score = 99
        book.db.commit()
    marks = earned(assignment, result, course.grades(assignment, STUDENT))
    assert sum(marks[name]["score"] for name in assignment.checks) == fair
    assert set(course.differences(assignment, STUDENT, result)) == set(assignment.checks)
    course.record(assignment, STUDENT, result)
    assert not course.differences(assignment, STUDENT, result)


# The page for the student


@pytest.fixture(scope="module")
def page(course):
    from grading.assignment import Assignment

    assignment = Assignment.load(NAME)
    grades = course.grades(assignment, STUDENT)
    return feedback.page(assignment, result_of(assignment), grades, STUDENT)


def test_the_page_runs_nothing_of_the_students(page):
    live = Seen(page).live
    assert [what for what in live if what not in ("script", "style")] == []
    assert live.count("script") == 2, "the formulas' own, with a nonce"
    assert page.count('nonce="') == 2
    assert "script-src 'nonce-" in page
    assert "alert(1)" in page, "shown as text"


def test_the_page_shows_answers_as_they_were_written(page):
    assert "<code>boxes[i][j]</code>" in page
    assert "<code>a&lt;b</code>" in page
    assert "$x&lt;y$" in page
    assert "&#93;" not in page
    assert '<a href="https://example.org">there</a>' in page


def test_the_page_is_one_to_learn_from(page, load):
    assert "14 of 20 points" not in page
    assert "12 of 20 points, 4 still to be marked by your teacher" in page
    assert "0.0 / 4.0" not in page
    assert "Test cell" not in page
    assert page.count("✗ not yet right") == 2
    assert page.count("✓ right") == len(load(NAME).checks) - 2
    assert "? of 4" in page
    seen, hidden = (
        page.split(f'id="{key}"')[1].split("</section>")[0] for key in ("topk-ties", "soft-values")
    )
    assert "k = 2: expected [0.667], got [1.0]" in seen
    assert "tensor([1.])" in seen
    assert "What was tried, and what is expected" in seen
    assert "are you breaking ties" in seen
    assert "without sorting" in seen, "the hint of this exercise"
    assert f"lessons/{NAME}.ipynb" in seen
    assert "wrong for others that are not shown" in hidden
    assert "math.exp" not in page, "hidden tests stay hidden"
    assert "<summary>Hint</summary>" not in page
    assert page.count("<details") == page.count("</details>")
    assert STUDENT in page
    assert "&lt;img src=x onerror=alert(10)&gt;.ipynb" in page


def test_comments_and_marks_of_the_teacher_are_on_the_page(load):
    assignment = load(NAME)
    grades = {
        "experiment-answer": {"by_hand": 3.0, "extra": None, "waits": False, "comment": "Well <i>"},
        "soft-values": {"by_hand": 1.0, "auto": 0.0, "extra": None, "waits": False},
    }
    page = feedback.page(assignment, result_of(assignment), grades, STUDENT)
    assert "16 of 20 points" in page
    assert "Well &lt;i&gt;" in page
    assert "3 of 4" in page
    assert "(marked by your teacher)" in page


def test_nothing_to_grade_has_a_page_as_well(load):
    result = Result.nothing(load(NAME), "the notebook is an empty file")
    page = feedback.page(load(NAME), result, {}, STUDENT)
    assert "0 of 20 points" in page
    assert "nothing could be graded: the notebook is an empty file" in page


def test_slow_formulas_are_shown_as_typed():
    """Each of these takes a parser of formulas minutes."""
    notebook = nbformat.v4.new_notebook()
    for number, text in enumerate(("$" * 40_000, "\\begin{a}" * 4_000, "x" * 60_000, "[" * 9_000)):
        notebook.cells.append(nbformat.v4.new_markdown_cell(text, id=f"own-{number}"))
    notebook.cells.append(nbformat.v4.new_markdown_cell("$x$", id="own-9"))
    tamed = copy.deepcopy(notebook)
    begun = time.process_time()
    feedback.tame(tamed)
    for cell in tamed.cells:
        typeset(cell.source)
    assert time.process_time() - begun < 15
    assert tamed.cells[2].source.startswith("```text\n")
    assert tamed.cells[4].source in ("$x$", "```text\n$x$\n```")


# The file of marks


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1+cmd|x", "@x", "\t=1", "\uff1d1+1", "a;=1+1", 'a; "=1', "a\n=1"),
        "x;\uff20y",
    ],
)
def test_no_spreadsheet_takes_text_for_a_formula(text):
    plain = _plain(text)
    assert plain != text
    for part in plain.replace("\n", ";").replace("\t", ";").split(";"):
        assert part.strip(" \"'")[:1] not in "=+-@＝＋－＠" or "'" in part or not part.strip()


def test_plain_text_stays():
    for text in ("Ann-Marie", "a = b", "cell topk: k = 2, got [-1]", "1; 2"):
        assert _plain(text) == text


def test_students_are_sorted_as_people_sort():
    names = ["Zoë", "Ärne", "anna", "Bert", "Östen", "s10", "s9", "Anna"]
    assert sorted(names, key=_alphabetical) == [
        "Anna", "anna", "Ärne", "Bert", "Östen", "s9", "s10", "Zoë"
    ]  # fmt: skip


@pytest.mark.parametrize("user", [0, 1000])
def test_formgrader_opens_where_its_configuration_lies(user, tmp_path, monkeypatch, capsys):
    from grading import __main__ as commands

    called = []
    monkeypatch.setattr(commands.subprocess, "call", lambda words: called.append(words) or 0)
    monkeypatch.setattr(commands.os, "geteuid", lambda: user)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "week1").mkdir()
    assert commands.open_formgrader(tmp_path / "week1", None) == 2
    assert "call  make grade  first" in capsys.readouterr().err
    (tmp_path / "week1-graded").mkdir()
    (tmp_path / "week1-graded/gradebook.db").touch()
    assert commands.open_formgrader(tmp_path / "week1", None) == 0
    assert Path.cwd() == tmp_path / "week1-graded"
    assert called[0][1:4] == ["-m", "jupyter", "lab"]
    assert ("--allow-root" in called[0]) == (user == 0)


def test_a_result_survives_its_file(load):
    result = result_of(load(NAME))
    from dataclasses import asdict

    assert asdict(Result(**json.loads(json.dumps(asdict(result))))) == asdict(result)
