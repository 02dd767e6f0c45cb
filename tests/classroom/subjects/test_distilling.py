import matplotlib.pyplot as plt
import pytest
import torch

from cvcourse.classroom import begin
from cvcourse.classroom.subjects.distilling import draw_answers, small_pictures
from cvcourse.data import digits
from tests.data.tiny import write_cifar


def test_digits_at_scale_small(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    monkeypatch.setenv("CVCOURSE_SCALE", "small")
    parts = small_pictures(begin("15 A", seed=0, minutes=1))
    for split, (images, labels) in parts.items():
        assert torch.equal(images, digits.load(split)[0])
        assert torch.equal(labels, digits.load(split)[1])
    assert "data: digits, 1,157 train, 258 val, 382 test" in capsys.readouterr().out


def test_cifar_at_scale_full_where_it_is(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    write_cifar(folder)
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    monkeypatch.setenv("CVCOURSE_SCALE", "full")
    parts = small_pictures(begin("15 A", seed=0, minutes=1))
    assert {k: len(labels) for k, (_, labels) in parts.items()} == {
        "train": 14, "val": 1, "test": 3,
    }  # fmt: skip
    assert parts["train"][0].shape == (14, 3, 32, 32)
    raw = (folder / "data_batch_5.bin").read_bytes()[2 * 3073 :]  # the last training picture
    assert parts["val"][1].item() == raw[0]
    pixels = (parts["val"][0] * 255).round().flatten().tolist()
    assert pixels == list(raw[1:])
    assert "data: CIFAR-10" in capsys.readouterr().out


def test_bars_are_the_softmax_at_each_temperature():
    figure, cells = plt.subplots(1, 3)
    logits = torch.tensor([2.0, 0.0, 1.0])
    draw_answers(cells, torch.zeros(1, 8, 8), logits, (1, 2), title="a 0", marked=2)
    for cell, T in zip(cells[1:], (1, 2), strict=True):
        powers = [2.718281828 ** (x / T) for x in (2, 0, 1)]
        heights = [bar.get_height() for bar in cell.patches]
        assert heights == pytest.approx([x / sum(powers) for x in powers], abs=1e-6)
        assert cell.get_title() == f"T = {T}: “2” gets {powers[2] / sum(powers):.2f}"
        assert cell.patches[2].get_facecolor() != cell.patches[0].get_facecolor()
    plt.close(figure)
