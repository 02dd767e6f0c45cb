"""The one training loop of the course.

The same call trains in a notebook, on a GPU, and under `accelerate launch` on several processes.
"""

import math
import operator
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from cvcourse.classroom.device import rehearsal
from cvcourse.classroom.history import History
from cvcourse.classroom.printing import say
from cvcourse.classroom.training._training import Training
from cvcourse.classroom.training._watching import Interrupts, Show


def fit(
    model: nn.Module,
    loader: Iterable,
    loss: Callable[[nn.Module, Any], Tensor | dict[str, Tensor]],
    *,
    epochs: int | None = None,
    steps: int | None = None,
    optimizer: torch.optim.Optimizer | Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
    lr: float | None = None,
    scheduler: Callable[[torch.optim.Optimizer, int], LRScheduler] | None = None,
    gradient_clip: float | None = None,
    mixed_precision: Literal["no", "bf16", "fp16"] | None = None,
    validate: Callable[[nn.Module], float | dict[str, float]] | None = None,
    validate_every: int | None = None,
    keep_best: Literal["highest", "lowest"] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    progress: bool = True,
    live: bool | None = None,
) -> History:
    """Train `model` in place on the batches of `loader`; it is left on the course's device.

    loader: gives batches, nested tuples, lists and dicts of tensors, anew each time it is iterated;
        with several processes, a `DataLoader` whose batches they share out. Generators that its
        data set holds are seeded anew in each of its workers, from the loader's own generator.
    loss: `loss(model, batch)` calls `model(...)` (not its methods: with several processes it is
        wrapped) and gives one number, or a dict of them whose sum is minimised. A module with
        parameters or buffers of its own (proxies, a queue) is moved, trained and checkpointed too.
    epochs, steps: one of them; `steps` counts batches, over as many epochs as it takes.
    optimizer, lr: a class or function is called as `optimizer(parameters, lr=lr)`, without `lr`
        where that is None; an optimiser that is made already is used as it is.
    scheduler: `scheduler(optimizer, total_steps)` gives a scheduler of `torch.optim.lr_scheduler`
        that is stepped after every step; `warmup_cosine` is one. (Not `ReduceLROnPlateau`, and no
        optimiser that needs a closure.)
    gradient_clip: largest norm of the gradient.
    mixed_precision: of the model's forward pass; None is what `accelerate launch` says, or "no".
    validate: `validate(model)`, one number or a dict of them for the history, called without
        gradients and in evaluation mode after each epoch (or `validate_every` steps) and at the
        end. With several processes each calls it; the history has the means of their numbers.
    keep_best: the model ends with the weights for which the first of these numbers was best.
    checkpoint: a folder written to after each epoch (or `checkpoint_every` steps), and at the end.
        Called again with the same arguments, `fit` goes on from there; `resume=False` starts afresh
        and removes the checkpoints that are there.
    progress, live: show a progress bar; redraw the curves while training (None: in notebooks).

    **Conventions**: a run that was killed and resumed ends with the same weights, bit by bit, as
    one that was not: batches already seen are drawn again and passed over, then all generators are
    put back (Python's, NumPy's, PyTorch's, and those held by loader, samplers and data set; no
    other hidden state, such as that of persistent workers). N processes with batches of B equal one
    with N * B, except for batch normalisation and for a loader that shuffles without a generator of
    its own. On CPUs `CVCOURSE_DEVICE=cpu accelerate launch --multi_gpu --num_processes N` starts N
    (`accelerate launch --cpu` starts one, which `fit` then says). A model in training mode keeps
    the modes of its parts, so that frozen ones may stay in evaluation mode; it is in training mode
    afterwards too. Ctrl-C ends training after the current step: the checkpoint is written, and the
    history returned with `interrupted` set.

    Raises ValueError for arguments that do not fit together, for a loader without batches, and for
    a checkpoint of another model or other settings; FloatingPointError, before the weights are
    changed, where the loss is nan or infinite.
    """
    if (epochs is None) == (steps is None):
        raise ValueError("fit() takes one of epochs and steps")
    epochs, steps = _whole("epochs", epochs), _whole("steps", steps)
    validate_every = _whole("validate_every", validate_every)
    checkpoint_every = _whole("checkpoint_every", checkpoint_every)
    lr, gradient_clip = _number("lr", lr), _number("gradient_clip", gradient_clip)
    if gradient_clip is not None and not gradient_clip > 0:
        raise ValueError(f"gradient_clip must be above 0, but is {gradient_clip}")
    if keep_best not in (None, "highest", "lowest"):
        raise ValueError(f"keep_best must be 'highest', 'lowest' or None, but is {keep_best!r}")
    if validate is None and (keep_best or validate_every):
        raise ValueError("keep_best and validate_every need validate=...")
    if checkpoint is None and checkpoint_every:
        raise ValueError("checkpoint_every needs checkpoint=FOLDER")

    if rehearsal() == "lines":
        enough = getattr(model, "steps_of_a_rehearsal", 2)
        epochs, steps = None, min(steps or enough, enough)
    training = Training(
        model,
        loader,
        loss,
        epochs=epochs,
        steps=steps,
        optimizer=optimizer,
        lr=lr,
        scheduler=scheduler,
        gradient_clip=gradient_clip,
        mixed_precision=mixed_precision,
        validate=validate,
        keep_best=keep_best,
        folder=None if checkpoint is None else Path(checkpoint).expanduser(),
    )
    history = training.history
    try:
        training.resume() if resume else training.start_afresh()
        show = Show(history, training.steps, bar=progress, live=live, main=training.is_main)
        with Interrupts() as interrupts, show:
            while not training.finished:
                try:
                    batch = next(training.batches)
                except StopIteration:
                    training.end_epoch()
                except RuntimeError:  # Ctrl-C in a terminal ends the loader's workers as well
                    if not interrupts.asked:
                        raise
                    break
                else:
                    training.train_on(batch)
                    show.step()
                if training.due(validate_every):
                    training.validate()
                if training.due(checkpoint_every):
                    training.save()
                if training.any_process(interrupts.asked):
                    break
            history.interrupted = not training.finished
            if not history.interrupted:
                training.validate()
            training.save()
        if history.interrupted and training.is_main:
            where = "" if checkpoint is None else "; call fit again to go on from there"
            say(f"Training was stopped after step {training.step}{where}.")
        training.load_best()
    finally:
        training.release()
    return history


def _whole(name: str, value) -> int | None:
    """Python's number, whoever's it was; NumPy's and tensors do not go into checkpoints."""
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, but is {value!r}") from None
    if number < 1:
        raise ValueError(f"{name} must be at least 1, but is {number}")
    return number


def _number(name: str, value) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be one number, but is {value!r}") from None


def warmup_cosine(
    optimizer: torch.optim.Optimizer, total_steps: int, *, warmup: float = 0.05
) -> LRScheduler:
    """The usual schedule, for `fit(..., scheduler=warmup_cosine)`: up in a line, down in a cosine.

    The learning rate rises to its full value within the share `warmup` of all steps, then falls to
    0 along half a cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts).
    """
    rising = max(1, round(warmup * total_steps))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total_steps - rising)))

    return LambdaLR(optimizer, factor)
