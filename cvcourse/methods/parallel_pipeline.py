"""Depth-parallel video networks: all modules work at once, on different frames (Carreira et al.).

    tick      1        2        3        4
    module 1  frame 1  frame 2  frame 3  frame 4
    module 2           frame 1  frame 2  frame 3
    module 3                    frame 1  frame 2   → an answer at each tick, two frames late

Throughput is that of the slowest module, latency stays. Deep features change slowly, so that deep
modules may run at every second or fourth tick only and hold what they made.
Reference: Carreira et al., Massively Parallel Video Networks, 2018, arXiv:1806.03863.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn


class DepthParallel:
    """A network cut into modules, fed one frame a tick.

    Args:
        modules: the network in D parts, each from one tensor to one tensor.
        every: for each module, at which multiples of ticks it runs; 1 for all if not given. In
            between its last output stays.

    `step(frame)` is one tick; `reset()` begins another video. With `every` of 1 the answer at tick
    t is the whole network's on frame t - D + 1.

    Raises ValueError for no modules, or `every` of another length or below 1.
    """

    def __init__(self, modules: Sequence[nn.Module], every: Sequence[int] | None = None) -> None:
        every = [1] * len(modules) if every is None else list(every)
        if not modules or len(every) != len(modules) or min(every) < 1:
            raise ValueError(
                "every: expected a number >= 1 for each of at least one module, "
                f"got {every} for {len(modules)}"
            )
        self.modules, self.every = list(modules), every
        self.reset()

    def reset(self) -> None:
        self.tick = 0
        self.outputs: list[Tensor | None] = [None] * len(self.modules)

    def step(self, frame: Tensor) -> Tensor | None:
        """The newest answer, None while the first frame is still on its way.

        Modules run in the order of the ticks before them: each sees what its neighbour made at an
        earlier tick, so that all of one tick could run at the same time.
        """
        inputs = [frame, *self.outputs[:-1]]
        for i, (module, x) in enumerate(zip(self.modules, inputs, strict=True)):
            if x is not None and self.tick % self.every[i] == 0:
                self.outputs[i] = module(x)
        self.tick += 1
        return self.outputs[-1]


class Schedule(NamedTuple):
    """Of a network in units that work at the same time, each on another frame."""

    period: float  # time between two answers
    latency: float  # from a frame to the first answer that has seen it


def pipeline_schedule(costs: Sequence[float], units: Sequence[int] | None = None) -> Schedule:
    """Period and latency of modules of given costs (seconds), in units of consecutive modules.

    Args:
        costs: of each module, >= 0.
        units: how many modules each unit has; one a unit if not given. `[len(costs)]` is the
            network as it is: one unit, period and latency the sum.

    All units wait for the slowest: the period is its cost, and the latency as many periods as there
    are units. The work for one frame stays the same.

    Raises ValueError for no costs, negative or infinite ones or nan, or units that do not add up to
    all modules.
    """
    units = [1] * len(costs) if units is None else list(units)
    if not costs or not all(0 <= cost < float("inf") for cost in costs):
        raise ValueError(f"costs: expected at least one, all >= 0 and finite, got {list(costs)}")
    if sum(units) != len(costs) or min(units) < 1:
        raise ValueError(f"units: expected to add up to {len(costs)} modules, got {units}")
    ends = [sum(units[: i + 1]) for i in range(len(units))]
    period = max(sum(costs[end - n : end]) for n, end in zip(units, ends, strict=True))
    return Schedule(period, period * len(units))
