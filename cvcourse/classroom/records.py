"""The record of a lesson's last run: one JSON file per lesson, replaced as a whole."""

import importlib.metadata
import json
import math
import os
import platform
import sys
import tomllib
from pathlib import Path

import torch

from cvcourse.classroom.device import is_first_process

try:
    import resource
except ImportError:  # Windows
    resource = None

PACKAGES = ("cvcourse", "torch", "numpy", "scikit-learn", "scikit-image", "accelerate")


def folder() -> Path:
    """`CVCOURSE_RECORDS`, or `build/records` of the course's folder, or of the current one."""
    if os.environ.get("CVCOURSE_RECORDS"):
        return Path(os.environ["CVCOURSE_RECORDS"]).expanduser()
    return (_around(Path.cwd()) or Path.cwd()) / "build" / "records"


def course() -> Path:
    """The course's folder: around this folder, or around this package, else this folder."""
    return _around(Path.cwd()) or _around(Path(__file__).parent) or Path.cwd()


def read(name: str) -> dict | None:
    """The record `name`, or None where there is none that can be read."""
    try:
        return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write(name: str, record: dict) -> None:
    """Replace the record `name` at once; of several processes, the first writes."""
    if not is_first_process():
        return
    folder().mkdir(parents=True, exist_ok=True)
    unfinished = folder() / f".{name}.{os.getpid()}.json"
    unfinished.write_text(
        json.dumps(_plain(record), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    unfinished.replace(folder() / f"{name}.json")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a lesson's numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far, in MB; None where it is not known."""
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def peak_gpu_memory_mb(device: torch.device) -> float | None:
    """Largest memory held by tensors on a CUDA device so far, in MB; None elsewhere."""
    if device.type != "cuda":
        return None
    return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)


def _around(folder: Path) -> Path | None:
    return next((f for f in [folder, *folder.parents] if _is_course(f / "pyproject.toml")), None)


def _is_course(pyproject: Path) -> bool:
    try:
        return tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["name"] == "cvcourse"
    except (OSError, ValueError, KeyError):
        return False


def _plain(value):
    """JSON knows no nan and no infinity: they are written as words."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
