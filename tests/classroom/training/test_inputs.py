"""Whatever `fit` trains can be saved and taken up again; what cannot is refused before training."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom import fit, load_best
from cvcourse.classroom.training import checkpoint as checkpoints

ROWS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
BATCHES = list(ROWS.split(4))


class Stop(Exception):
    """A stand-in for a process that dies."""


def line():
    return nn.Linear(3, 2)


def train(make=line, folder=None, *, stop_at=None, **options):
    """Six steps from the start, or on from `folder`; gives the model."""
    torch.manual_seed(0)
    model = make()
    seen = 0

    def loss(model, batch):
        nonlocal seen
        seen += 1
        if seen == stop_at:
            raise Stop
        return (model(batch) - batch[:, :2]).square().mean()

    options = {"steps": 6, "lr": 0.125, "progress": False, **options}
    if folder is not None:
        options = {"checkpoint": folder, "checkpoint_every": 2} | options
    fit(model, BATCHES, loss, **options)
    return model


def same(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


# --- numbers of NumPy and of tensors


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.tensor, np.array])
@pytest.mark.parametrize(
    "plain",
    [{"lr": 0.125}, {"gradient_clip": 0.25}, {"steps": 6}, {"epochs": 2, "steps": None}],
    ids=str,
)
def test_numbers_are_taken_for_what_they_are(tmp_path, kind, plain):
    """A run with Python's numbers goes on from what a run with others has left."""
    whole = np.int64 if kind in (np.float32, np.float64) else kind
    given = {
        name: value if value is None else (kind if isinstance(value, float) else whole)(value)
        for name, value in plain.items()
    }
    with pytest.raises(Stop):
        train(folder=tmp_path, stop_at=5, **given)
    assert same(train(folder=tmp_path, **plain), train(**plain))


SCHEDULES = {
    "float64": lambda step: np.cos(np.float64(0.1 * step)),
    "float32": lambda step: np.float32(math.cos(0.1 * step)),
}
OPTIMIZERS = {
    "float64": lambda p: torch.optim.Adam(p, lr=np.float64(0.125), betas=(np.float64(0.5), 0.9)),
    "float32": lambda p: torch.optim.Adam(p, lr=np.float32(0.125), betas=(0.5, 0.9)),
    "tensor": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.125), betas=(0.5, 0.9)),
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_numbers_that_a_schedule_leaves(tmp_path, kind):
    options = {"scheduler": lambda optimizer, _: LambdaLR(optimizer, SCHEDULES[kind])}
    with pytest.raises(Stop):
        train(folder=tmp_path, stop_at=4, **options)
    number = {"float64": float, "float32": lambda x: float(np.float32(x))}[kind]
    expected = train(
        scheduler=lambda optimizer, _: LambdaLR(optimizer, lambda s: number(math.cos(0.1 * s)))
    )
    assert same(train(folder=tmp_path, **options), expected)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_numbers_of_an_optimizer(tmp_path, kind):
    with pytest.raises(Stop):
        train(folder=tmp_path, stop_at=4, optimizer=OPTIMIZERS[kind], lr=None)
    resumed = train(folder=tmp_path, optimizer=OPTIMIZERS[kind], lr=None)
    expected = train(optimizer=lambda p: torch.optim.Adam(p, lr=0.125, betas=(0.5, 0.9)), lr=None)
    for ours, theirs in zip(resumed.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 2.5}, "steps must be a whole number, but is 2.5"),
        ({"steps": np.float64(3)}, "steps must be a whole number"),
        ({"steps": "6"}, "steps must be a whole number, but is '6'"),
        ({"checkpoint_every": 1.5}, "checkpoint_every must be a whole number"),
        ({"validate_every": torch.tensor(1.5)}, "validate_every must be a whole number"),
        ({"lr": "0.1"}, "lr must be one number, but is '0.1'"),
        ({"lr": [0.1]}, r"lr must be one number, but is \[0.1\]"),
        ({"lr": torch.ones(2)}, "lr must be one number"),
        ({"gradient_clip": "1"}, "gradient_clip must be one number"),
        ({"gradient_clip": 0}, "gradient_clip must be above 0, but is 0"),
        ({"gradient_clip": float("nan")}, "gradient_clip must be above 0, but is nan"),
    ],
)
def test_numbers_that_are_none_are_refused_before_training(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(folder=tmp_path / "run", validate=lambda _: 1.0, **options)
    assert not (tmp_path / "run").exists()


# --- optimisers, schedulers, batches


def test_optimizers_that_ask_for_the_loss_again():
    message = "optimizer must not be LBFGS, which asks for the loss several times a step"
    with pytest.raises(ValueError, match=message):
        train(optimizer=torch.optim.LBFGS)
    made = torch.optim.LBFGS(line().parameters())
    with pytest.raises(ValueError, match=message):
        train(optimizer=made, lr=None)


def test_schedulers_that_wait_for_a_validation():
    message = "scheduler must not be ReduceLROnPlateau, which waits for numbers of a validation"
    with pytest.raises(ValueError, match=message):
        train(scheduler=lambda optimizer, _: ReduceLROnPlateau(optimizer))


class KeepsFunction(LambdaLR):
    """A scheduler that cannot be pickled, which shows when the checkpoint is half written."""

    def state_dict(self):
        return {"function": lambda: None}


def test_a_checkpoint_that_fails_leaves_nothing_half_written(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        train(folder=tmp_path, scheduler=lambda o, _: KeepsFunction(o, lambda step: 1))
    assert list(tmp_path.iterdir()) == []


def normalised():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.mark.parametrize(
    ("rows", "options", "warned"),
    [
        (5, {"batch_size": 4}, True),
        (3, {"batch_size": 1}, True),
        (5, {"batch_size": 2, "sampler": range(3)}, True),
        (6, {"batch_size": 4}, False),
        (5, {"batch_size": 4, "drop_last": True}, False),
        (5, {"batch_sampler": [[0, 1], [2, 3, 4]]}, False),
        (5, {"batch_size": 5}, False),
    ],
)
def test_a_batch_of_one_with_batch_normalisation(rows, options, warned):
    loader = DataLoader(TensorDataset(ROWS[:rows]), **options)

    def run(model):
        fit(model, loader, lambda m, b: m(b[0]).square().mean(), epochs=1, progress=False)

    if warned:
        with (
            pytest.warns(UserWarning, match="a batch of one example, and the model has batch norm"),
            pytest.raises(ValueError, match="more than 1 value per channel"),  # PyTorch's own
        ):
            run(normalised())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if not warned:
            run(normalised())
        run(line())
        frozen = nn.Sequential(line(), nn.BatchNorm1d(2).eval())
        frozen.training = True
        run(frozen)


# --- parameters that share memory, and compiled models


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))[:, :2]


