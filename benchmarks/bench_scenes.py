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
"""


if __name__ == "__main__":
    main()
