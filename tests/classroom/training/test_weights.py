import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cvcourse.classroom import (
    History,
    begin,
    records,
    trained,
)
from cvcourse.classroom.training import weights as shared

ROWS = [{"step": i + 1, "epoch": 0, "lr": 0.1, "loss": 1 / (i + 1)} for i in range(25)]
ROWS[17]["accuracy"] = 0.5


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "course", lambda: tmp_path)
    monkeypatch.delenv("CVCOURSE_WEIGHTS", raising=False)
    return begin("04 One stage", seed=3)


@pytest.fixture
def lesson(run, monkeypatch):
    """Calls `trained` on a new model, with `CVCOURSE_WEIGHTS` as given; counts the trainings."""

    def call(choice="", width=2, name="small-net"):
        monkeypatch.setenv("CVCOURSE_WEIGHTS", choice)
        model = nn.Sequential(nn.Linear(width, 2), nn.BatchNorm1d(2))

        def train():
            call.trainings += 1
            torch.rand(call.trainings)
            for parameter in model.parameters():
                nn.init.constant_(parameter, call.trainings)
            return History(ROWS)

        return model, trained(run, name, model, train)

    call.trainings = 0
    return call


def test_what_was_saved_is_loaded(lesson, capsys):
    saved, history = lesson("save")
    loaded, shown = lesson()
    assert lesson.trainings == 1
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert len(history) == 25
    assert [row["step"] for row in shown] == [1, 11, 18, 21]
    assert shown.curve("accuracy") == ([18], [0.5])
    assert "trained by this cell in 0.0 minutes" in capsys.readouterr().out


def test_one_file_named_by_its_hash(lesson):
    lesson("save")
    lesson("save")
    (path,) = shared.folder().iterdir()
    assert path.match(f"04-small-net-{shared._digest(path)}.safetensors")
    assert load_file(path)["0.bias"].tolist() == [2, 2]


def test_stored_in_half_precision_and_read_in_the_models_own(run, monkeypatch):
    monkeypatch.setenv("CVCOURSE_WEIGHTS", "save")
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    model.append(model[1])  # the same layer twice
    nn.init.constant_(model[0].bias, 1 / 3)
    trained(run, "net", model, lambda: History(ROWS))
    (path,) = shared.folder().iterdir()
    stored = load_file(path)
    assert {t.dtype for t in stored.values()} == {torch.float16, torch.int64}
    assert model[0].bias.tolist() == [torch.tensor(1 / 3).half().item()] * 5, "goes on with these"
    monkeypatch.setenv("CVCOURSE_WEIGHTS", "")
    for dtype in (torch.float32, torch.float64):
        other = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)).to(dtype)
        other.append(other[1])
        trained(run, "net", other, lambda: pytest.fail("trained"))
        for name, tensor in other.state_dict().items():
            assert tensor.dtype == (dtype if tensor.is_floating_point() else torch.int64)
            assert torch.equal(tensor, model.state_dict()[name].to(tensor.dtype))


@pytest.mark.parametrize("weight", [1e5, float("nan")])
def test_what_half_precision_cannot_hold_is_not_written(run, monkeypatch, weight):
    model = nn.Linear(1, 1)
    nn.init.constant_(model.bias, weight)
    with pytest.raises(ValueError, match="bias has weights that are no finite numbers in torch"):
        shared.save_shared(model, "04-net", cpu_seconds=1)
    assert not list(shared.folder().glob("*"))


def test_names_that_begin_alike_are_different_files(lesson):
    lesson("save", name="net")
    lesson("save", name="net-two")
    assert len(list(shared.folder().iterdir())) == 2
    assert lesson(name="net")[0][0].bias.tolist() == [1, 1]


def test_weights_of_another_lesson_are_read_and_never_written(lesson, run, monkeypatch, capsys):
    lesson("save")
    files = list(shared.folder().iterdir())
    later = begin("09 Fast", seed=3)
    for choice in ("", "save"):
        monkeypatch.setenv("CVCOURSE_WEIGHTS", choice)
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        trained(later, "small-net", model, lambda: pytest.fail("trained"), lesson="04")
        assert model[0].bias.tolist() == [1, 1]
    assert "trained by lesson 04" in capsys.readouterr().out
    assert list(shared.folder().iterdir()) == files


def test_trains_here_where_asked(lesson):
    lesson("train")
    assert lesson.trainings == 1
    assert not shared.folder().exists()


def test_trains_at_scale_full_and_writes_nothing(lesson, monkeypatch):
    monkeypatch.setenv("CVCOURSE_SCALE", "full")
    model = nn.Linear(1, 1)
    history = trained(begin("04 One stage"), "net", model, lambda: History(ROWS))
    assert len(history) == 25
    assert not shared.folder().exists()


def test_the_lesson_goes_on_alike(lesson):
    lesson("save")
    after_training = torch.rand(3)
    lesson()
    assert torch.equal(torch.rand(3), after_training)


def test_missing(lesson):
    shared.folder().mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"0 files 04-small-net-.* make it anew"):
        lesson()


def test_damaged(lesson):
    lesson("save")
    (path,) = shared.folder().iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ValueError, match="is damaged: its SHA-256"):
        lesson()


def test_another_models(lesson):
    lesson("save")
    with pytest.raises(ValueError, match="another model's weights; make it anew"):
        lesson(width=3)


def test_bad_arguments(lesson):
    with pytest.raises(ValueError, match="name must be lower-case words"):
        lesson(name="../up")
    with pytest.raises(ValueError, match="must be 'train' or 'save', not 'yes'"):
        lesson("yes")
