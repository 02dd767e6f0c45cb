"""python -m grading assignments | grade: what `make assignments` and `make grade` call."""

import argparse
import dataclasses
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
    grade.add_argument("--to", type=Path, help="where marks go (default: SUBMITTED-graded)")
    grade.add_argument("--assignment", help="default: every one that is found in the folder")
    grade.add_argument("--workers", type=int, help="default: all cores")
    grade.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"other than {dataclasses.asdict(Limits())}",
    )
    options = parser.parse_args()
    if options.command == "assignments":
        with extra("teach", "grading"):
            from grading.release import generate_all

        generate_all(only=options.name)
        return 0
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


if __name__ == "__main__":
    sys.exit(main())
