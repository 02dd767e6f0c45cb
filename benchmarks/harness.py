"""How every benchmark here is run: right first, then fast, and side by side.

A `bench_*.py` module offers `cases()`, which yields `Case` objects. `compare(case)` then

1. builds the inputs, runs ours and every peer once, and raises if a value or a gradient differs
   (a peer named in `different` measures another quantity: it is timed, marked *, and not checked);
2. runs ours and the peers in turn, in one process, round after round, so that whatever else the
   machine does hits all of them alike;
3. reports the median and the quartiles of each, and the ratio of medians: peer over ours;
4. reports how much resident memory one call of each adds at its peak (Linux only, else nan).

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
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor


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
    ours_mb: float
    peer_mb: float
    rounds: int

    @property
    def ratio(self) -> float:
        return self.peer_quartiles[1] / self.ours_quartiles[1]


def compare(case: Case, *, threads: int = 2, seconds: float = 10.0, rounds: int = 100) -> list[Row]:
    """One row per peer, from at most `rounds` rounds and (unless three take longer) `seconds`."""
    functions = {"ours": case.ours, **case.peers}
    with _threads(threads):
        torch.manual_seed(0)
        inputs = case.inputs()
        _check(case, inputs)
        memory = {name: _peak_mb(f, inputs) for name, f in functions.items()}
        times: dict[str, list[float]] = {name: [] for name in functions}
        start = time.perf_counter()
        for done in range(rounds):
            if done >= 3 and time.perf_counter() - start > seconds:
                break
            for name, f in functions.items():
                times[name].append(_milliseconds(f, inputs))
    quartiles = {name: tuple(statistics.quantiles(ms, n=4)) for name, ms in times.items()}
    return [
        Row(
            case=case,
            peer=peer,
            ours_quartiles=quartiles["ours"],
            peer_quartiles=quartiles[peer],
            ours_mb=memory["ours"],
            peer_mb=memory[peer],
            rounds=len(times[peer]),
        )
        for peer in case.peers
    ]


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
