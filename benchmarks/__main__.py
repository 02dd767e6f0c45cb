"""`python -m benchmarks`: run every `bench_*.py` here and write `RESULTS.md`."""

import argparse
import datetime
import importlib
import importlib.metadata
import os
import pkgutil
import platform
import sys
from pathlib import Path

import benchmarks
from benchmarks.harness import Case, Row, compare
from benchmarks.table import HEAD, table_row

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = [
    "torch",
    "numpy",
    "kornia",
    "pytorch-metric-learning",
    "torchmetrics",
    "pycocotools",
    "scikit-image",
    "scikit-learn",
]


def main() -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    options = _options()
    cases = [case for case in _all_cases() if options.only in case.name]
    if not cases:
        sys.exit(f"no benchmark has {options.only!r} in its name")
    seconds, rounds = (1.0, 10) if options.quick else (10.0, 100)
    load_before = os.getloadavg()[0]
    print(HEAD)
    rows = []
    for case in cases:
        for row in compare(case, threads=options.threads, seconds=seconds, rounds=rounds):
            rows.append(row)
            print(table_row(row), flush=True)
    if options.only or options.quick:
        print("\na part or a quick run: RESULTS.md is left as it was")
        return
    RESULTS.write_text(_report(rows, options.threads, load_before), encoding="utf-8")
    print(f"\nwritten: {RESULTS}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="run cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="a second per case instead of ten")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _all_cases() -> list[Case]:
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__))
    modules = [importlib.import_module(f"benchmarks.{n}") for n in names if n.startswith("bench_")]
    return [case for module in modules for case in module.cases()]


def _report(rows: list[Row], threads: int, load_before: float) -> str:
    return f"""\
# Our functions beside the well-known libraries'

Written by `python -m benchmarks` (`make bench`) on {datetime.date.today().isoformat()}.

- Machine: {cpu()}, {os.cpu_count()} cores; {threads} threads; float32 unless said;
  nothing here ran on a GPU.
- Versions: Python {platform.python_version()}, {_versions()}.
- Load average of the machine: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after
  (this run alone makes it about {threads}; with more, distrust times at several threads).
- ms: median (quartiles) of alternating runs in one process, 6 to 100 rounds; of a loss, forward and
  backward.
- peer / ours: median of the rounds' ratios (its 95 % interval, which tells of this run: on another
  day, or another machine, the ratio may be a different one). Ours is faster or slower where that
  interval says so; parity where it does not.
- Value and gradient were checked before timing, except for peers marked *, which measure another
  quantity.
- MB: what one call adds to the resident memory at its peak.
- A peer with "its formula" or "its algorithm" was written from its publication, because the library
  cannot be installed beside this package without torchvision.
- wanted: the least ratio that this project set itself, short where the whole interval lies below;
  empty where it set none.

{HEAD}
{chr(10).join(table_row(row) for row in rows)}
"""


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _versions() -> str:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


if __name__ == "__main__":
    main()
