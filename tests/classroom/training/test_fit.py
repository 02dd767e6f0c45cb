import copy
import gc
import math
import signal
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from cvcourse.classroom import fit, load_best, warmup_cosine
from tests.classroom import tiny

X = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5]])
DATA = [(X[i : i + 8], Y[i : i + 8]) for i in (0, 8, 16)]


def squared(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def quick(model, loader=DATA, loss=squared, **options):
    return fit(model, loader, loss, **{"steps": 4, "progress": False, **options})


class TestLoop:
    def test_equals_the_loop_written_out(self, model):
        other = copy.deepcopy(model)
        history = fit(model, DATA, squared, epochs=2, lr=0.1, optimizer=torch.optim.SGD)
        optimizer, losses = torch.optim.SGD(other.parameters(), lr=0.1), []
        for x, y in DATA * 2:
            loss = F.mse_loss(other(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert tiny.same_weights(model, other)
        assert [row["loss"] for row in history] == losses
        assert [row["step"] for row in history] == [1, 2, 3, 4, 5, 6]
        assert [row["epoch"] for row in history] == [0, 0, 0, 1, 1, 1]

    def test_steps_run_over_epochs(self, model):
        history = quick(model, steps=7)
        assert [row["epoch"] for row in history] == [0, 0, 0, 1, 1, 1, 2]

    def test_what_was_trained_goes_when_its_last_name_does(self, tmp_path):
        kept = {"scheduler": warmup_cosine, "validate": lambda model: 1.0, "checkpoint": tmp_path}
        quick(nn.Linear(3, 1), **kept)  # what is imported on the way may keep its frames
        gc.collect()
        gc.disable()  # so that a ring of references would keep weights, gradients and optimizer
        try:
            model = nn.Linear(3, 1)
            trained = weakref.ref(model)
            quick(model, **kept, resume=False)
            del model
            assert trained() is None
        finally:
            gc.enable()

    def test_two_steps_in_a_rehearsal(self, model, monkeypatch):
        monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
        options = {"validate": lambda model: 1.0, "scheduler": warmup_cosine, "progress": False}
        for length in ({"epochs": 3}, {"steps": 50}):
            history = fit(model, DATA, squared, **length, **options)
            assert [row["step"] for row in history] == [1, 2]
            assert history[-1]["validation"] == 1
        assert len(fit(model, DATA, squared, steps=1, progress=False)) == 1

    def test_parts_of_the_loss_are_added_and_kept(self, model):
        other = copy.deepcopy(model)

        def parts(model, batch):
            return {"data": squared(model, batch), "size": 0.1 * model.weight.square().sum()}

        history = quick(model, loss=parts)
        quick(other, loss=lambda m, b: sum(parts(m, b).values()))
        assert tiny.same_weights(model, other)
        for row in history:
            assert row["loss"] == pytest.approx(row["data"] + row["size"])

    def test_parts_of_one_element(self, model):
        history = quick(model, loss=lambda m, b: {"a": squared(m, b)[None], "b": squared(m, b)})
        assert history[0]["loss"] == pytest.approx(2 * history[0]["a"])

    def test_batches_may_be_nested(self, model):
        def loss(model, batch):
            images, targets = batch
            return {
                t["name"]: squared(model, (i, t["y"])) for i, t in zip(images, targets, strict=True)
            }

        one, other = DATA[:2]
        nested = ([one[0], other[0]], [{"y": one[1], "name": "a"}, {"y": other[1], "name": "b"}])
        (row,) = quick(model, [nested], loss, steps=1)
        assert row["loss"] == pytest.approx(row["a"] + row["b"])

    def test_adamw_is_the_default(self, model):
        other = copy.deepcopy(model)
        quick(model)
        quick(other, optimizer=torch.optim.AdamW(other.parameters()))
        assert tiny.same_weights(model, other)

    def test_optimizer_may_be_a_function(self, model):
        def momentum(parameters, lr):
            return torch.optim.SGD(parameters, lr=lr, momentum=0.9)

        other = copy.deepcopy(model)
        quick(model, optimizer=momentum, lr=0.1)
        quick(other, optimizer=torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9))
        assert tiny.same_weights(model, other)

    def test_scheduler_steps_once_a_step(self, model):
        def halving(optimizer, total_steps):
            assert total_steps == 6
            return torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)

        history = fit(model, DATA, squared, epochs=2, lr=0.8, scheduler=halving, progress=False)
        assert [row["lr"] for row in history] == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]

    def test_gradient_is_clipped(self, model):
        before = copy.deepcopy(model)
        quick(model, steps=1, optimizer=torch.optim.SGD, lr=1.0, gradient_clip=0.01)
        moved = [
            (a - b).detach() for a, b in zip(model.parameters(), before.parameters(), strict=True)
        ]
        norm = torch.cat([m.flatten() for m in moved]).norm()
        assert norm == pytest.approx(0.01, rel=1e-3)

    def test_frozen_parameters_and_modes_stay(self):
        model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
        model[0].requires_grad_(False).eval()
        before = copy.deepcopy(model[0])
        quick(model, validate=lambda m: 0.0)
        assert tiny.same_weights(model[0], before)
        assert not model[0].training
        assert model[1].training

    def test_model_in_evaluation_mode_is_set_to_training(self, model):
        quick(model.eval())
        assert model.training

    def test_loss_with_parameters_is_trained_and_saved(self, model, tmp_path):
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(()))
                self.register_buffer("calls", torch.zeros(()))

            def forward(self, model, batch):
                self.calls += 1
                return (model(batch[0]) * self.scale - batch[1]).square().mean()

        first = Scaled()
        quick(model, loss=first, checkpoint=tmp_path)
        assert first.scale != 1
        again = Scaled()
        quick(model, loss=again, checkpoint=tmp_path)
        assert tiny.same_weights(first, again)
        assert again.calls == 4

    def test_loader_without_a_length(self, model):
        class Stream(IterableDataset):
            def __iter__(self):
                yield from zip(X, Y, strict=True)

        stream = DataLoader(Stream(), batch_size=8)
        history = fit(model, stream, squared, epochs=2, progress=False, validate=lambda m: 1.0)
        assert [row["epoch"] for row in history] == [0, 0, 0, 1, 1, 1]
        assert history.curve("validation") == ([3, 6], [1.0, 1.0])

    def test_bar_tells_loss_and_steps(self, model, capsys):
        quick(model, progress=True)
        said = capsys.readouterr().err
        assert "4/4" in said
        assert "loss=" in said

    def test_bfloat16(self, model):
        other = copy.deepcopy(model)
        exact = quick(other, steps=1)[0]["loss"]
        rough = quick(model, steps=1, mixed_precision="bf16")[0]["loss"]
        assert rough != exact
        assert rough == pytest.approx(exact, rel=0.02)

    def test_model_is_left_as_it_came(self, model):
        before = set(vars(model))
        quick(model, mixed_precision="bf16")
        assert set(vars(model)) == before


