"""Every path that a user gives may begin with ~ (data sets: `tests/data/test_real.py`)."""

import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from cvcourse.classroom import annotate, fit, load_best, records
from cvcourse.data.download import fetch, unpack
from cvcourse.models.pretrained import download, load_pretrained

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):  # of Linux and macOS, and of Windows
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "~").exists()


def test_checkpoints(home):
    options = {"steps": 2, "validate": lambda _: 1.0, "keep_best": "lowest", "progress": False}
    model = nn.Linear(2, 1)
    fit(model, [torch.ones(1, 2)], lambda m, x: m(x).sum(), checkpoint="~/run", **options)
    assert (home / "run" / "step-00000002").is_dir()
    assert load_best(model, "~/run") == 1


def test_records(home, monkeypatch):
    monkeypatch.setenv("CVCOURSE_RECORDS", "~/records")
    assert records.folder() == home / "records"


def test_what_is_drawn(home):
    drawing = annotate([torch.zeros(3, 8, 8)], ("background", "cat"), path="~/drawn.json")
    assert drawing.path == home / "drawn.json"
    drawing.editor.save("~/other.json")
    assert (home / "other.json").is_file()


def test_weights(home, monkeypatch):
    model = nn.Linear(2, 1)
    torch.save(model.state_dict(), home / "a.pth")
    load_pretrained(model, "~/a.pth")
    load_pretrained(model, Path("~/a.pth"))
    url = "http://127.0.0.1:9/a.pth"  # nobody answers: what is in the folder is found there
    assert download(url, cache_dir="~") == home / "a.pth"
    monkeypatch.setenv("CVCOURSE_CACHE", "~")
    assert download(url) == home / "a.pth"


def test_downloads_and_archives(home):
    with zipfile.ZipFile(home / "a.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    known = hashlib.sha256((home / "a.zip").read_bytes()).hexdigest()
    assert fetch("http://127.0.0.1:9/a.zip", known, "~") == home / "a.zip"
    assert unpack("~/a.zip", "~/out") == home / "out"
    assert (home / "out" / "a.txt").read_bytes() == b"a"


def test_folder_of_the_data_scripts(home, monkeypatch, capsys):
    file = ROOT / "data_scripts" / "steps.py"
    spec = importlib.util.spec_from_file_location("steps_of_this_test", file)
    steps = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(steps)
    monkeypatch.setattr(sys, "argv", ["coco", "--folder=~/coco"])
    assert steps.run("coco", "", {"none": []}, "none") == (home / "coco", ["none"])
    assert f"coco is in {home / 'coco'}" in capsys.readouterr().out


def test_submissions(home):
    batch = pytest.importorskip("grading.batch", reason="nbgrader comes with extra 'teach'")
    (home / "class").mkdir()
    with pytest.raises(batch.Refused, match=f"no notebook in {home}/class holds an assignment"):
        batch.grade("~/class")
    with pytest.raises(batch.Refused, match="marks cannot lie in the folder of submissions"):
        batch.grade("~/class", "~/class/marks")
