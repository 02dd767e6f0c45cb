"""Weights of longer trainings that come with the course, made by the lesson's own cell."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from cvcourse.classroom import records
from cvcourse.classroom.device import is_first_process
from cvcourse.classroom.history import History
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.training._shipped import SCRIPT, stem_of, what_to_do
from cvcourse.classroom.training._weight_files import read_weights, write_weights

REMEDY = f"make it anew with {SCRIPT}, or small_backbone.py there"


def trained(
    run: Run,
    name: str,
    model: nn.Module,
    train: Callable[[], History],
    *,
    lesson: str | None = None,
) -> History:
    """Give `model` the weights that `train()` gives, and return the history of that training.

    At scale small they are read from `lessons/weights/`, where `NN-NAME-HASH.safetensors` holds
    what the same call once gave; the cell says so, and how long it took. Anywhere else, or with
    `CVCOURSE_WEIGHTS=train`, `train()` is called, here and now. `python
    data_scripts/lesson_weights.py NN` runs lesson NN with `CVCOURSE_WEIGHTS=save`, which also
    replaces the files.

    name: words and hyphens, one for each call in a lesson. train: calls `fit` on `model`.
    lesson: the number of another lesson, whose file this is; it is then never written here.

    **Conventions**: the file's first 8 digits of SHA-256 are in its name and verified; safetensors
    hold no code. Weights are stored as float16, and who stores them goes on with what was stored. A
    saved history has one row in ten, and all rows with validations. PyTorch's generator is seeded
    with `run.seed` at the end, so that a lesson goes on alike either way.

    Raises FileNotFoundError where there is no such file, ValueError where it is damaged or of
    another model, or where `CVCOURSE_WEIGHTS` is none of "train" and "save".
    """
    stem, task = stem_of(run, name, lesson), what_to_do(run, ours=lesson is None)
    if task == "read":
        told = load_shared(model.to(run.device), stem)
        if is_first_process():
            minutes = float(told["cpu_seconds"]) / 60
            where = "this cell" if lesson is None else f"lesson {lesson}"
            say(
                f"{stem}: trained by {where} in {minutes:.1f} minutes of one CPU core; "
                "CVCOURSE_WEIGHTS=train trains anew"
            )
        history = History(json.loads(told["history"]))
    else:
        started = time.process_time()
        history = train()
        if task == "write":
            seconds = time.process_time() - started
            save_shared(model, stem, cpu_seconds=seconds, history=_brief(history))
            load_shared(model, stem)  # rounded, as everybody has them
    torch.manual_seed(run.seed)
    return history


def folder() -> Path:
    """Where the weights are: `lessons/weights` of the course."""
    return records.course() / "lessons" / "weights"


def load_shared(model: nn.Module, stem: str) -> dict[str, str]:
    """Read `lessons/weights/STEM-HASH.safetensors` into `model`; return what `save_shared` noted.

    Numbers take the dtype that they have in the model.

    Raises FileNotFoundError where there is no such file, ValueError where it is damaged or of
    another model.
    """
    from safetensors import safe_open

    if not folder().is_dir():
        raise FileNotFoundError(
            f"there is no {folder()}: weights are in the course's repository, not in the installed "
            "package; begin in the repository's folder"
        )
    found = _files(stem)
    if len(found) != 1:
        raise FileNotFoundError(
            f"{folder()} holds {len(found)} files {stem}-*.safetensors instead of one; {REMEDY}"
        )
    path = found[0]
    if _digest(path) != path.stem.split("-")[-1]:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the one in its name")
    try:
        read_weights(model, path)
    except RuntimeError as error:
        raise ValueError(f"{path.name} holds another model's weights; {REMEDY}\n{error}") from error
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def save_shared(model: nn.Module, stem: str, *, cpu_seconds: float, **notes: str) -> Path:
    """Write the weights of `model` to `lessons/weights/STEM-HASH.safetensors`, in place of others.

    Floating numbers are stored as float16, which halves the file and moves none by more than
    0.05 %. cpu_seconds: what their training took. notes: strings kept beside the weights.

    Raises ValueError where a weight is not finite or too large for float16.
    """
    folder().mkdir(parents=True, exist_ok=True)
    unfinished = folder() / f".{stem}.{os.getpid()}"
    metadata = {"cpu_seconds": f"{cpu_seconds:.1f}", **notes}
    write_weights(model, unfinished, metadata, dtype=torch.float16)
    for old in _files(stem):
        old.unlink()
    return unfinished.replace(folder() / f"{stem}-{_digest(unfinished)}.safetensors")


def _brief(history: History) -> str:
    """One row in ten and all with validations, in five digits, as JSON."""
    rows = [row for i, row in enumerate(history) if i % 10 == 0 or len(row) > len(history[0])]
    return json.dumps([{key: float(f"{x:.5g}") for key, x in row.items()} for row in rows])


def _files(stem: str) -> list[Path]:
    return sorted(folder().glob(f"{stem}-{'[0-9a-f]' * 8}.safetensors"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
