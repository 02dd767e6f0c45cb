"""`make rehearse`, on a lesson of five cells."""

import nbformat
import pytest

from cvcourse.data import real
from scripts import rehearse

CELLS = """\
from cvcourse.classroom import begin, fit
from cvcourse.data import real
run = begin("91 A lesson", seed=5)
data = real.find("oxford_pet") if run.scale == "full" else None
---
import torch
model = torch.nn.Linear(1, 1)
history = fit(model, [torch.ones(2, 1)] * 9, lambda m, x: m(x).mean(), epochs=2, progress=False)
---
run.claim("the seed is small", lower=run.seed, than=1, pets=0 if data is None else 1)
run.claim("training took all its steps", value=len(history), equals=18, tolerance=0)
---
wrong = {}[run.scale]
---
run.claim("the lesson went on", holds=run.scale == "small" or len(history) == 2)
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    path = tmp_path / "91_a_lesson.ipynb"
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(
        CELLS.split("---\n")
    )]  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(rehearse, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(rehearse, "LESSONS", [path])
    return path


def test_lines(lesson, capfd):
    assert rehearse.main(["91"]) == 1
    said = capfd.readouterr().out
    assert "91_a_lesson: 1 cells raised, 3 claims skipped" in said
    assert "cell-3: KeyError: 'full'" in said
    assert "---> 1 wrong = {}[run.scale]" in said


def test_claims(lesson, capfd):
    assert rehearse.main(["91", "--seeds", "0", "1"]) == 1
    said = capfd.readouterr().out
    assert "91_a_lesson: 1 claims do not hold for all of seeds [0, 1]" in said
    assert "  the seed is small\n    0: holds (lower 0, than 1, margin 0, pets 0)\n" in said
    assert "    1: does not hold (lower 1, than 1, margin 0, pets 0)\n" in said
    assert "training took" not in said
    assert "seed 1, cell-3: KeyError: 'small'" in said


def test_unknown_lesson(lesson, capsys):
    with pytest.raises(SystemExit):
        rehearse.main(["92"])
    assert "there is no lesson 92" in capsys.readouterr().err


def test_claims_that_not_every_seed_makes():
    claims = {0: [{"sentence": "a", "holds": True}], 1: []}
    assert rehearse.compared(claims) == ["not as many claims with each seed: 1 with 0, 0 with 1"]
    skipped = {"sentence": "a", "holds": None, "skipped": "no data"}
    assert rehearse.compared({0: [skipped], 1: [{"sentence": "a", "holds": True}]}) == []


def test_tiny_data_are_found_and_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    for name, write in rehearse.DATA.items():
        write(tmp_path / name)
        assert real.find(name) == tmp_path / name
    voc = tmp_path / "pascal_voc" / "VOCdevkit" / "VOC2012"
    sets = [
        (real.Coco(tmp_path / "coco", "train2017"), real.Coco(tmp_path / "coco", "val2017")),
        (real.VocDetection(voc, "train"), real.VocDetection(voc, "val")),
        (real.VocSegmentation(voc, "train"), real.VocSegmentation(voc, "val")),
        (real.OxfordPet(tmp_path / "oxford_pet", "trainval"),
         real.OxfordPet(tmp_path / "oxford_pet", "test")),
    ]  # fmt: skip
    for train, test in sets:
        assert (len(train), len(test)) == (16, 4)
        assert len(test[3][1]["boxes"]) > 0
    assert len(real.Cifar10(tmp_path / "cifar10" / "cifar-10-batches-bin")) == 150
    assert len(real.Mnist(tmp_path / "mnist")) == 400
    assert len(real.Svhn(tmp_path / "svhn", "test")) == 20
    assert len(real.Stl10(tmp_path / "stl10" / "stl10_binary", "unlabeled")) == 50
    assert len(real.Omniglot(tmp_path / "omniglot", "evaluation")) == 400
    assert len(real.Ucf101(tmp_path / "ucf101", "test")) == 2
    assert len(real.CamVid(tmp_path / "camvid", "val")) == 4
    assert len(real.Afhq(tmp_path / "afhq", "val")) == 12
    assert len(real.CelebA(tmp_path / "celeba", "val")) == 4
    assert len(real.VimeoTriplets(tmp_path / "vimeo", "test")) == 2