class TestValidation:
    def test_after_each_epoch_and_at_the_end(self, model):
        history = quick(model, steps=7, validate=lambda m: {"a": 1.0, "b": torch.tensor(2.0)})
        assert history.curve("a") == ([3, 6, 7], [1.0] * 3)
        assert history.curve("b") == ([3, 6, 7], [2.0] * 3)

    def test_every_few_steps(self, model):
        history = quick(model, steps=5, validate=lambda m: 1.0, validate_every=2)
        assert history.curve("validation")[0] == [2, 4, 5]

    def test_without_gradients_in_evaluation_mode(self, model):
        def check(model):
            assert not model.training
            assert not torch.is_grad_enabled()
            return 0.0

        quick(model, validate=check)

    @pytest.mark.parametrize("to_disk", [True, False])
    @pytest.mark.parametrize(("keep", "best"), [("highest", 2), ("lowest", 4)])
    def test_ends_with_the_best_weights(self, model, tmp_path, keep, best, to_disk):
        scores = iter([0.5, 0.9, float("nan"), 0.1, 0.3])
        kept = []

        def validate(model):
            kept.append(copy.deepcopy(model))
            return {"score": next(scores)}

        options = {"checkpoint": tmp_path} if to_disk else {}
        options |= {"validate_every": 1, "validate": validate, "keep_best": keep}
        history = quick(model, steps=5, **options)
        assert history.best["step"] == best
        assert tiny.same_weights(model, kept[best - 1])
        assert not tiny.same_weights(model, kept[-1])
        if to_disk:
            other = nn.Linear(3, 1)
            assert load_best(other, tmp_path) == best
            assert tiny.same_weights(model, other)

    def test_names_must_not_clash(self, model):
        with pytest.raises(ValueError, match="history has loss already"):
            quick(model, validate=lambda m: {"loss": 0.0})


