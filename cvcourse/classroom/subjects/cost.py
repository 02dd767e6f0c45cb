"""What an answer of a network costs: time, and arithmetic."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.training.evaluation import evaluating


def milliseconds(
    call: Callable[[], object], *, repeats: int = 9, device: torch.device | str | None = None
) -> tuple[float, float, float]:
    """(median, low, high) of what one `call()` takes; half of the calls took low to high.

    call: without arguments, such as `lambda: model(picture)`. It is called once to warm up, then
        `repeats` times, without gradients.
    device: on which it computes; None is the course's.

    **Conventions**: on a CPU it is the time of one core, so that neither other programs nor the
    number of cores count. On a GPU it is the time until the answer is there.

    Raises ValueError for less than one repeat.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, but is {repeats}")
    clock = _clock(torch.device(device) if device is not None else choose_device())
    threads, times = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            call()
            for _ in range(repeats):
                start = clock()
                call()
                times.append(1000 * (clock() - start))
    finally:
        torch.set_num_threads(threads)
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75]).tolist()
    return median, low, high


def multiply_adds(model: nn.Module, *inputs) -> int:
    """How many multiplications (each with its addition) `model(*inputs)` makes in all.

    Those of convolutions, matrix products and attention, as papers count them: normalisation,
    pooling, resizing and activations are left out. Model and inputs may be on the `meta` device,
    where nothing is computed. The model's mode and statistics are kept.
    """
    with FlopCounterMode(display=False) as counter, evaluating(model):
        model(*inputs)
    return counter.get_total_flops() // 2  # PyTorch counts a multiply-add as two


def _clock(device: torch.device) -> Callable[[], float]:
    if device.type == "cpu":
        return time.process_time
    synchronize = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}[device.type]

    def when_done() -> float:
        synchronize()
        return time.perf_counter()

    return when_done
