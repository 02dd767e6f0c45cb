import json
import shutil

import pytest
import torch
from torch import nn

from cvcourse.classroom import fit, load_best
from cvcourse.classroom.training import checkpoint as checkpoints
from tests.classroom import tiny


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    model, history = tiny.train(folder, keep_best="lowest")
    return folder, model, history


@pytest.fixture
def trained(_trained, tmp_path):
    """A finished run with two checkpoints and its best weights: its folder, model and history."""
    original, model, history = _trained
    folder = tmp_path / "run"
    shutil.copytree(original, folder)
    return folder, model, history


def resume(folder):
    return tiny.train(folder, keep_best="lowest")


DAMAGE = {
    "one byte less": lambda path: (file := next(path.glob("*model.*"))).write_bytes(
        file.read_bytes()[:-1]
    ),
    "one bit": lambda path: (path / "optimizer.bin").write_bytes(
        bytes([(data := (path / "optimizer.bin").read_bytes())[0] ^ 1]) + data[1:]
    ),
    "other contents": lambda path: (path / "progress.json").write_text("{}", encoding="utf-8"),
    "file missing": lambda path: (path / "random-0.pt").unlink(),
    "manifest missing": lambda path: (path / "manifest.json").unlink(),
    "manifest cut": lambda path: (path / "manifest.json").write_text(
        '{"model.safe', encoding="utf-8"
    ),
    "manifest empty": lambda path: (path / "manifest.json").write_text("{}", encoding="utf-8"),
    "manifest a list": lambda path: (path / "manifest.json").write_text("[1]", encoding="utf-8"),
}


def test_two_checkpoints_and_the_best_are_kept(trained):
    folder, _, history = trained
    best = f"best-{history.best['step']:08d}"
    assert names(folder) == sorted([best, "step-00000010", "step-00000015"])
    sums = json.loads((folder / "step-00000015" / "manifest.json").read_text(encoding="utf-8"))
    files = {path.name for path in (folder / "step-00000015").iterdir()}
    assert set(sums) == files - {"manifest.json"}


def test_a_finished_run_is_not_trained_again(trained):
    folder, model, history = trained

    def never(model, batch):
        raise AssertionError("trained again")

    again, same = tiny.train(folder, loss=never, keep_best="lowest")
    assert tiny.same_weights(model, again)
    assert list(same) == list(history)
    assert same.best == history.best


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_checkpoint_is_set_aside_and_the_one_before_used(trained, damage):
    folder, model, history = trained
    damage(folder / "step-00000015")
    with pytest.warns(
        UserWarning, match=r"step-00000015 is damaged \(.*set aside as step-00000015"
    ):
        again, same = resume(folder)
    assert "step-00000015.damaged" in names(folder)
    assert tiny.same_weights(model, again)
    assert list(same) == list(history)


def test_all_damaged_starts_afresh(trained):
    folder, model, _ = trained
    for step in ("step-00000010", "step-00000015"):
        DAMAGE["one byte less"](folder / step)
    with pytest.warns(UserWarning, match="set aside") as warned:
        again, _ = resume(folder)
    assert len(warned) == 2
    assert tiny.same_weights(model, again)


def test_damaged_best_weights_are_set_aside(trained):
    folder, model, history = trained
    best = f"best-{history.best['step']:08d}"
    DAMAGE["one byte less"](folder / best)
    with pytest.warns(UserWarning, match=f"{best} is damaged"):
        again, same = resume(folder)
    assert same.best is None  # what is there now are the last weights
    assert len(same) == len(history)
    assert not tiny.same_weights(again, model)


def test_best_weights_of_steps_undone_are_removed(trained):
    folder, _, _ = trained
    shutil.copytree(next(folder.glob("best-*")), folder / "best-00000099")
    resume(folder)
    assert not (folder / "best-00000099").exists()


