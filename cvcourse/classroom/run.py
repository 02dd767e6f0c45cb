"""A lesson's run: what it runs on, what it claims, and the record of both."""

import functools
import os
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from cvcourse.classroom import records
from cvcourse.classroom.device import (
    choose_device,
    choose_scale,
    choose_seed,
    describe_device,
    is_first_process,
    rehearsal,
)
from cvcourse.classroom.figures import style
from cvcourse.classroom.printing import say, show_any_character

Choice = TypeVar("Choice")


FORMS = ({"better", "than"}, {"lower", "than"}, {"value", "equals", "tolerance"}, {"holds"})


class ClaimError(AssertionError):
    """A sentence of a lesson does not hold by its own numbers."""


def begin(title: str, *, seed: int = 0, minutes: float | None = None) -> "Run":
    """Start a lesson: choose device and scale, seed everything, set the figure style, say so.

    title: the lesson's number and name, such as "04 One stage, and the class imbalance". The first
        word names the record, `build/records/04.json`.
    seed: for Python's, NumPy's and PyTorch's generators; `CVCOURSE_SEED` overrides it.
    minutes: what the lesson was measured to take at scale small on two CPU cores.
    """
    show_any_character()
    device, seed = choose_device(), choose_seed(seed)
    run = Run(title, seed=seed, device=device, scale=choose_scale(device))
    style.use()
    parts = [title, describe_device(device), f"scale {run.scale}", f"seed {seed}"]
    duration = run.usual_duration(minutes)
    if is_first_process():
        say(" · ".join([*parts, duration] if duration else parts))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries that a lesson calls use it)
    torch.manual_seed(seed)
    run.write_record()
    return run


class Run:
    """One run of a lesson; made by `begin`."""

    def __init__(self, title: str, *, seed: int, device: torch.device, scale: str):
        self.title = title
        self.seed = seed
        self.device = device
        self.scale = scale
        self.claims: list[dict] = []
        self.record_name = _record_name(title)
        self._started = time.time()
        self._earlier = records.read(self.record_name)

    def pick(self, *, small: Choice, full: Choice) -> Choice:
        """The value for this run's scale."""
        return small if self.scale == "small" else full

    def claim(
        self,
        sentence: str,
        *,
        better: float | None = None,
        lower: float | None = None,
        than: float | None = None,
        margin: float = 0.0,
        value: float | None = None,
        equals: float | None = None,
        tolerance: float | None = None,
        holds: bool | None = None,
        **numbers: float,
    ) -> None:
        """Check one sentence of the lesson by its numbers; print, record, and raise if it is false.

        One of four forms:
            claim(sentence, better=a, than=b, margin=m)         a > b + m
            claim(sentence, lower=a, than=b, margin=m)          a < b - m
            claim(sentence, value=a, equals=b, tolerance=t)     |a - b| <= t
            claim(sentence, holds=condition, name=number, ...)  whatever the condition says
        Further numbers may be named in any form; they are printed and recorded. Numbers are Python
        or NumPy numbers or tensors of one element.

        **Conventions**: `margin` is not negative; with `margin=0` equality does not hold. A claim
        in which any number is nan does not hold. A claim that cannot be checked in this run, for
        want of its data or at this scale, is not claimed but passed to `skip`.

        Raises ClaimError if the claim does not hold, ValueError if the arguments fit no form, or if
        no number could make it false.
        """
        parts = {"better": better, "lower": lower, "than": than, "value": value}
        parts |= {"equals": equals, "tolerance": tolerance, "holds": holds}
        parts = {name: part for name, part in parts.items() if part is not None}
        if parts.keys() not in FORMS or (margin and than is None):
            raise ValueError(
                "claim() takes exactly one of: better and than; lower and than (both with a margin "
                "or without); value, equals and tolerance; holds"
            )
        if holds is not None:
            verdict, relation, compared = _truth(holds), "", {}
        else:
            compared = _numbers(**parts) | ({} if than is None else _numbers(margin=margin))
            verdict, relation = _compare(**compared)
        named = _numbers(**numbers)
        verdict = verdict and not any(np.isnan(x) for x in [*compared.values(), *named.values()])
        shown = [relation] if relation else []
        shown += [f"{name} {_show(number)}" for name, number in named.items()]
        text = sentence + (f": {', '.join(shown)}" if shown else "")
        if rehearsal() == "lines":
            self.skip(sentence, "this is a rehearsal")
            return
        self.claims.append({"sentence": sentence, "holds": verdict, **compared, **named})
        self.write_record()
        if not verdict and rehearsal() != "claims":
            raise ClaimError(f"does not hold: {text}")
        if is_first_process():
            say(f"{'✓' if verdict else '✗ does not hold:'} {text}")

    def skip(self, sentence: str, reason: str) -> None:
        """Say and record that a claim is not checked in this run, and why.

        A lesson claims or skips: `if run.scale == "full": run.skip(sentence, "photographs have no
        known depth")`, `else: run.claim(sentence, ...)`. In the record its `holds` is null and
        `skipped` the reason.
        """
        if not reason.strip():
            raise ValueError("reason must say why the claim is skipped, but is empty")
        self.claims.append({"sentence": sentence, "holds": None, "skipped": reason})
        self.write_record()
        if is_first_process():
            say(f"– skipped, {reason}: {sentence}")

    def claims_unless(self, condition: bool, reason: str) -> Callable[..., None]:
        """`claim`, or where `condition` holds `skip` for this `reason`, for claims of one kind.

        `claim = run.claims_unless(run.scale == "full", "it is about small networks")`, and
        then `claim(sentence, better=a, than=b)`.
        """
        return functools.partial(self._skip_instead, reason) if condition else self.claim

    def _skip_instead(self, reason: str, sentence: str, **_: object) -> None:
        self.skip(sentence, reason)

    def claim_of_time(self, sentence: str, *, lower: float, than: float) -> None:
        """Claim that one measured time is below another; where it is not, skip and tell both.

        What else the machine does decides over clocks, so they fail no lesson.
        """
        numbers = _numbers(lower=lower, than=than)
        if numbers["lower"] < numbers["than"]:
            self.claim(sentence, **numbers)
        else:
            shown = [_show(number) for number in numbers.values()]
            self.skip(sentence, "by this clock {} is not below {}".format(*shown))

    def usual_duration(self, minutes: float | None) -> str:
        """How long the lesson takes, in words: as measured by its author, or as recorded here."""
        if minutes is not None and self.scale == "small":
            return f"takes about {_duration(60 * minutes)} on two CPU cores"
        earlier = self._earlier or {}
        alike = earlier.get("device") == describe_device(self.device)
        if alike and earlier.get("scale") == self.scale and earlier.get("claims"):
            return f"last time here its last claim came after {_duration(earlier['seconds'])}"
        return ""

    def write_record(self) -> None:
        """Write title, settings, claims, time so far and peak memory to the lesson's record."""
        records.write(
            self.record_name,
            {
                "title": self.title,
                "seed": self.seed,
                "device": describe_device(self.device),
                "scale": self.scale,
                "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._started)),
                "seconds": round(time.time() - self._started, 2),
                "peak_memory_mb": records.peak_memory_mb(),
                "peak_gpu_memory_mb": records.peak_gpu_memory_mb(self.device),
                "versions": records.versions(),
                "claims": self.claims,
            },
        )


