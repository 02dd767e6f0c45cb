"""How many scenes and clips one core makes in a second: `python -m benchmarks.bench_scenes`.

There is no peer that makes the same pictures, so nothing here is a ratio, and
`python -m benchmarks` finds no case. The wanted rate is the project's own: 300 pictures of
128 x 128 with 4 objects. Times are of the process, not of the wall clock, so that other programs
disturb them less.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from cvcourse.data.scenes import CLASSES, DIGITS, RENDERED_DIGITS, Clips, Scenes

RESULTS = Path(__file__).with_name("SCENES.md")
HEAD = """\
| what | size | objects | a second | quartiles | wanted |
|---|---|---:|---:|---:|---:|"""
HISTORY = """\
## Clips before and after

2026-11-30, the same pixels and targets, bit for bit. Clips or scenes a second with 4 objects, in
13 rounds that took turns, each version in a process of its own; medians, and the ratio's median
and quartiles.

| what | size | at first | before | after | after / first | after / before |
|---|---|---:|---:|---:|---:|---:|
| clips of 8 frames | 64 x 64 | 57 | 66 | 123 | 2.19 (2.14–2.31) | 1.94 (1.83–2.04) |
| clips of 8 frames | 128 x 128 | 22.8 | 28.9 | 44.4 | 1.95 (1.91–1.99) | 1.52 (1.49–1.55) |
| scenes | 64 x 64 | 676 | 665 | 656 | 0.97 (0.92–1.00) | 0.95 (0.90–1.02) |
| scenes | 128 x 128 | 461 | 489 | 476 | 1.01 (0.99–1.06) | 0.98 (0.96–0.99) |

A clip of 128 x 128 takes 13 MB, which the C library gives back and asks for again: 3,300 page
faults. In a process that has freed a larger array before, as training does, there are hardly any
(8 rounds):

| what | size | at first | before | after | after / first | after / before |
|---|---|---:|---:|---:|---:|---:|
| clips of 8 frames | 128 x 128 | 27.8 | 38.6 | 68.1 | 2.42 (2.36–2.48) | 1.75 (1.71–1.78) |

2026-12-01, another machine (Intel Xeon, beside other programs, process time): "after" now keeps
those pages from the first picture on, the same pixels and targets again. 6 rounds, each version in
a fresh process.

| what | size | at first | before | after | after / first | after / before |
|---|---|---:|---:|---:|---:|---:|
| clips of 8 frames | 64 x 64 | 51 | 119 | 119 | 2.36 (2.18–2.54) | 1.01 (0.95–1.06) |
| clips of 8 frames | 128 x 128 | 20.7 | 39.2 | 47.8 | 2.32 (2.07–2.46) | 1.21 (1.13–1.29) |
| scenes | 128 x 128 | 389 | 400 | 390 | 1.03 (0.96–1.11) | 0.99 (0.89–1.09) |
| scenes | 512 x 512 | 25.4 | 27.7 | 37.3 | 1.47 (1.34–1.74) | 1.31 (1.22–1.54) |
"""
SETTINGS = [  # what, size, objects, wanted a second, data set
    ("scenes", 64, 4, None, lambda n: Scenes(n, size=64, objects=4)),
    ("scenes", 128, 4, 300, lambda n: Scenes(n, size=128, objects=4)),
    ("scenes, all extras", 128, 4, None, lambda n: Scenes(
        n, objects=4, extras=("full_masks", "albedo", "alpha", "background", "shading"))),
    ("scenes of handwritten digits", 128, 4, None, lambda n: Scenes(n, objects=4, classes=DIGITS)),
    ("scenes of rendered digits", 128, 4, None,
     lambda n: Scenes(n, objects=4, classes=RENDERED_DIGITS)),
    ("scenes, touching cells", 128, 20, None, lambda n: Scenes(
        n, objects=20, classes=(CLASSES[0], "blob"), placement="touching", scale=(0.15, 0.25))),
    ("scenes", 256, 4, None, lambda n: Scenes(n, size=256, objects=4)),
    ("scenes", 512, 4, None, lambda n: Scenes(n, size=512, objects=4)),
    ("clips of 8 frames", 64, 4, None, lambda n: Clips(n, frames=8, size=64, objects=4)),
    ("clips of 8 frames", 128, 4, None, lambda n: Clips(n, frames=8, size=128, objects=4)),
]  # fmt: skip


def cases() -> list:
    """Nothing to compare with; see `table`."""
    return []


def table(seconds: float = 3.0) -> list[str]:
    """Rows in Markdown, without the head."""
    return [_row(*setting, seconds=seconds) for setting in SETTINGS]


def _row(what, size, objects, wanted, make, *, seconds: float) -> str:
    rates = _rates(make(1_000_000), seconds)
    low, median, high = statistics.quantiles(rates, n=4)
    short = " **short**" if wanted and median < wanted else ""
    target = f"{wanted}{short}" if wanted else ""
    cells = [what, f"{size} x {size}", objects, f"{median:.0f}", f"{low:.0f}–{high:.0f}", target]
    return f"| {' | '.join(map(str, cells))} |"


def _rates(dataset, seconds: float) -> list[float]:
    """Samples a second in batches of 20, after 200 that fill the caches of pictures."""
    index = 200
    for i in range(index):
        dataset[i]
    rates, start = [], time.process_time()
    while len(rates) < 5 or time.process_time() - start < seconds:
        before = time.process_time()
        for i in range(index, index + 20):
            dataset[i]
        rates.append(20 / (time.process_time() - before))
        index += 20
    return rates


def main() -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_scenes", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, per row")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(HEAD)
    rows = []
    for setting in SETTINGS:
        rows.append(_row(*setting, seconds=options.seconds))
        print(rows[-1], flush=True)
    if options.write:
        RESULTS.write_text(_report(rows), encoding="utf-8")
        print(f"\nwritten: {RESULTS}")


def _report(rows: list[str]) -> str:
    from benchmarks.__main__ import cpu

    body = "\n".join(rows)
    return f"""\
# The simulator on one core

Written by `python -m benchmarks.bench_scenes --write`. Machine: {cpu()}, one thread, process time.
Median and quartiles over batches of 20, after 200 scenes that fill the caches of pictures.

{HEAD}
{body}

{HISTORY}"""


if __name__ == "__main__":
    main()
