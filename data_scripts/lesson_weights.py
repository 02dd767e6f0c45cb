"""Train anew what takes longer than a lesson's minute: `lesson_weights.py 03 19b`.

Runs the lessons named by their numbers from top to bottom; each cell that calls `trained` or
`repeated` trains, and replaces its file in lessons/weights/ or lessons/tables/.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

LESSONS = Path(__file__).parents[1] / "lessons"


def main(numbers: list[str]) -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    paths = {number: list(LESSONS.glob(f"{number}_*.ipynb")) for number in numbers}
    unknown = [number for number, found in paths.items() if len(found) != 1]
    if unknown or not numbers:
        raise SystemExit(f"{__doc__}\nThere is no lesson {', '.join(unknown) or '(none named)'}.")
    os.environ["CVCOURSE_WEIGHTS"] = "save"
    for (path,) in paths.values():
        print(f"{path.name} ...", flush=True)
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=None, resources={"metadata": {"path": LESSONS}}).execute()
        number = path.name.split("_")[0]
        for file in sorted(LESSONS.glob(f"weights/{number}-*")) + sorted(
            LESSONS.glob(f"tables/{number}-*")
        ):
            print(f"  {file.name}, {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
