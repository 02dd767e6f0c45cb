"""Printing on machines whose encoding lacks a character, and files there."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvcourse.classroom.printing import say, show_any_character

LESSON = """
from cvcourse.classroom import begin
run = begin("Größer 05 — σ", seed=3)
run.claim("größer ist ≥ 3 σ", better=4, than=3)
print("plain: 你好 ✓")
"""
ROOT = Path(__file__).parents[2]
ENCODINGS = ["cp1251", "cp1250", "cp1252", "cp932", "cp949", "big5", "gbk", "ascii", "utf-8"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("plain", [False, True])
def test_what_an_encoding_lacks_is_shown_as_its_code(monkeypatch, encoding, plain):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    text = "größer · σ ≥ ± ✓ 你好 \U0001f600"
    if plain:
        show_any_character()
        print(text)
    else:
        say(text)
    stream.flush()
    shown = "".join(
        c if can(c, encoding) else c.encode("ascii", "backslashreplace").decode() for c in text
    )
    assert stream.buffer.getvalue().decode(encoding) == shown + "\n"


def can(character, encoding):
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_streams_that_are_no_files(monkeypatch):
    """As in a notebook, where standard output cannot be set to anything."""

    class Stream:
        text = ""

        def write(self, text):
            self.text += text

    monkeypatch.setattr(sys, "stdout", Stream())
    show_any_character()
    say("größer")
    assert sys.stdout.text == "größer\n"


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp1251"},
    ],
    ids=["locale C", "cp1251"],
)
def test_a_lesson_in_a_locale_without_its_characters(tmp_path, settings):
    environment = {
        **os.environ,
        **settings,
        "CVCOURSE_DEVICE": "cpu",
        "CVCOURSE_RECORDS": str(tmp_path / "records"),
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "agg",
    }
    (tmp_path / "lesson.py").write_text(LESSON, encoding="utf-8")
    command = [sys.executable, "-X", "warn_default_encoding", tmp_path / "lesson.py"]
    done = subprocess.run(command, env=environment, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")
    (path,) = (tmp_path / "records").iterdir()
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["title"] == "Größer 05 — σ"
    assert record["claims"][0]["sentence"] == "größer ist ≥ 3 σ"
    told = done.stdout.decode(settings.get("PYTHONIOENCODING", "ascii"))
    first, claim, plain = told.splitlines()
    assert first.startswith("Gr\\xf6\\xdfer 05")
    assert claim.startswith("\\u2713 gr\\xf6\\xdfer ist")
    assert plain == r"plain: \u4f60\u597d \u2713"
    assert b"EncodingWarning" not in own(done.stderr)


def own(warnings):
    """Those of this course: other packages open their own files as they like."""
    lines = warnings.splitlines()
    return b"\n".join(line for line in lines if b"cvcourse" in line)
