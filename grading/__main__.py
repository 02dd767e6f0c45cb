"""python -m grading assignments | grade | mark: what `make` calls under the same names."""

import argparse
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from cvcourse.data._extras import extra
from grading.limits import Limits


def main() -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(prog="python -m grading", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("assignments", help="write assignments/release from the sources")
    generate.add_argument("name", nargs="?", help="one assignment; all when left out")
    grade = commands.add_parser("grade", help="mark a folder that holds one folder a student")
    grade.add_argument("submitted", type=Path)
    grade.add_argument(
        "--to", type=Path, help="where marks go (default: SUBMITTED-graded, or ~/cvcourse-marks)"
    )
    grade.add_argument("--assignment", help="default: every one that is found in the folder")
    grade.add_argument("--workers", type=int, help="default: all cores")
    grade.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"other than {dataclasses.asdict(Limits())}",
    )
    mark = commands.add_parser("mark", help="open Formgrader, to mark written answers")
    mark.add_argument("submitted", type=Path)
    mark.add_argument("--to", type=Path, help="where marks are, as for grade")
    options = parser.parse_args()
    if options.command == "assignments":
        with extra("teach", "grading"):
            from grading.release import generate_all

        generate_all(only=options.name)
        return 0
    if options.command == "mark":
        return open_formgrader(options.submitted, options.to)
    with extra("teach", "grading"):
        from grading.batch import Refused
        from grading.batch import grade as grade_class

    try:
        limits = Limits(**{k: int(v) for k, v in (text.split("=") for text in options.limit)})
    except (TypeError, ValueError) as error:
        parser.error(f"--limit: {error}")
    try:
        paths = grade_class(
            options.submitted,
            options.to,
            options.assignment,
            workers=options.workers,
            limits=limits,
        )
    except Refused as error:
        print(f"cvcourse: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(path)
    return 0


def open_formgrader(submitted: Path, to: Path | None) -> int:
    from grading.batch import folder_of_marks

    folder = folder_of_marks(submitted, to)
    if not (folder / "gradebook.db").exists():
        print(f"cvcourse: there are no marks in {folder}: call  make grade  first", file=sys.stderr)
        return 2
    os.chdir(folder)  # where its configuration lies, which keeps student code from running
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    print("Menu Nbgrader, Formgrader, Manual Grading; afterwards call  make grade  again.")
    return subprocess.call([sys.executable, "-m", "jupyter", "lab", *as_root])


if __name__ == "__main__":
    sys.exit(main())