def _record_name(title: str) -> str:
    words = re.findall(r"\w+", title)
    if not words:
        raise ValueError(f"title must contain a word, but is {title!r}")
    name = words[0] if words[0][0].isdigit() else "-".join(words).lower()
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # no name for a file in this locale: spelled as in web addresses
        return name.encode("punycode").decode()
    return name


def _compare(
    *, better=None, lower=None, than=None, margin=None, value=None, equals=None, tolerance=None
) -> tuple[bool, str]:
    """Whether the numbers are as claimed, and the claim in signs."""
    endless = {"than": than, "margin": margin, "equals": equals, "tolerance": tolerance}
    for name, number in endless.items():
        if number is not None and np.isinf(number):
            raise ValueError(f"{name} must be finite for a claim that could be false, not {number}")
    if value is not None:
        relation = f"{_show(value)} = {_show(equals)} ± {_show(tolerance)}"
        return abs(value - equals) <= tolerance, relation
    if margin < 0:
        raise ValueError(f"margin must not be negative, but is {margin}")
    if better is not None:
        by = f" + {_show(margin)}" if margin else ""
        return better > than + margin, f"{_show(better)} > {_show(than)}{by}"
    by = f" - {_show(margin)}" if margin else ""
    return lower < than - margin, f"{_show(lower)} < {_show(than)}{by}"


def _truth(holds) -> bool:
    if isinstance(holds, torch.Tensor | np.ndarray | np.generic):
        holds = holds.item()
    if not isinstance(holds, bool):
        raise ValueError(f"holds must be True or False, but is {holds!r}")
    return holds


def _numbers(**given) -> dict[str, float]:
    numbers = {}
    for name, number in given.items():
        try:
            numbers[name] = float(number)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{name} must be one number, but is {number!r}") from error
    return numbers


def _show(number: float) -> str:
    return f"{int(number):,}" if number.is_integer() and abs(number) < 1e15 else f"{number:.4g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds / 60:.1f} min"
