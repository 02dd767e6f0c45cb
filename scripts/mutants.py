"""Do the tests notice? Changes files one token at a time, and runs the file's tests on each change.

    python scripts/mutants.py cvcourse/losses cvcourse/ops/nms.py --sample 40

Works on a copy in a temporary folder. Prints each change that no test noticed, as a diff: either
the tests miss something, or the change is equivalent. `--sample` draws that many changes at random
from all of the files together (`--seed`), since all of them would take hours, and tries them in the
order drawn: those tried before it is stopped are a random sample themselves. `--results` names a
file that keeps what was tried; a second call goes on from there.
"""

import argparse
import difflib
import functools
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[1]
HEAVY = ("beartype", "hypothesis", "jaxtyping", "numpy", "pytest", "torch")
OPTIONS = ("-x", "-q", "-p", "no:nbval")  # which takes a second to import
Change = tuple[str, str, int]  # file, cosmic-ray's operator, which of its places in the file


def tests_of(file: str) -> list[str]:
    """The file's own tests; or its room's that name what it defines; its users'; or any that do."""
    path = Path(file)
    text = (ROOT / path).read_text(encoding="utf-8")
    room = ROOT / Path("tests", *path.parts[1:-1])
    defined = "|".join(re.findall(r"^(?:def|class) ([A-Za-z]\w*)", text, re.M)) or "$."
    importing = f"from {'.'.join(path.with_suffix('').parts)} import"
    users = [other for other in sorted((ROOT / path).parent.glob("*.py"))
             if importing in other.read_text(encoding="utf-8")]  # fmt: skip
    for candidates in (
        [room / f"test_{path.stem.lstrip('_')}.py"],
        naming(defined, Path(ROOT, "tests", *path.parts[1:2])),
        [room / f"test_{user.stem}.py" for user in users],
        naming(defined, ROOT / "tests"),
    ):
        if found := [test.relative_to(ROOT).as_posix() for test in candidates if test.exists()]:
            return found
    return [room.relative_to(ROOT).as_posix()]


def naming(names: str, folder: Path) -> list[Path]:
    """The tests in a folder that name one of `names`, which are separated by "|"."""
    word = re.compile(rf"\b({names})\b")
    tests = sorted(folder.rglob("test_*.py"))
    return [test for test in tests if word.search(test.read_text(encoding="utf-8"))]


def python_files(given: list[str]) -> list[str]:
    found = [sorted((ROOT / name).rglob("*.py")) or [ROOT / name] for name in given]
    return [path.relative_to(ROOT).as_posix() for paths in found for path in paths]


@functools.cache
def operators() -> dict:
    found = {name: plugins.get_operator(name) for name in sorted(plugins.operator_names())}
    return {name: operator() for name, operator in found.items() if not operator.arguments()}


def changes_of(file: str) -> list[Change]:
    nodes = list(ast_nodes(get_ast((ROOT / file).read_text(encoding="utf-8"))))
    places = {name: sum(len(list(operator.mutation_positions(node))) for node in nodes)
              for name, operator in operators().items()}  # fmt: skip
    return [(file, name, place) for name, count in places.items() for place in range(count)]


def changed_code(change: Change) -> str:
    file, name, place = change
    return mutate_code((ROOT / file).read_text(encoding="utf-8"), operators()[name], place)


def difference(change: Change) -> str:
    file = change[0]
    original = (ROOT / file).read_text(encoding="utf-8")
    before, after = (text.split("\n") for text in (original, changed_code(change)))
    lines = difflib.unified_diff(before, after, file, file, n=1, lineterm="")
    return "\n".join(lines)


def copy_of_the_course(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8")
    for name in listed.stdout.splitlines():
        if not name.startswith(("assignments", "lessons")) and (ROOT / name).exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def failing(folder: Path, tests: list[str], timeout: float) -> list[str]:
    """Run tests up to a failure, in a fork of this process: PyTorch is imported only once."""
    record = folder / ".pytest_cache/v/cache/lastfailed"
    record.unlink(missing_ok=True)
    if not (child := os.fork()):
        signal.alarm(int(timeout))  # a change may loop for ever: its tests then fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        os._exit(int(importlib.import_module("pytest").main([*OPTIONS, *tests])))
    if not os.waitpid(child, 0)[1]:
        return []
    return list(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else tests


def noticed_by(folder: Path, change: Change, timeout: float) -> list[str]:
    target = folder / change[0]
    target.write_text(changed_code(change), encoding="utf-8")
    tests = failing(folder, tests_of(change[0]), timeout)
    shutil.copy2(ROOT / change[0], target)
    return tests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", help="files, or folders of them")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one change")
    parser.add_argument("--results", type=Path, default=Path(os.devnull))
    given = parser.parse_args()
    files = python_files(given.files)
    changes = [change for file in files for change in changes_of(file)]
    size = min(given.sample or len(changes), len(changes))
    chosen = random.Random(given.seed).sample(changes, size)
    print(f"{len(changes)} changes in {len(files)} files, {size} to try", flush=True)
    given.results.touch()
    lines = given.results.read_text(encoding="utf-8").splitlines()
    noticed = {tuple(change): tests for *change, tests in map(json.loads, lines)}
    for module in HEAVY:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as name, given.results.open("a", encoding="utf-8") as kept:
        folder = Path(name)
        copy_of_the_course(folder)
        for change in chosen:
            if change not in noticed:
                noticed[change] = noticed_by(folder, change, given.timeout)
                print(json.dumps([*change, noticed[change]]), file=kept, flush=True)
            if not noticed[change]:
                print(difference(change), flush=True)
        said = {test for change in chosen for test in noticed[change]}
        if said and (wrong := failing(folder, sorted(said), len(chosen) * given.timeout)):
            raise SystemExit(f"fails without any change, too: {', '.join(wrong)}")
    count = sum(bool(noticed[change]) for change in chosen)
    print(f"{count} of {size} changes noticed ({100 * count / size:.0f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
