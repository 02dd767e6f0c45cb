"""The hidden cell of the notebooks for Colab, with a stand-in for `google.colab`."""

import json
import os
import subprocess
import sys
import types

import nbformat
import pytest

from scripts.pages import cards, colab
from tests.lessons.notebooks import LESSONS


@pytest.fixture
def ran(monkeypatch):
    """What the cell would have run, and where it would have gone."""
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append((command, check)))
    monkeypatch.setattr(os, "chdir", calls.append)
    return calls


def run_cell():
    exec(compile(colab.cell_source("v9.9.9", "https://example.org/course"), "cell", "exec"), {})


def test_elsewhere_it_does_nothing(ran):
    assert "google.colab" not in sys.modules
    run_cell()
    assert ran == []


def test_on_colab_it_installs_the_notebook_s_release_and_goes_to_its_lessons(ran, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    run_cell()
    (clone, clone_checked), (install, install_checked), place = ran
    assert clone == [
        "git", "clone", "--quiet", "--depth", "1", "--branch", "v9.9.9",
        "https://example.org/course", "/content/cvcourse",
    ]  # fmt: skip
    assert install == [
        sys.executable, "-m", "pip", "install", "--quiet", "/content/cvcourse[lessons]",
    ]  # fmt: skip
    assert clone_checked
    assert install_checked
    assert place == "/content/cvcourse/lessons"


def test_run_again_it_installs_nothing(ran, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(os.path, "isdir", lambda path: path == "/content/cvcourse")
    run_cell()
    assert ran == ["/content/cvcourse/lessons"]


def test_notebooks(tmp_path):
    card = cards.read_card(LESSONS[0])
    colab.write_notebooks([card], tmp_path)
    notebook = nbformat.read(tmp_path / card.path.name, as_version=4)
    nbformat.validate(notebook)
    first, *others = notebook.cells
    assert first.metadata == {"cellView": "form"}
    before = json.loads(card.path.read_text(encoding="utf-8"))["cells"]
    assert [cell.id for cell in others] == [cell["id"] for cell in before]
