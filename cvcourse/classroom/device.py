"""Where, how large and from which seed a lesson runs: what the environment says, or the default."""

import os
from typing import Literal

import torch

DEVICES = ("cpu", "cuda", "mps")
SCALES = ("small", "full")


def choose_device() -> torch.device:
    """The best device of this machine, or the one that `CVCOURSE_DEVICE` names.

    Under a launcher that starts one process per GPU, the GPU is the one of this process.

    Raises ValueError if `CVCOURSE_DEVICE` is none of cpu, cuda, mps; RuntimeError if that device is
    absent.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    asked = os.environ.get("CVCOURSE_DEVICE", "")
    if asked and asked not in DEVICES:
        raise ValueError(f"CVCOURSE_DEVICE must be one of {', '.join(DEVICES)}, not {asked!r}")
    if asked and not present[asked]:
        usable = ", ".join(name for name in DEVICES if present[name])
        raise RuntimeError(
            f"CVCOURSE_DEVICE={asked}, but PyTorch {torch.__version__} finds no {asked} device on "
            f"this machine (usable: {usable})."
        )
    name = asked or next(name for name in present if present[name])
    if name == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def choose_scale(device: torch.device) -> str:
    """`small` on a CPU, `full` elsewhere, unless `CVCOURSE_SCALE` names one of the two.

    Raises ValueError for any other `CVCOURSE_SCALE`.
    """
    asked = os.environ.get("CVCOURSE_SCALE", "")
    if asked and asked not in SCALES:
        raise ValueError(f"CVCOURSE_SCALE must be one of {', '.join(SCALES)}, not {asked!r}")
    return asked or ("small" if device.type == "cpu" else "full")


def choose_seed(seed: int) -> int:
    """`seed`, unless `CVCOURSE_SEED` names another.

    Raises ValueError for a `CVCOURSE_SEED` that is not a whole number from 0 to 2**32 - 1.
    """
    asked = os.environ.get("CVCOURSE_SEED", "")
    if not asked:
        return seed
    if not (asked.isascii() and asked.isdigit() and int(asked) < 2**32):
        raise ValueError(f"CVCOURSE_SEED must be a whole number below 2**32, not {asked!r}")
    return int(asked)


def rehearsal() -> Literal["", "lines", "claims"]:
    """What `CVCOURSE_REHEARSE` asks for (`make rehearse` sets it): nothing, as a rule.

    lines: every line is to run once, results do not matter: trainings end after two steps (where
    players take turns, after one of each), and claims are skipped. claims: those that do not hold
    are recorded and told, and the lesson goes on.

    Raises ValueError for any other word.
    """
    asked = os.environ.get("CVCOURSE_REHEARSE", "")
    if asked not in ("", "lines", "claims"):
        raise ValueError(f"CVCOURSE_REHEARSE must be 'lines' or 'claims', not {asked!r}")
    return asked


def fewer(number: int, most: int) -> int:
    """The number; in a rehearsal of lines `most`, if it is larger."""
    return min(number, most) if rehearsal() == "lines" else number


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of those that a launcher started."""
    return os.environ.get("RANK", "0") == "0"


def describe_device(device: torch.device) -> str:
    """The device in words: `cpu`, `mps`, or `cuda (NVIDIA H200)`."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
