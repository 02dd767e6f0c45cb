"""Automatic domain randomisation: simulate ever more variety, as fast as the model keeps up.

    φ: a range [low, high] for each parameter of the simulator, at first a point
    train on environments drawn from the whole box; meanwhile, again and again:
        pin one parameter to one end of its range, measure the model there, note it for that end
        m notes: their mean >= t_high moves the end outwards, <= t_low inwards; notes are cleared

Each end is tested exactly where the model is weakest, and moves only when the model is ready.
Reference: OpenAI et al., Solving Rubik's Cube with a Robot Hand, 2019, arXiv:1910.07113.
"""

from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Boundary(NamedTuple):
    """One end, "low" or "high", of the range of one parameter."""

    parameter: int
    side: str


class AutomaticDomainRandomization:
    """Ranges of d parameters that widen and narrow by measured performance.

    Args:
        start: the calibrated value of each parameter, where low = high = start at first; or (low,
            high) pairs, to begin wider.
        step: Δ > 0 of each parameter, by which an end moves.
        limits: hard (low, high) of each. An end that starts at its limit never moves and is not
            tested: so a one-sided parameter, such as an amount of noise, starts at its low limit.
        t_low, t_high: thresholds on the mean performance, t_low < t_high.
        buffer: m, how many performances decide about an end.

    `low` and `high` (d,) are float64. Each end has its own notes, cleared by its decision; an end
    moves no further than its limit and the other end.

    Raises ValueError for lengths that differ, values outside the limits, steps that are not above
    0, a buffer that is not a whole number above 0, and thresholds out of order.
    """

    def __init__(
        self,
        start: Sequence[float | tuple[float, float]],
        *,
        step: Sequence[float],
        limits: Sequence[tuple[float, float]],
        t_low: float,
        t_high: float,
        buffer: int = 240,
    ) -> None:
        pairs = [x if isinstance(x, tuple | list) else (x, x) for x in start]
        if not len(pairs) == len(step) == len(limits) > 0:
            raise ValueError(
                f"start, step and limits must be as long, got {len(pairs)}, {len(step)}, "
                f"{len(limits)}"
            )
        like = {"dtype": torch.float64, "device": "cpu"}  # where a generator draws
        self.low, self.high = torch.tensor(pairs, **like).unbind(1)
        self.step = torch.tensor(step, **like)
        self.least, self.most = torch.tensor(limits, **like).unbind(1)
        in_order = (self.least <= self.low) & (self.low <= self.high) & (self.high <= self.most)
        if not in_order.all():
            raise ValueError(f"start must lie within limits, got {pairs} and {list(limits)}")
        if not (self.step > 0).all():
            raise ValueError(f"step must be above 0, got {list(step)}")
        if not t_low < t_high:
            raise ValueError(f"t_low must be below t_high, got {t_low} and {t_high}")
        if not buffer >= 1 or buffer % 1 != 0:
            raise ValueError(f"buffer must be a whole number, at least 1, got {buffer}")
        self.t_low, self.t_high, self.buffer = t_low, t_high, buffer
        movable = {"low": self.low > self.least, "high": self.high < self.most}
        self.boundaries = [
            Boundary(i, side)
            for i in range(len(pairs))
            for side in ("low", "high")
            if movable[side][i]
        ]
        self._notes: dict[Boundary, list[float]] = {b: [] for b in self.boundaries}

    def sample(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n parameters"]:
        """n environments for training, each parameter uniform in its range, by itself."""
        like = {"dtype": torch.float64, "device": "cpu"}
        share = torch.rand(n, len(self.low), generator=generator, **like)
        return self.low + share * (self.high - self.low)

    def sample_boundary(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> tuple[Boundary, Float[Tensor, "n parameters"]]:
        """One end, drawn at random, and n environments that are pinned to it; for measuring.

        The parameter is drawn first, then its side; the other parameters are as in `sample`.

        Raises ValueError where no end can move.
        """
        parameters = sorted({boundary.parameter for boundary in self.boundaries})
        if not parameters:
            raise ValueError("limits must leave an end that can move, got none")
        draw = partial(torch.randint, size=(), generator=generator, device="cpu")
        parameter = parameters[int(draw(len(parameters)))]
        sides = [b for b in self.boundaries if b.parameter == parameter]
        boundary = sides[int(draw(len(sides)))]
        environments = self.sample(n, generator=generator)
        environments[:, parameter] = getattr(self, boundary.side)[parameter]
        return boundary, environments

    def record(self, boundary: Boundary, performance: float) -> float:
        """Note what the model achieved at an end; returns how far the end moved, outwards positive.

        Raises ValueError for an end that cannot move, or a performance that is not finite.
        """
        boundary = Boundary(*boundary)
        if boundary not in self._notes:
            raise ValueError(f"boundary must be one of {self.boundaries}, got {boundary}")
        if not isfinite(performance):
            raise ValueError(f"performance must be a finite number, got {performance}")
        notes = self._notes[boundary]
        notes.append(float(performance))
        if len(notes) < self.buffer:
            return 0.0
        mean = sum(notes) / len(notes)
        notes.clear()
        outwards = int(mean >= self.t_high) - int(mean <= self.t_low)
        i, high = boundary.parameter, boundary.side == "high"
        end = self.high if high else self.low
        before = end[i].item()
        end[i] += self.step[i] * (outwards if high else -outwards)
        if high:
            end[i] = end[i].clamp(self.low[i], self.most[i])
        else:
            end[i] = end[i].clamp(self.least[i], self.high[i])
        return (end[i].item() - before) * (1 if high else -1)

    def entropy(self) -> float:
        """Mean log width of the ranges, in nats a parameter; -inf where one has no width."""
        return (self.high - self.low).log().mean().item()
