"""How every benchmark here is run: right first, then fast, and side by side.

A `bench_*.py` module offers `cases()`, which yields `Case` objects. `compare(case)` then

1. builds the inputs, runs ours and every peer once, and raises if a value or a gradient differs
   (a peer named in `different` measures another quantity: it is timed, marked *, and not checked);
2. runs ours and the peers in turn, in one process, round after round, each in another order, so
   that whatever else the machine does hits all of them alike;
3. reports the median and the quartiles of each, and of the rounds' ratios, peer over ours, the
   median and its 95 % interval;
4. reports how much resident memory one call of each adds at its peak (Linux only, else nan).

Where the inputs are on a CUDA device, times are those between two CUDA events, and memory is what
PyTorch allocates there.

    def cases():
        yield Case(
            name="box_iou",
            sizes="4000 x 400",
            inputs=lambda: (random_boxes(4000), random_boxes(400)),
            ours=box_iou,
            peers={"kornia": kornia_box_iou},
            target={"kornia": 2.5},
        )

Where an input requires grad, a run is forward and backward (of the sum of the output).
Peers that cannot be installed beside this package are written out in the benchmark, from their
published algorithm, and say so in their name: "torchvision (its formula)".
"""

import ctypes
import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

LEAST_ROUNDS = 6


@dataclass(frozen=True, kw_only=True)
class Case:
    """One function of ours, at one size, and the peers that compute the same."""

    name: str
    sizes: str  # for the table: "8 x 100k anchors x 20 classes"
    inputs: Callable[[], tuple]  # built when the case runs, freed after it
    ours: Callable
    peers: dict[str, Callable]
    target: dict[str, float] = field(default_factory=dict)  # least wanted ratio, by peer
    different: Collection[str] = ()  # peers that compute another quantity: timed, not checked
    rtol: float = 1e-4
    atol: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class Row:
    """Ours against one peer. Times in ms, memory in MB."""

    case: Case
    peer: str
    ours_quartiles: tuple[float, float, float]
    peer_quartiles: tuple[float, float, float]
    ratio: float  # median over the rounds of peer / ours
    interval: tuple[float, float]  # of that median, 95 %
    ours_mb: float
    peer_mb: float
    rounds: int


def compare(case: Case, *, threads: int = 2, seconds: float = 10.0, rounds: int = 100) -> list[Row]:
    """One row per peer, from at most `rounds` rounds and (unless six take longer) `seconds`."""
    functions = {"ours": case.ours, **case.peers}
    with _threads(threads):
        torch.manual_seed(0)
        inputs = case.inputs()
        _check(case, inputs)
        on_cuda = any(isinstance(x, Tensor) and x.is_cuda for x in inputs)
        milliseconds = _cuda_milliseconds if on_cuda else _milliseconds
        peak_mb = _cuda_peak_mb if on_cuda else _peak_mb
        memory = {name: peak_mb(f, inputs) for name, f in functions.items()}
        times: dict[str, list[float]] = {name: [] for name in functions}
        order, start = random.Random(0), time.perf_counter()
        for done in range(rounds):
            if done >= LEAST_ROUNDS and time.perf_counter() - start > seconds:
                break
            for name in order.sample(list(functions), len(functions)):
                times[name].append(milliseconds(functions[name], inputs))
    quartiles = {name: tuple(statistics.quantiles(ms, n=4)) for name, ms in times.items()}
    ratios = {
        peer: [p / o for p, o in zip(times[peer], times["ours"], strict=True)]
        for peer in case.peers
    }
    return [
        Row(
            case=case,
            peer=peer,
            ours_quartiles=quartiles["ours"],
            peer_quartiles=quartiles[peer],
            ratio=statistics.median(ratios[peer]),
            interval=median_interval(ratios[peer]),
            ours_mb=memory["ours"],
            peer_mb=memory[peer],
            rounds=len(times[peer]),
        )
        for peer in case.peers
    ]


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The two of `values` that have the true median between them, with 95 % certainty at least.

    Whatever their distribution, each of n independent values lies below its median as a coin falls.
    Fewer than six cannot be as certain: those give the smallest and the largest.
    """
    n, values = len(values), sorted(values)
    outside, missed = 0, 2 / 2**n  # values to leave out at either end, and how often that misses
    while missed + 2 * math.comb(n, outside + 1) / 2**n <= 0.05:
        outside += 1
        missed += 2 * math.comb(n, outside) / 2**n
    return values[outside], values[n - 1 - outside]


def run(f: Callable, inputs: tuple) -> tuple[object, tuple[Tensor, ...]]:
    """Value of `f(*inputs)` and the gradients of its sum, for the inputs that require one."""
    leaves = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    value = f(*inputs)
    if not leaves:
        return value, ()
    return value.detach(), torch.autograd.grad(value.sum(), leaves)


def _check(case: Case, inputs: tuple) -> None:
    ours = run(case.ours, inputs)
    for name, peer in case.peers.items():
        if name in case.different:
            continue
        torch.testing.assert_close(
            ours,
            run(peer, inputs),
            rtol=case.rtol,
            atol=case.atol,
            msg=lambda text, name=name: f"{case.name} differs from {name}: {text}",
        )


def _milliseconds(f: Callable, inputs: tuple) -> float:
    start = time.perf_counter()
    result = run(f, inputs)
    elapsed = time.perf_counter() - start
    del result
    return 1e3 * elapsed


def _peak_mb(f: Callable, inputs: tuple) -> float:
    """Growth of resident memory at the peak of one call: the kernel's own high-water mark."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # give freed pages back, so that none is reused
        # set the high-water mark to the present
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        before = _status_mb("VmRSS")
        run(f, inputs)
        return max(0.0, _status_mb("VmHWM") - before)
    except OSError:
        return math.nan


def _cuda_milliseconds(f: Callable, inputs: tuple) -> float:
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    result = run(f, inputs)
    end.record()
    end.synchronize()
    del result
    return start.elapsed_time(end)


def _cuda_peak_mb(f: Callable, inputs: tuple) -> float:
    gc.collect()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(f, inputs)
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def _status_mb(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
