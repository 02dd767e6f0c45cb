"""What `make` does, in plain Python, for machines without it: `python -m cvcourse lesson 04`.

unit [WORDS]   the unit tests, or those whose names contain the words (pytest's -k)
lessons        every lesson from top to bottom, then their records
lesson NN ...  the lessons with these numbers (04, 19b)
test           unit, then lessons
explore        the explorer alone in the browser
site [strict]  the course as a site, build/site, from what the lessons left behind; strict: of all
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

COURSE = Path(__file__).parents[1]
LESSONS = COURSE / "lessons"
PYTEST = [sys.executable, "-m", "pytest", "-q"]
NBVAL = ["-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
NBVAL += ["--nbval-cell-timeout=1200", "-p", "scripts.executed"]  # keeps build/executed
VOILA = [sys.executable, "-m", "voila", "scripts/explorer.ipynb"]
MANY = ["-n", "auto", "--maxprocesses", "8"]
# One more than the cores: graded classes and killed trainings wait for processes of their own.
ONE_MORE = ["-n", str(min(8, (os.cpu_count() or 1) + 1))]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def offline() -> dict[str, str]:
    """The environment in which a lesson's connections beyond this machine raise."""
    paths = [str(COURSE / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def call(command: list[str], environment: dict[str, str] | None = None) -> int:
    return subprocess.run(command, cwd=COURSE, env={**os.environ, **(environment or {})}).returncode


def minutes(path: Path) -> float:
    """What a lesson says that it takes, in its `begin(..., minutes=...)`."""
    said = re.search(r"minutes=([\d.]+)", path.read_text(encoding="utf-8"))
    return float(said.group(1)) if said else 0.0


def unit(words: list[str]) -> int:
    chosen = ["-k", " and ".join(words)] if words else []
    return call([*PYTEST, *ONE_MORE, "--dist", "worksteal", "--durations=10", *chosen], ONE_THREAD)


def lessons() -> int:
    """All lessons, the longest first, a process each; then what they left on record."""
    shutil.rmtree(COURSE / "build" / "records", ignore_errors=True)
    paths = sorted(LESSONS.glob("[0-9]*.ipynb"), key=minutes, reverse=True)
    order = ["--dist", "loadfile", "--no-loadscope-reorder"]
    failed = call([*PYTEST, *NBVAL, *MANY, *order, *map(str, paths)], {**ONE_THREAD, **offline()})
    return failed or call([*PYTEST, "-n", "0", "tests/lessons/records.py"])


def lesson(numbers: list[str]) -> int:
    paths = []
    for number in numbers:
        found = sorted(LESSONS.glob(f"{number}_*.ipynb"))
        if not found:
            print(f"There is no lesson '{number}': name it by its number, such as 02")
            return 2
        paths += map(str, found)
    return call([*PYTEST, *NBVAL, "-n", "0", *paths], offline())


def main(arguments: list[str]) -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(
        "python -m cvcourse", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("task", choices=["unit", "lessons", "lesson", "test", "site", "explore"])
    parser.add_argument("names", nargs="*")
    given = parser.parse_args(arguments)
    if not LESSONS.is_dir():
        print("This is the installed package alone; its lessons and tests are in the repository.")
        return 2
    if given.task == "lesson":
        return lesson(given.names or [""])
    if given.task == "unit":
        return unit(given.names)
    if given.task == "explore":
        return call(VOILA)
    if given.task == "site":
        return call([sys.executable, "-m", "scripts.pages", *given.names])
    if given.names:
        parser.error(f"{given.task} takes no names, but got {given.names}")
    return lessons() if given.task == "lessons" else unit([]) or lessons()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
