"""What comes with a lesson because it takes longer than its minute: when it is read, when made."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from cvcourse.classroom.device import is_first_process
from cvcourse.classroom.run import Run

CHOICES = ("", "train", "save")
SCRIPT = "data_scripts/lesson_weights.py"

_written = ContextVar("_written", default=True)


def stem_of(run: Run, name: str, lesson: str | None = None) -> str:
    """What the file's name begins with: NN-NAME, for this lesson or the one that is named."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"name must be lower-case words and hyphens, but is {name!r}")
    return f"{lesson or run.record_name}-{name}"


def what_to_do(run: Run, *, ours: bool = True) -> Literal["read", "make", "write"]:
    """Read the file, make its content here, or make and write it, by scale and CVCOURSE_WEIGHTS.

    ours: whether it is a file of this lesson; others' are never written, but read in place of it.
    """
    choice = os.environ.get("CVCOURSE_WEIGHTS", "")
    if choice not in CHOICES:
        raise ValueError(f"CVCOURSE_WEIGHTS must be 'train' or 'save', not {choice!r}")
    if run.scale == "full" or choice == "train":
        return "make"
    if not choice or not ours:
        return "read"
    return "write" if _written.get() and is_first_process() else "make"


@contextmanager
def nothing_written() -> Iterator[None]:
    """Within it, what would be written is only made."""
    before = _written.set(False)
    try:
        yield
    finally:
        _written.reset(before)
