"""Checkpoints that are there whole or not at all.

A checkpoint is a folder with a manifest of its files' SHA-256. It is written under another name and
renamed when complete; the one before it stays. What does not agree with its manifest is set aside
as `NAME.damaged`, never used.
"""

import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path

from torch import nn

from cvcourse.classroom.training._weight_files import read_weights, write_weights

MANIFEST = "manifest.json"


def stored(folder: Path, kind: str) -> list[Path]:
    """The complete checkpoints of one kind, newest first."""
    return sorted((p for p in folder.glob(f"{kind}-????????") if p.is_dir()), reverse=True)


def newest_good(folder: Path, kind: str) -> Path | None:
    """The newest checkpoint that agrees with its manifest; damaged ones are set aside."""
    for path in stored(folder, kind):
        damage = _damage(path)
        if damage is None:
            return path
        aside = _free_name(path.with_name(f"{path.name}.damaged"))
        path.rename(aside)
        warnings.warn(
            f"checkpoint {path} is damaged ({damage}); it was set aside as {aside.name}",
            stacklevel=2,
        )
    return None


def unfinished(folder: Path, kind: str, step: int) -> Path:
    """Where a checkpoint is written before it is one."""
    return folder / f".{kind}-{step:08d}.unfinished"


def start_writing(path: Path) -> None:
    """Make the empty folder that `finish_writing` turns into a checkpoint; drop older remains."""
    _remove_remains(path.parent)
    path.mkdir(parents=True)


def finish_writing(written: Path, *, keep: int) -> Path:
    """Add the manifest, rename the folder to its final name, drop all but the newest `keep`."""
    sums = {p.name: _sha256(p) for p in sorted(written.iterdir())}
    (written / MANIFEST).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
    path = written.with_name(written.name.removeprefix(".").removesuffix(".unfinished"))
    _remove(path)
    os.replace(written, path)
    for old in stored(path.parent, path.name.split("-")[0])[keep:]:
        _remove(old)
    return path


def give_up(written: Path) -> None:
    """Remove what cannot be finished."""
    shutil.rmtree(written, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove all checkpoints of a folder, finished and unfinished, but nothing else."""
    _remove_remains(folder)
    for path in [*stored(folder, "step"), *stored(folder, "best")]:
        _remove(path)


def save_best(model: nn.Module, folder: Path, step: int) -> None:
    """Keep the weights as the best so far."""
    path = unfinished(folder, "best", step)
    start_writing(path)
    write_weights(model, path / "model.safetensors")
    finish_writing(path, keep=1)


def best_after_resume(folder: Path, step: int) -> Path | None:
    """The best weights of a run that goes back to where its best step was `step`, if they are good.

    Those that it had kept later are removed: it will come to them again.
    """
    for path in stored(folder, "best"):
        if _step(path) > step:
            _remove(path)
    return newest_good(folder, "best")


def load_best(model: nn.Module, folder: str | Path) -> int:
    """Load the weights that `fit(..., checkpoint=folder, keep_best=...)` kept; return their step.

    Raises FileNotFoundError where there are none, ValueError where they are another model's.
    """
    path = newest_good(Path(folder).expanduser(), "best")
    if path is None:
        raise FileNotFoundError(f"no best weights were kept in {folder}")
    try:
        read_weights(model, path / "model.safetensors")
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} are another model's: {error}") from error
    return _step(path)


def _step(path: Path) -> int:
    return int(path.name.split("-")[1])


def _damage(path: Path) -> str | None:
    try:
        sums = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if not sums:
            return f"{MANIFEST} is empty"
        for name, expected in sums.items():
            if _sha256(path / name) != expected:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError):
        return f"{MANIFEST} cannot be read"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _free_name(path: Path) -> Path:
    taken = sum(1 for _ in path.parent.glob(f"{path.name}*"))
    return path.with_name(f"{path.name}{taken + 1}") if taken else path


def _remove_remains(folder: Path) -> None:
    for pattern in (".step-????????.*", ".best-????????.*"):
        for remains in folder.glob(pattern):
            shutil.rmtree(remains)


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no half of it is ever taken for a whole."""
    if path.exists():
        doomed = path.with_name(f".{path.name}.removed")
        os.replace(path, doomed)
        shutil.rmtree(doomed)
