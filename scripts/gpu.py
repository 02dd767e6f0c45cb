"""Run every lesson on CUDA at scale *full* and write what happened to lessons/GPU.md."""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "build" / "records-gpu"
WORDS = ("sentence", "holds", "skipped")  # of a claim's record; the rest are numbers


def run_lessons() -> int:
    environment = {
        **os.environ,
        "CVCOURSE_DEVICE": "cuda",
        "CVCOURSE_SCALE": "full",
        "CVCOURSE_RECORDS": str(RECORDS),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=3600"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *nbval]
    return subprocess.run([*command, "lessons"], cwd=ROOT, env=environment).returncode


def numbers(claim: dict) -> str:
    values = {name: value for name, value in claim.items() if name not in WORDS}
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def verdict(claim: dict) -> str:
    if "skipped" in claim:
        return f"skipped: {claim['skipped']}"
    return "yes" if claim["holds"] else "**no**"


def report(passed: bool) -> str:
    device = torch.cuda.get_device_properties(0)
    lines = [
        "# The lessons on a GPU",
        "",
        f"`make gpu` was last run on {datetime.date.today()} on one {device.name} "
        f"({device.total_memory / 2**30:.0f} GiB), torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, Python {platform.python_version()}, at scale *full*: "
        + (
            "every cell ran and every claim that could be checked held."
            if passed
            else "**it did not pass**."
        ),
        "",
        "| lesson | seconds | claim | numbers | holds |",
        "|---|---|---|---|---|",
    ]
    for path in sorted(RECORDS.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        for claim in record["claims"]:
            seconds = f"{record['seconds']:.0f}"
            row = (path.stem, seconds, claim["sentence"], numbers(claim), verdict(claim))
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    if not torch.cuda.is_available():
        print("make gpu: there is no CUDA device on this machine (or torch is built without CUDA).")
        print("Nothing was run, and lessons/GPU.md is as it was. On a CPU call: make test")
        return 2
    RECORDS.mkdir(parents=True, exist_ok=True)
    for old in RECORDS.glob("*.json"):
        old.unlink()
    status = run_lessons()
    (ROOT / "lessons" / "GPU.md").write_text(report(passed=status == 0), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