@pytest.fixture
def _ctrl_c_interrupts():
    """As in a terminal, also where pytest was started in the background, which ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_interrupts")
class TestInterruption:
    def test_ctrl_c_ends_after_the_step_and_resumes_exactly(self, tmp_path, capsys):
        whole, _ = tiny.train()

        def interrupted(model, batch):
            nonlocal calls
            calls += 1
            if calls == 7:
                signal.raise_signal(signal.SIGINT)
            return tiny.loss(model, batch)

        calls = 0
        before = signal.getsignal(signal.SIGINT)
        _, history = tiny.train(tmp_path, loss=interrupted)
        assert history.interrupted
        assert len(history) == 7
        assert "stopped after step 7; call fit again to go on" in capsys.readouterr().out
        assert signal.getsignal(signal.SIGINT) is before
        model, history = tiny.train(tmp_path)
        assert not history.interrupted
        assert len(history) == tiny.BATCHES * tiny.EPOCHS
        assert tiny.same_weights(model, whole)

    def test_second_ctrl_c_ends_at_once(self, model):
        def impatient(model, batch):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("still here")

        with pytest.raises(KeyboardInterrupt):
            quick(model, loss=impatient)

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_loss_that_is_not_finite_names_the_step(self, model, bad):
        weights = []

        def loss(model, batch):
            weights.append(copy.deepcopy(model))
            return squared(model, batch) * (bad if len(weights) == 3 else 1)

        with pytest.raises(FloatingPointError, match=r"step 3, epoch 0, .*loss (nan|inf)"):
            quick(model, loss=loss)
        assert tiny.same_weights(model, weights[2])


class TestBadArguments:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"epochs": 1, "steps": 1}, "one of epochs and steps"),
            ({"epochs": None, "steps": None}, "one of epochs and steps"),
            ({"steps": 0}, "steps must be at least 1, but is 0"),
            ({"validate_every": 0, "validate": len}, "validate_every must be at least 1"),
            ({"keep_best": "highest"}, "need validate"),
            ({"validate_every": 3}, "need validate"),
            ({"keep_best": "best", "validate": len}, "'highest', 'lowest' or None, but is 'best'"),
            ({"checkpoint_every": 3}, "needs checkpoint"),
            ({"mixed_precision": "fp16"}, "fp16' needs a GPU"),
            ({"loader": []}, "loader has no batches"),
            ({"loader": DataLoader(TensorDataset(X[:0]))}, "loader has no batches"),
            ({"loader": iter([])}, "loader gave no batch in epoch 0"),
            ({"loader": iter(DATA)}, "loader gave no batch in epoch 1 .*read only once"),
            (
                {"loader": iter(DATA), "steps": None, "epochs": 2, "scheduler": warmup_cosine},
                "steps=",
            ),
            ({"loss": lambda m, b: m(b[0])}, r"single numbers, but 'loss' is \(8, 1\)"),
            ({"loss": lambda m, b: {"a": 1.0}}, "single numbers, but 'a' is 1.0"),
            ({"loss": lambda m, b: {"lr": squared(m, b)}}, "history has lr already"),
        ],
    )
    def test_are_named(self, model, options, said):
        with pytest.raises(ValueError, match=said):
            quick(model, **options)

    def test_lr_of_an_optimizer_that_has_one(self, model):
        with pytest.raises(ValueError, match="lr is the optimiser's own"):
            quick(model, optimizer=torch.optim.SGD(model.parameters(), lr=1.0), lr=0.1)

    def test_nothing_to_train(self, model):
        with pytest.raises(ValueError, match="no parameter"):
            quick(model.requires_grad_(False))


def test_warmup_cosine():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = warmup_cosine(optimizer, 100, warmup=0.1)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[10:] == pytest.approx(
        [1 + math.cos(math.pi * (i - 10) / 90) for i in range(10, 100)]
    )