def test_damaged_twice_keeps_both(trained):
    folder, _, _ = trained
    for _ in range(2):
        DAMAGE["one byte less"](folder / "step-00000015")
        with pytest.warns(UserWarning, match="set aside"):
            resume(folder)
    assert {"step-00000015.damaged", "step-00000015.damaged2"} < set(names(folder))


def test_resume_false_starts_afresh_and_touches_nothing_else(trained):
    folder, _, _ = trained
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "step-00000015").rename(folder / "step-00000099")
    _, history = tiny.train(folder, resume=False, epochs=1)
    assert len(history) == tiny.BATCHES
    assert names(folder) == ["notes.txt", "step-00000005"]


def test_unfinished_writing_is_ignored_and_removed(trained):
    folder, model, _ = trained
    shutil.copytree(folder / "step-00000015", folder / ".step-00000020.unfinished")
    shutil.rmtree(folder / "step-00000015")
    again, _ = resume(folder)
    assert tiny.same_weights(model, again)
    assert not [name for name in names(folder) if name.startswith(".")]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (nn.Linear(3, 2), r"another model's: 0.bias has shape \[8\] there and none here"),
        (
            nn.Sequential(nn.Linear(3, 9), nn.BatchNorm1d(9), nn.Dropout(), nn.Linear(9, 1)),
            r"another model's: 0.bias has shape \[8\] there and \[9\] here",
        ),
    ],
)
def test_another_models_checkpoint(trained, other, said):
    with pytest.raises(ValueError, match=said):
        fit(other, tiny.make_loader(), tiny.loss, epochs=3, checkpoint=trained[0], progress=False)
    assert len(names(trained[0])) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 4}, "steps of the scheduler 15, now it is 20"),
        ({"keep_best": "highest"}, "keep_best lowest, now it is highest"),
        ({"mixed_precision": "bf16"}, "mixed_precision no, now it is bf16"),
    ],
)
def test_other_settings(trained, options, said):
    with pytest.raises(ValueError, match=f"{said}: choose another folder, or start afresh"):
        tiny.train(trained[0], **{"keep_best": "lowest", **options})


def test_more_epochs_go_on_where_the_schedule_does_not_mind(tmp_path):
    def train(epochs, folder=None):
        tiny.seed()
        model = tiny.make_model()
        options = {"epochs": epochs, "validate": tiny.validate, "progress": False}
        fit(model, tiny.make_loader(), tiny.loss, checkpoint=folder, **options)
        return model

    train(2, tmp_path)
    assert tiny.same_weights(train(4, tmp_path), train(4))
    with pytest.raises(ValueError, match="beyond the 15 steps asked for"):
        train(3, tmp_path)


class TestLoadBest:
    def test_none_were_kept(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no best weights were kept in"):
            load_best(nn.Linear(1, 1), tmp_path)

    def test_another_model(self, trained):
        with pytest.raises(ValueError, match="another model's"):
            load_best(nn.Linear(1, 1), trained[0])

    def test_damaged(self, trained):
        folder, _, history = trained
        DAMAGE["one byte less"](folder / f"best-{history.best['step']:08d}")
        with (
            pytest.warns(UserWarning, match="set aside"),
            pytest.raises(FileNotFoundError, match="no best weights"),
        ):
            load_best(tiny.make_model(), folder)

    def test_tied_weights(self, tmp_path):
        def tied():
            first, second = nn.Linear(4, 4), nn.Linear(4, 4)
            second.weight = first.weight
            return nn.Sequential(first, second)

        one, other = tied(), tied()
        checkpoints.save_best(one, tmp_path, 3)
        assert load_best(other, tmp_path) == 3
        assert tiny.same_weights(one, other)
        assert other[0].weight is other[1].weight


def test_nothing_in_a_checkpoint_is_unpickled_freely(trained):
    for path in trained[0].glob("step-*/*"):
        if path.suffix in (".pt", ".bin"):
            torch.load(path, weights_only=True)
