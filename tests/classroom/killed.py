"""Run as a program: training runs that kill themselves, each in a process of its own.

`python -m tests.classroom.killed FOLDER` prints, for each way to die, how the process died and what
the run that was started after it ended with. The processes are forked, so that importing PyTorch is
paid for once.
"""

import hashlib
import importlib
import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path

import torch

from cvcourse.classroom.training import checkpoint as checkpoints
from tests.classroom import tiny

VARIANTS = {
    "plain": {},
    "generator": {"generator": 7},
    "workers": {"num_workers": 2},
}
EVERY_STEP = {"checkpoint_every": 1}
# The event during which a process kills itself, at which of its occurrences, and `fit`'s options.
WAYS_TO_DIE = {
    "in the first step": ("loss", 1, {"checkpoint_every": 2}),
    "before the first checkpoint": ("loss", 2, {"checkpoint_every": 2}),
    "mid-epoch": ("loss", 9, {"checkpoint_every": 2}),
    "mid-epoch, with a generator": ("loss", 9, {"checkpoint_every": 2, "variant": "generator"}),
    "mid-epoch, with workers": ("loss", 9, {"checkpoint_every": 2, "variant": "workers"}),
    "twice": ("loss", 6, {"checkpoint_every": 2}),
    "between epochs' checkpoints": ("loss", 7, {}),
    "in the last step": ("loss", tiny.BATCHES * tiny.EPOCHS, {"checkpoint_every": 4}),
    "validating": ("validate", 2, {"checkpoint_every": 2}),
    "writing weights": ("save weights", 4, EVERY_STEP),
    "writing the random state": ("save state", 3, EVERY_STEP),
    "adding up": ("add up", 12, EVERY_STEP),
    "before renaming": ("before renaming", 6, EVERY_STEP),
    "after renaming": ("after renaming", 6, EVERY_STEP),
    "removing an old one": ("remove", 3, EVERY_STEP),
    "keeping the best": ("keep best", 2, {}),
}


def die_at(event: str, occurrence: int):
    """Kill this process with SIGKILL at the given occurrence of an event."""
    import accelerate.checkpointing

    holder, name, counts = {
        "loss": (tiny, "loss", None),
        "validate": (tiny, "validate", None),
        "save weights": (accelerate.checkpointing, "save", None),
        "save state": (torch, "save", lambda _, to: Path(to).name.startswith("random-")),
        "add up": (checkpoints, "_sha256", None),
        "before renaming": (os, "replace", lambda source, to: to.name.startswith("step-")),
        "after renaming": (os, "replace", lambda source, to: to.name.startswith("step-")),
        "remove": (checkpoints.shutil, "rmtree", lambda path, **_: path.suffix == ".removed"),
        "keep best": (os, "replace", lambda source, to: to.name.startswith("best-")),
    }[event]
    function, seen = getattr(holder, name), 0

    def deadly(*arguments, **options):
        nonlocal seen
        seen += counts is None or counts(*arguments, **options)
        if seen == occurrence:
            if event == "save state":
                Path(arguments[1]).write_bytes(b"half a fi")
            if event == "after renaming":
                function(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    setattr(holder, name, deadly)


def train(folder: Path, *, variant="plain", **options) -> dict:
    loader = dict(VARIANTS[variant])
    if "generator" in loader:
        loader["generator"] = torch.Generator().manual_seed(loader["generator"])
    tiny.seed()
    model, history = tiny.train(
        folder, loader=tiny.make_loader(**loader), keep_best="highest", **options, loss=tiny.loss
    )
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    return {"weights": hashlib.sha256(weights).hexdigest(), "history": list(history)}


def doomed(work, event: str, occurrence: int):
    die_at(event, occurrence)
    return work()


def in_a_process(work) -> tuple[str, dict | None]:
    """How a child process that does `work` ends, and what `work` gave."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            result = work()
            with os.fdopen(write, "w", encoding="utf-8") as pipe:
                json.dump(result, pipe)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name, None
    return f"exit {os.WEXITSTATUS(status)}", json.loads(said) if said else None


def main(root: Path) -> dict:
    told = {}
    for variant in VARIANTS:
        work = partial(train, root / f"whole {variant}", variant=variant)
        told[f"whole {variant}"] = in_a_process(work)[1]
    for way, (event, occurrence, options) in WAYS_TO_DIE.items():
        folder = root / way

        work = partial(train, folder, **options)
        deaths, left = [], []
        for _ in range(2 if way == "twice" else 1):
            deaths.append(in_a_process(partial(doomed, work, event, occurrence))[0])
            left = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        status, end = in_a_process(work)
        told[way] = {
            "deaths": deaths,
            "left": left,
            "status": status,
            "end": end,
            "expected": told[f"whole {options.get('variant', 'plain')}"],
            "remains": sorted(path.name for path in folder.iterdir()),
        }
    return told


if __name__ == "__main__":
    torch.set_num_threads(1)
    for module in ("accelerate", "safetensors.torch", "torch._dynamo", "tqdm.auto"):
        importlib.import_module(module)  # once, not in each process

    print(json.dumps(main(Path(sys.argv[1]))))
