"""The parts of `fit`: one step, one validation, one checkpoint, and the way back from one."""

import itertools
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvcourse.classroom.history import History
from cvcourse.classroom.training import _setup as setup
from cvcourse.classroom.training import checkpoint as checkpoints
from cvcourse.classroom.training import randomness
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.data._extras import extra


class Training:
    """All that a training run consists of, and where it stands."""

    def __init__(
        self,
        model,
        loader,
        loss,
        *,
        epochs,
        steps,
        optimizer,
        lr,
        scheduler,
        gradient_clip,
        mixed_precision,
        validate,
        keep_best,
        folder,
    ):
        with extra("lessons", "fit"):
            from accelerate.utils import send_to_device

        unused = getattr(model, "leaves_parameters_unused", False)
        self.accelerator = setup.make_accelerator(mixed_precision, unused=unused)
        self.is_main = self.accelerator.is_main_process
        self.folder, self.gradient_clip = folder, gradient_clip
        self._validate, self._keep_best = validate, keep_best
        self._to_device = partial(send_to_device, device=self.accelerator.device)

        self._loader, self._synchronised = setup.shared_out(loader, self.accelerator)
        self._generators = randomness.generators_of(self._loader)
        length = setup.length_of(self._loader)
        if length == 0:
            raise ValueError("loader has no batches")
        self.epochs = epochs
        self.steps = steps if epochs is None or length is None else epochs * length

        modules = [model, loss] if isinstance(loss, nn.Module) and _has_state(loss) else [model]
        for module in modules:
            module.to(self.accelerator.device)
        if not model.training:
            model.train()
        if self.accelerator.num_processes == 1:  # several give their last batch more
            setup.warn_of_batch_of_one(loader, modules)
        optimizer = setup.make_optimizer(optimizer, lr, modules)
        self._settings = {
            "optimizer": type(optimizer).__name__,
            "lr": [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups],
            "gradient_clip": gradient_clip,
            "mixed_precision": self.accelerator.mixed_precision,
            "keep_best": keep_best,
            "processes": self.accelerator.num_processes,
            "batches in an epoch": length,
            "steps of the scheduler": None if scheduler is None else self.steps,
        }
        self._shapes = {
            f"{part}{name}": list(tensor.shape)
            for part, module in zip(("", "loss."), modules, strict=False)
            for name, tensor in module.state_dict().items()
        }
        self.scheduler = None
        if scheduler is not None:
            if self.steps is None:
                raise ValueError("scheduler needs steps=..., because loader has no length")
            self._made_scheduler = setup.make_scheduler(scheduler, optimizer, self.steps)
            self.scheduler = self.accelerator.prepare_scheduler(self._made_scheduler)
        self.optimizer = self.accelerator.prepare_optimizer(optimizer)
        self._plain_modules = modules
        self._modules = [self.accelerator.prepare_model(module) for module in modules]
        self._loss = self._modules[1] if len(modules) > 1 else loss

        self.step = self.epoch = self._batch = 0
        self.history = History()
        self._validated_at = self._saved_at = self._best_weights = None
        self._epoch_ended = False
        self._epoch_start = self._batches = None

    @property
    def finished(self) -> bool:
        """Whether all steps or epochs are done."""
        return self.step == self.steps or self.epoch == self.epochs

    @property
    def batches(self) -> Iterator:
        """What is left of the current epoch."""
        if self._batches is None:
            if self._synchronised is not None:
                from accelerate.utils import synchronize_rng_states

                synchronize_rng_states(["generator"], self._synchronised)
            self._epoch_start = randomness.take(self._generators)
            self._batches = randomness.batches_of(self._loader)
        return self._batches

    def train_on(self, batch) -> None:
        """One step of the optimiser, and its row in the history."""
        outcome = self._loss(self._modules[0], self._to_device(batch))
        parts = outcome if isinstance(outcome, dict) else {"loss": outcome}
        for name, part in parts.items():
            if not isinstance(part, Tensor) or part.numel() != 1:
                got = tuple(part.shape) if isinstance(part, Tensor) else part
                raise ValueError(f"loss must give single numbers, but {name!r} is {got}")
        values = torch.stack([part.reshape(()) for part in parts.values()])
        loss = values.sum()
        numbers = torch.cat([loss[None], values]).detach().float()
        loss_now, *part_now = self.accelerator.reduce(numbers, "mean").tolist()
        row = {
            "step": self.step + 1,
            "epoch": self.epoch,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "loss": loss_now,
        }
        if isinstance(outcome, dict):
            row.update(_new(dict(zip(parts, part_now, strict=True)), row))
        if not math.isfinite(loss_now):
            told = ", ".join(f"{name} {value:g}" for name, value in row.items())
            raise FloatingPointError(f"the loss is not finite ({told}); weights are as before")
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.gradient_clip is not None:
            weights = [p for group in self.optimizer.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(weights, self.gradient_clip)
        self.optimizer.step()
        if self.scheduler is not None and not self.optimizer.step_was_skipped:
            self.scheduler.step()
        self.step += 1
        self._batch += 1
        self._epoch_ended = False
        self.history.append(row)

    def end_epoch(self) -> None:
        """Get ready for the next epoch."""
        if self._batch == 0:
            raise ValueError(
                f"loader gave no batch in epoch {self.epoch} (an iterator can be read only once)"
            )
        self.epoch += 1
        self._batch = 0
        self._batches = None
        self._epoch_ended = True

    def due(self, every: int | None) -> bool:
        """Whether what is done every so many steps (None: after each epoch) is to be done now."""
        if every is None:
            return self._epoch_ended
        return not self._epoch_ended and self.step % every == 0

    def any_process(self, asked: bool) -> bool:
        """Whether it was asked for in any of the processes."""
        if self.accelerator.num_processes == 1:
            return asked
        flag = torch.tensor(float(asked), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0

    def validate(self) -> None:
        """Add the validation's values to the last row, unless they are there already."""
        if self._validate is None or self._validated_at == self.step:
            return
        model = self._plain_modules[0]
        with evaluating(model):
            outcome = self._validate(model)
        values = outcome if isinstance(outcome, dict) else {"validation": outcome}
        row = self.history[-1]
        values = {name: float(value) for name, value in _new(values, row).items()}
        row.update(self._mean_of_processes(values))
        self._validated_at = self.step
        if self._keep_best is not None:
            self._keep_if_best(row, next(iter(values)))

    def save(self) -> None:
        """Write a checkpoint, unless this step has one."""
        if self.folder is None or self._saved_at == (self.step, self.epoch):
            return
        unfinished = checkpoints.unfinished(self.folder, "step", self.step)
        if self.is_main:
            checkpoints.start_writing(unfinished)
        self.accelerator.wait_for_everyone()
        try:
            self._write(unfinished)
        except Exception:
            if self.is_main:
                checkpoints.give_up(unfinished)
            raise
        self.accelerator.wait_for_everyone()
        if self.is_main:
            checkpoints.finish_writing(unfinished, keep=2)
        self.accelerator.wait_for_everyone()
        self._saved_at = (self.step, self.epoch)

    def _write(self, unfinished: Path) -> None:
        self._make_numbers_plain()
        # safetensors would write one of several tensors that share memory, and say that this is OK
        self.accelerator.save_state(str(unfinished), safe_serialization=False)
        now = randomness.take(self._generators)
        start = self._epoch_start if self._batch else None
        torch.save({"start": start, "now": now}, unfinished / self._random_file)
        if self.is_main:
            progress = {
                "settings": self._settings,
                "shapes": self._shapes,
                "place": [self.step, self.epoch, self._batch],
                "validated_at": self._validated_at,
                "history": self.history,
                "best": self.history.best,
            }
            (unfinished / "progress.json").write_text(json.dumps(progress), encoding="utf-8")

    def start_afresh(self) -> None:
        """Remove the checkpoints of earlier runs."""
        if self.folder is not None and self.is_main:
            checkpoints.clear(self.folder)

    def resume(self) -> None:
        """Go back to the newest good checkpoint, if there is one."""
        if self.folder is None:
            return
        found = self._find_checkpoint() if self.is_main else [None, None]
        if self.accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            broadcast_object_list(found)
        path, progress = found
        if path is None:
            return
        self._check_same(path, progress)
        self.accelerator.load_state(str(path))
        self.step, self.epoch, self._batch = progress["place"]
        self._validated_at = progress["validated_at"]
        self.history.extend(progress["history"])
        self.history.best = progress["best"]
        states = torch.load(path / self._random_file, map_location="cpu", weights_only=True)
        if self._batch:
            randomness.put_back(states["start"], self._generators)
            for _ in range(self._batch):
                next(self.batches)
        randomness.put_back(states["now"], self._generators)
        self._saved_at = (self.step, self.epoch)

    def load_best(self) -> None:
        """Give the model the weights of the best validation, where they were kept."""
        if self.history.best is None:
            return
        if self.folder is not None:
            self.accelerator.wait_for_everyone()  # for the first, who writes them
            checkpoints.load_best(self._plain_modules[0], self.folder)
        else:
            if self.accelerator.num_processes > 1:  # statistics of batches are each process's own
                from accelerate.utils import broadcast

                self._best_weights = broadcast(self._best_weights)
            self._plain_modules[0].load_state_dict(self._best_weights)

    def release(self) -> None:
        """Leave the model and the loss as they came, without what accelerate put around them."""
        for module in self._modules:
            plain = self.accelerator.unwrap_model(module, keep_fp32_wrapper=False)
            for attribute in ("forward", "_original_forward", "_is_accelerate_prepared"):
                plain.__dict__.pop(attribute, None)

    @property
    def _random_file(self) -> str:
        return f"random-{self.accelerator.process_index}.pt"

    def _find_checkpoint(self) -> list:
        """Path and progress of the newest good checkpoint; best weights that are gone are none."""
        path = checkpoints.newest_good(self.folder, "step")
        if path is None:
            return [None, None]
        progress = json.loads((path / "progress.json").read_text(encoding="utf-8"))
        best_step = progress["best"]["step"] if progress["best"] else 0
        if checkpoints.best_after_resume(self.folder, best_step) is None:
            progress["best"] = None
        return [path, progress]

    def _mean_of_processes(self, values: dict[str, float]) -> dict[str, float]:
        """So that all processes have the same history, and decide alike what is best."""
        if self.accelerator.num_processes == 1:
            return values
        from accelerate.utils import gather_object

        gathered = gather_object([values])
        if any(other.keys() != values.keys() for other in gathered):
            raise ValueError(
                "validate must give the same names in all processes, got "
                + " and ".join(", ".join(other) for other in gathered)
            )
        return {name: sum(other[name] for other in gathered) / len(gathered) for name in values}

    def _make_numbers_plain(self) -> None:
        """NumPy's numbers, which a schedule may leave anywhere, are refused when they are read."""
        for group in self.optimizer.param_groups:
            group.update({key: _plain(value) for key, value in group.items() if key != "params"})
        if self.scheduler is not None:
            kept = vars(self._made_scheduler)
            kept.update({key: _plain(value) for key, value in kept.items()})

    def _keep_if_best(self, row: dict, name: str) -> None:
        sign = 1 if self._keep_best == "highest" else -1
        best = self.history.best
        if math.isnan(row[name]) or (best is not None and sign * row[name] <= sign * best[name]):
            return
        self.history.best = dict(row)
        if self.folder is None:
            weights = self._plain_modules[0].state_dict()
            self._best_weights = {key: tensor.clone() for key, tensor in weights.items()}
        elif self.is_main:
            checkpoints.save_best(self._plain_modules[0], self.folder, self.step)

    def _check_same(self, path: Path, progress: dict) -> None:
        theirs, ours = progress["shapes"], self._shapes
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                raise ValueError(
                    f"checkpoint {path} is another model's: {name} has shape "
                    f"{theirs.get(name, 'none')} there and {ours.get(name, 'none')} here"
                )
        for name, now in self._settings.items():
            then = progress["settings"].get(name)
            if then != now:
                raise ValueError(
                    f"checkpoint {path} was written with {name} {then}, now it is {now}: choose "
                    "another folder, or start afresh with resume=False"
                )
        if self.steps is not None and progress["place"][0] > self.steps:
            raise ValueError(
                f"checkpoint {path} is beyond the {self.steps} steps asked for: choose another "
                "folder, or start afresh with resume=False"
            )


def _has_state(module: nn.Module) -> bool:
    return next(itertools.chain(module.parameters(), module.buffers()), None) is not None


def _plain(value):
    """Python's numbers in place of NumPy's, in lists and dictionaries, too."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return value


def _new(values: dict, row: dict) -> dict:
    """`values`, if none of their names is taken in `row`."""
    taken = ", ".join(sorted(values.keys() & row.keys()))
    if taken:
        raise ValueError(f"the history has {taken} already: give it another name")
    return values
