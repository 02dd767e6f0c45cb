"""Numbers of several trainings that come with the course, measured by the lesson's own cell."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from cvcourse.classroom import records
from cvcourse.classroom.device import is_first_process, rehearsal
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.training._shipped import SCRIPT, nothing_written, stem_of, what_to_do

KEYS = ("seeds", "values", "cpu_seconds", "torch")


def repeated(
    run: Run,
    name: str,
    once: Callable[[int], Mapping[str, float]],
    seeds: Sequence[int] = (0, 1, 2),
    *,
    weights: bool = False,
) -> dict[str, np.ndarray]:
    """What `once(seed)` measures for each seed, by name: float64 arrays (seeds,).

    At scale small the numbers are read from `lessons/tables/NN-NAME.json`, which holds what the
    same call once gave; the cell says so, and how long it took. Anywhere else, or with
    `CVCOURSE_WEIGHTS=train`, `once` is called for each seed, here and now. `python
    data_scripts/lesson_weights.py NN` runs lesson NN with `CVCOURSE_WEIGHTS=save`, which also
    replaces the table.

    name: words and hyphens, one for each call in a lesson. once: trains and measures; gives finite
        numbers, by the same names for each seed. weights: whether calls of `trained` inside `once`
        may write their files (then each seed needs a name of its own); otherwise they only train.

    **Conventions**: PyTorch's generator is seeded with the seed before each call of `once`, and
    with `run.seed` at the end, so that a lesson goes on alike either way. In a rehearsal, which
    asks whether each line runs and believes no number, the first seed stands for all.

    Raises FileNotFoundError where there is no such table, ValueError where it is damaged or of
    other seeds, where `once` gives other names or numbers that are not finite, or where
    `CVCOURSE_WEIGHTS` is none of "train" and "save".
    """
    seeds = _checked(seeds)
    stem, task = stem_of(run, name), what_to_do(run)
    if task == "read":
        table = _read(folder() / f"{stem}.json", seeds, remedy=f"{SCRIPT} {run.record_name}")
        if is_first_process():
            say(
                f"{stem}: seeds {', '.join(map(str, seeds))} were measured by this cell in "
                f"{table['cpu_seconds'] / 60:.1f} minutes of one CPU core with torch "
                f"{table['torch']}; CVCOURSE_WEIGHTS=train measures anew"
            )
        values = table["values"]
    else:
        started = time.process_time()
        with nullcontext() if weights else nothing_written():
            rehearsed = rehearsal() == "lines"
            values = _measure(once, seeds[:1] if rehearsed else seeds)
        if rehearsed:
            values = {key: of_one * len(seeds) for key, of_one in values.items()}
        elif task == "write":
            seconds = round(time.process_time() - started, 1)
            contents = (list(seeds), values, seconds, torch.__version__)
            _write(folder() / f"{stem}.json", dict(zip(KEYS, contents, strict=True)))
    torch.manual_seed(run.seed)
    return {key: np.array(of_seeds, dtype=np.float64) for key, of_seeds in values.items()}


def folder() -> Path:
    """Where the tables are: `lessons/tables` of the course."""
    return records.course() / "lessons" / "tables"


def _measure(once: Callable, seeds: tuple[int, ...]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for seed in seeds:
        torch.manual_seed(seed)
        measured = once(seed)
        if not isinstance(measured, Mapping) or not measured:
            raise ValueError(f"once must give numbers by name, but gave {measured!r}")
        if values and measured.keys() != values.keys():
            raise ValueError(
                f"once must give the same names for each seed, but gave {', '.join(values)}, and "
                f"for seed {seed} {', '.join(measured)}"
            )
        for key, number in measured.items():
            if not math.isfinite(number := float(number)):
                raise ValueError(f"{key} is {number} for seed {seed}: only finite numbers are kept")
            values.setdefault(key, []).append(number)
    return values


def _read(path: Path, seeds: tuple[int, ...], remedy: str) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}; make it with {remedy}")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        sound = (
            table.keys() == set(KEYS)
            and table["cpu_seconds"] >= 0
            and table["values"]
            and all(
                len(of_seeds) == len(table["seeds"]) and all(map(math.isfinite, of_seeds))
                for of_seeds in table["values"].values()
            )
        )
    except (ValueError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ValueError(f"{path} is damaged; make it anew with {remedy}")
    if tuple(table["seeds"]) != seeds:
        raise ValueError(
            f"{path.name} holds seeds {table['seeds']}, asked for are {list(seeds)}; make it anew "
            f"with {remedy}"
        )
    return table


def _write(path: Path, table: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}")
    unfinished.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _checked(seeds: Sequence[int]) -> tuple[int, ...]:
    seeds = tuple(seeds)
    if not seeds or len(set(seeds)) < len(seeds) or not all(type(seed) is int for seed in seeds):
        raise ValueError(f"seeds must be different whole numbers, but are {seeds}")
    return seeds
