import json

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.classroom import History, begin, records, repeated, trained
from cvcourse.classroom.training.repeated import folder
from cvcourse.classroom.training.weights import folder as weights_folder

ROWS = [{"step": 1, "epoch": 0, "lr": 0.1, "loss": 1.0}]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "course", lambda: tmp_path)
    monkeypatch.delenv("CVCOURSE_WEIGHTS", raising=False)
    return begin("04 One stage", seed=3)


@pytest.fixture
def measure(run, monkeypatch):
    """Calls `repeated` with `CVCOURSE_WEIGHTS` as given; `measure.seeds` are those measured."""

    def call(choice="", name="losses", once=None, **options):
        monkeypatch.setenv("CVCOURSE_WEIGHTS", choice)

        def usual(seed):
            call.seeds.append(seed)
            return {"focal": torch.rand(()), "cross-entropy": 0.1 + seed}

        return repeated(run, name, once or usual, **options)

    call.seeds = []
    return call


def table():
    return json.loads((folder() / "04-losses.json").read_text(encoding="utf-8"))


def change(**entries):
    (folder() / "04-losses.json").write_text(json.dumps(table() | entries), encoding="utf-8")


def drawn(seed):
    return torch.rand((), generator=torch.Generator().manual_seed(seed)).item()


def test_what_was_measured_is_read(measure, capsys):
    measured = measure("save")
    assert measure.seeds == [0, 1, 2]
    read = measure()
    assert measure.seeds == [0, 1, 2]
    for values in (measured, read):
        assert list(values) == ["focal", "cross-entropy"]
        assert values["focal"].tolist() == [drawn(0), drawn(1), drawn(2)]
        assert values["cross-entropy"].tolist() == [0.1, 1.1, 2.1]
        assert values["focal"].dtype == np.float64
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == (
        "04-losses: seeds 0, 1, 2 were measured by this cell in 0.0 minutes of one CPU core with "
        f"torch {torch.__version__}; CVCOURSE_WEIGHTS=train measures anew"
    )


def test_table_tells_how_it_was_made(measure):
    measure("save", seeds=(5, 4))
    assert table().keys() == {"seeds", "values", "cpu_seconds", "torch"}
    assert table()["seeds"] == [5, 4]
    assert table()["values"]["cross-entropy"] == [5.1, 4.1]
    assert 0 <= table()["cpu_seconds"] < 10
    assert table()["torch"] == torch.__version__


def test_the_first_seed_stands_for_all_in_a_rehearsal(measure, monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    measured = measure("train", seeds=(4, 5, 6))
    assert measure.seeds == [4]
    assert measured["focal"].tolist() == [drawn(4)] * 3
    measure("save", seeds=(4, 5, 6))
    assert not folder().exists()  # no table of numbers that were not measured


def test_measures_here_where_asked(measure):
    measure("train")
    assert measure.seeds == [0, 1, 2]
    assert not folder().exists()


def test_measures_at_scale_full_and_writes_nothing(measure, run):
    run.scale = "full"
    for choice in ("", "save"):
        measure(choice)
    assert measure.seeds == [0, 1, 2] * 2
    assert not folder().exists()


def test_only_the_first_process_writes(measure, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    measure("save")
    assert measure.seeds == [0, 1, 2]
    assert not folder().exists()


def test_the_lesson_goes_on_alike(measure):
    for choice in ("save", "", "train"):
        measure(choice)
        assert torch.rand(()).item() == drawn(3)


class TestTrainedInside:
    @staticmethod
    def once(run, calls):
        def measured(seed):
            model = nn.Linear(1, 1)

            def train():
                calls.append(seed)
                nn.init.constant_(model.weight, seed)
                return History(ROWS)

            trained(run, f"net-{seed}", model, train)
            return {"weight": model.weight.item()}

        return measured

    def test_trains_and_writes_nothing(self, measure, run):
        calls = []
        values = measure("save", once=self.once(run, calls))
        assert calls == values["weight"].tolist() == [0, 1, 2]
        assert not weights_folder().exists()
        assert table()["values"] == {"weight": [0, 1, 2]}

    def test_writes_where_asked(self, measure, run):
        measure("save", once=self.once(run, []), weights=True)
        names = sorted(path.name[:8] for path in weights_folder().iterdir())
        assert names == ["04-net-0", "04-net-1", "04-net-2"]

    def test_afterwards_trained_writes_again(self, measure, run):
        with pytest.raises(ZeroDivisionError):
            measure("save", once=lambda seed: 1 / seed)
        trained(run, "net", nn.Linear(1, 1), lambda: History(ROWS))
        assert len(list(weights_folder().iterdir())) == 1


def test_missing(measure):
    remedy = r"no table .*04-losses\.json; make it with data_scripts/lesson_weights.py 04"
    with pytest.raises(FileNotFoundError, match=remedy):
        measure()


@pytest.mark.parametrize(
    "entries",
    [
        {"values": {}},
        {"values": {"focal": [0.5, 0.5]}},
        {"values": {"focal": [0.5, 0.5, None]}},
        {"values": {"focal": [0.5, 0.5, float("nan")]}},
        {"values": [0.5, 0.5, 0.5]},
        {"cpu_seconds": None},
        {"seeds": 3},
        {"more": 1},
    ],
)
def test_damaged(measure, entries):
    measure("save")
    change(**entries)
    with pytest.raises(ValueError, match=r"04-losses\.json is damaged; make it anew with"):
        measure()


@pytest.mark.parametrize("text", ["", "[]", '{"seeds": [0, 1, 2]}'])
def test_not_a_table(measure, text):
    measure("save")
    (folder() / "04-losses.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        measure()


def test_other_seeds(measure):
    measure("save")
    with pytest.raises(ValueError, match=r"holds seeds \[0, 1, 2\], asked for are \[0, 1\]; make"):
        measure(seeds=(0, 1))


@pytest.mark.parametrize(
    ("once", "told"),
    [
        (lambda seed: 0.5, "numbers by name, but gave 0.5"),
        (lambda seed: {}, "numbers by name"),
        (lambda seed: {f"seed {seed}": 1}, "same names for each seed, .* for seed 1 seed 1"),
        (lambda seed: {"AP": float("nan")}, "AP is nan for seed 0"),
    ],
)
def test_what_once_must_give(measure, once, told):
    with pytest.raises(ValueError, match=told):
        measure("save", once=once)
    assert not folder().exists()


@pytest.mark.parametrize("seeds", [(), (0, 0), (0.5,), (True, 2)])
def test_bad_seeds(measure, seeds):
    with pytest.raises(ValueError, match="seeds must be different whole numbers"):
        measure(seeds=seeds)


def test_bad_arguments(measure):
    with pytest.raises(ValueError, match="name must be lower-case words"):
        measure(name="../up")
    with pytest.raises(ValueError, match="must be 'train' or 'save', not 'yes'"):
        measure("yes")
