"""Weights that come slowly and go slowly (Laine and Aila 2016, arXiv:1610.02242).

Before a network knows anything, its own opinion is no target: the weight of consistency begins near
nothing. The same rise serves the learning rate; the fall serves the learning rate and Adam's β₁.
"""

import math


def sigmoid_rampup(step: float, length: float) -> float:
    """exp(-5 (1 - step / length)²): from 0.0067 at step 0 to 1 at `length`, and 1 from there on.

    Steps may be those of the optimiser or epochs; both as `length` counts them. A length of 0 is no
    ramp. Raises ValueError for a negative length or a negative step.
    """
    _check(step=step, length=length)
    if step >= length:
        return 1.0
    return math.exp(-5 * (1 - step / length) ** 2)


def sigmoid_rampdown(step: float, length: float, total: float) -> float:
    """1 until `total - length`, then exp(-12.5 (1 - (total - step) / length)²), 3.7e-6 at the end.

    The learning rate times this; and Adam's β₁ goes with it from 0.9 to 0.5. Beyond `total` it
    stays at its last value. Raises ValueError for negative numbers.
    """
    _check(step=step, length=length, total=total)
    left = max(0.0, total - step)
    if left >= length:
        return 1.0
    return math.exp(-12.5 * (1 - left / length) ** 2)


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