class Parts(nn.Module):
    """Two parameters and a buffer in one piece of memory; none of them is all of it."""

    def __init__(self):
        super().__init__()
        memory = torch.randn(5, 3)
        self.first, self.second = nn.Parameter(memory[:2]), nn.Parameter(memory[2:4])
        self.register_buffer("third", memory[4:])

    def forward(self, x):
        self.third += 1
        return x @ self.first.T + (x @ self.second.T) ** 2


class Overlapping(nn.Module):
    """The whole memory under one name, and in another shape under another."""

    def __init__(self):
        super().__init__()
        memory = torch.randn(2, 3)
        self.first, self.second = nn.Parameter(memory), nn.Parameter(memory.view(3, 2))

    def forward(self, x):
        return x @ self.first.T + x @ self.second


@pytest.mark.parametrize("make", [Tied, Parts, Overlapping])
def test_parameters_that_share_memory(tmp_path, make, caplog):
    with pytest.raises(Stop):
        train(make, tmp_path, stop_at=4)
    assert same(train(make, tmp_path), train(make))
    assert caplog.text == ""


@pytest.mark.parametrize("make", [Tied, Parts, Overlapping])
@pytest.mark.parametrize("to_disk", [True, False])
def test_the_best_of_parameters_that_share_memory(tmp_path, make, to_disk):
    numbers = iter([3.0, 1.0, 2.0])
    options = {"validate": lambda _: next(numbers), "validate_every": 2, "keep_best": "lowest"}
    best = train(make, tmp_path if to_disk else None, **options)
    assert same(best, train(make, steps=4))
    if to_disk:
        other = make()
        assert load_best(other, tmp_path) == 4
        assert same(other, best)


def test_best_weights_written_before_by_safetensors_itself(tmp_path):
    """`save_model` wrote one of two tied names."""
    from safetensors.torch import save_model

    model, other = Tied(), Tied()
    folder = checkpoints.unfinished(tmp_path, "best", 7)
    checkpoints.start_writing(folder)
    save_model(model, str(folder / "model.safetensors"))
    checkpoints.finish_writing(folder, keep=1)
    assert load_best(other, tmp_path) == 7
    assert same(other, model)
    assert other.first.weight is other.second.weight


def compiled(model):
    return torch.compile(model, backend="eager")


def with_compiled_part():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[1] = compiled(model[1])
    return model


@pytest.mark.parametrize(
    ("make", "plain"),
    [
        (lambda: compiled(line()), line),
        (with_compiled_part, lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))),
    ],
    ids=["whole", "part"],
)
def test_best_weights_of_a_compiled_model_are_those_of_the_plain_one(tmp_path, make, plain):
    options = {"validate": lambda _: 1.0, "keep_best": "lowest"}
    trained = train(make, tmp_path / "compiled", **options)
    expected = train(plain, tmp_path / "plain", **options)
    for folder in ("compiled", "plain"):
        for model in (plain(), make()):
            load_best(model, tmp_path / folder)
            for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
                torch.testing.assert_close(ours, theirs)
    assert same(trained, train(make, tmp_path / "compiled", **options))


def test_what_is_left_out_or_too_much_is_named(tmp_path):
    checkpoints.save_best(line(), tmp_path, 3)
    more = nn.Linear(3, 2)
    more.register_buffer("extra", torch.zeros(1))
    with pytest.raises(ValueError, match=r"another model's: [\s\S]*Missing key.* \"extra\""):
        load_best(more, tmp_path)
    less = copy.deepcopy(more)
    checkpoints.save_best(less, tmp_path, 4)
    with pytest.raises(ValueError, match=r"another model's: [\s\S]*Unexpected key.* \"extra\""):
        load_best(line(), tmp_path)
