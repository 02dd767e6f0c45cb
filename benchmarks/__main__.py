"""`python -m benchmarks`: run every `bench_*.py` here and write `RESULTS.md`."""

import argparse
import datetime
import importlib
import importlib.metadata
import itertools
import os
import pkgutil
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import benchmarks
from benchmarks.harness import Case, compare
from benchmarks.table import HEAD, became_slower, table_row

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
SECONDS = 6.0  # a case; all of them take less than twelve minutes on two cores
ON_X86 = platform.machine().lower() in ("x86_64", "amd64")
SORTING = ("lovasz", "topk_accuracy")
OLDER_PROCESSORS = (  # what NumPy does without, what PyTorch has
    ("X86_V4 AVX512_ICL", "avx2"),
    ("X86_V3 X86_V4 AVX512_ICL", "default"),
)


def main() -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    options = _options()
    cases = [c for c in all_cases() if c.peers and any(word in c.name for word in options.only)]
    if not cases:
        sys.exit(f"no benchmark has {' or '.join(options.only)} in its name")
    seconds, rounds = (1.0, 10) if options.quick else (SECONDS, 200)
    load_before = os.getloadavg()[0]
    print(HEAD)
    whole = options.only == [""] and not options.quick
    measured = (
        table_row(row)
        for case in cases
        for row in compare(case, threads=options.threads, seconds=seconds, rounds=rounds)
    )
    older = _on_older_processors(options.threads) if whole and ON_X86 else ()
    rows = []
    for row in itertools.chain(measured, older):
        rows.append(row)
        print(row, flush=True)
    slower = became_slower(RESULTS.read_text(encoding="utf-8"), "\n".join(rows))
    print(f"\npeer / ours fell by more than noise since RESULTS.md: {len(slower)} rows")
    print("\n".join(slower))
    if not whole:
        print("a part or a quick run: RESULTS.md is left as it was")
        return
    RESULTS.write_text(_report(rows, options.threads, load_before), encoding="utf-8")
    print(f"written: {RESULTS}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", default=[""], help="cases whose name contains a word")
    parser.add_argument("--quick", action="store_true", help="a second per case")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def all_cases() -> list[Case]:
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__))
    modules = [importlib.import_module(f"benchmarks.{n}") for n in names if n.startswith("bench_")]
    cases = [case for module in modules for case in module.cases()]
    if missing := os.environ.get("NPY_DISABLE_CPU_FEATURES"):
        return [replace(case, sizes=f"{case.sizes}; without {missing}") for case in cases]
    return cases


def _on_older_processors(threads: int) -> Iterator[str]:
    """Rows of what sorts or counts, without the vector instructions that make NumPy's sort fast."""
    for numpy_lacks, torch_has in OLDER_PROCESSORS:
        environment = {
            **os.environ,
            "NPY_DISABLE_CPU_FEATURES": numpy_lacks,
            "ATEN_CPU_CAPABILITY": torch_has,
            "PYTHONUTF8": "1",
        }
        command = [sys.executable, "-m", "benchmarks", "--quick", f"--threads={threads}", *SORTING]
        made = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        for line in made.stdout.decode("utf-8").splitlines():
            if line.startswith("| ") and f"; without {numpy_lacks} |" in line:
                yield line


def _report(rows: list[str], threads: int, load_before: float) -> str:
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return f"""\
# Our functions beside the well-known libraries'

Written by `python -m benchmarks` (`make bench`) on {datetime.date.today().isoformat()}.

- Machine: {cpu()}, {os.cpu_count()} cores; {threads} threads; float32 unless said;
  nothing here ran on a GPU (see [GPU.md](GPU.md)).
- Vector instructions: NumPy found {", ".join(simd["baseline"] + simd["found"])}; PyTorch uses
  {torch.backends.cpu.get_cpu_capability()}. "without ..." in a row's sizes: both did without them.
- Versions: Python {platform.python_version()}, {_versions()}.
- Load average of the machine: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after
  (this run alone makes it about {threads}; with more, distrust times at several threads).
- ms: median (quartiles) of alternating runs in one process, 6 to 200 rounds; of a loss, forward and
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
{chr(10).join(rows)}
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
