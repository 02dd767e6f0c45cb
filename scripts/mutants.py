"""Do the tests notice? Changes files one token at a time, and runs the file's tests on each change.

    python scripts/mutants.py cvcourse/losses/dice.py cvcourse/ops/nms.py --sample 40

Works on a copy in a temporary folder. Prints each change that no test noticed, as a diff: either
the tests miss something, or the change is equivalent. `--sample` draws that many changes at random
from all of the files together (`--seed`), since all of them would take hours.
"""

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Listener
from pathlib import Path

ROOT = Path(__file__).parents[1]
COSMIC_RAY = Path(sysconfig.get_path("scripts")) / "cosmic-ray"
HEAVY = ("beartype", "hypothesis", "jaxtyping", "numpy", "pytest", "torch")
CONFIG = """
[cosmic-ray]
module-path = {file}
timeout = {timeout}
excluded-modules = []
test-command = {command}

[cosmic-ray.distributor]
name = "local"
"""


def tests_of(file: str) -> list[str]:
    """The file's own tests; of a file without, those of its neighbours that import it, or all."""
    path, room = Path(file), Path("tests", *Path(file).parts[1:-1])
    importing = f"from {'.'.join(path.with_suffix('').parts)} import"
    users = [other for other in sorted((ROOT / path).parent.glob("*.py"))
             if importing in other.read_text(encoding="utf-8")]  # fmt: skip
    for candidates in ([path], users):
        found = [room / f"test_{candidate.stem}.py" for candidate in candidates]
        if found := [str(tests) for tests in found if (ROOT / tests).exists()]:
            return found
    return [str(room)]


def copy_of_the_course(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8")
    for name in listed.stdout.splitlines():
        if not name.startswith(("assignments", "lessons")) and (ROOT / name).exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def serve(address: str, folder: Path, timeout: float) -> None:
    """Run tests in a fork of this process whenever asked, so that PyTorch is imported only once."""
    for module in HEAVY:
        importlib.import_module(module)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    with Listener(address, "AF_UNIX") as listener:
        while True:
            with listener.accept() as asker:
                tests = asker.recv()
                if not (child := os.fork()):
                    signal.alarm(int(timeout))  # a change may loop for ever: its tests then fail
                    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                    options = ["-x", "-q", "-p", "no:cacheprovider"]
                    os._exit(int(importlib.import_module("pytest").main([*options, *tests])))
                asker.send(os.waitpid(child, 0)[1] != 0)


@contextlib.contextmanager
def server(folder: Path, timeout: float) -> Iterator[str]:
    address = str(folder / "server")
    process = multiprocessing.Process(target=serve, args=(address, folder, timeout))
    process.start()
    while not Path(address).exists():
        time.sleep(0.1)
    try:
        yield address
    finally:
        process.terminate()


def cosmic_ray(folder: Path, *arguments: str) -> str:
    call = [str(COSMIC_RAY), *arguments]
    done = subprocess.run(call, cwd=folder, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"{shlex.join(call)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def begin(folder: Path, number: int, file: str, address: str, timeout: float) -> list[str]:
    """Write a session of all changes of a file; returns their names."""
    ask = "from multiprocessing.connection import Client; asked = Client({!r}); asked.send({!r}); "
    ask = ask.format(address, tests_of(file)) + "exit(asked.recv())"
    options = {"file": file, "timeout": 2 * timeout}
    options["command"] = shlex.join([sys.executable, "-c", ask])
    text = CONFIG.format(**{key: json.dumps(value) for key, value in options.items()})
    (folder / f"{number}.toml").write_text(text, encoding="utf-8")
    cosmic_ray(folder, "init", f"{number}.toml", f"{number}.sqlite")
    with contextlib.closing(sqlite3.connect(folder / f"{number}.sqlite")) as database:
        return sorted(row[0] for row in database.execute("SELECT job_id FROM work_items"))


def carry_out(folder: Path, number: int, chosen: set[str]) -> tuple[int, list[str]]:
    """Try the chosen changes; returns how many were tried, and the diffs that no test noticed."""
    session = f"{number}.sqlite"
    with contextlib.closing(sqlite3.connect(folder / session)) as database, database:
        for (job,) in database.execute("SELECT job_id FROM work_items").fetchall():
            if job not in chosen:
                database.execute("DELETE FROM mutation_specs WHERE job_id = ?", (job,))
                database.execute("DELETE FROM work_items WHERE job_id = ?", (job,))
    cosmic_ray(folder, "baseline", f"{number}.toml")
    cosmic_ray(folder, "exec", f"{number}.toml", session)
    lines = cosmic_ray(folder, "dump", session).splitlines()
    results = [result for _, result in map(json.loads, lines) if result]
    return len(results), [r["diff"] for r in results if r["test_outcome"] == "survived"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one change")
    given = parser.parse_args()
    tried, missed = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_course(folder)
        with server(folder, given.timeout) as address:
            changes = []
            for number, file in enumerate(given.files):
                jobs = begin(folder, number, file, address, given.timeout)
                changes += [(number, job) for job in jobs]
            size = min(given.sample or len(changes), len(changes))
            chosen = random.Random(given.seed).sample(changes, size)
            print(f"{len(changes)} changes in {len(given.files)} files, {size} tried", flush=True)
            for number, file in enumerate(given.files):
                mine = {job for n, job in chosen if n == number}
                if not mine:
                    continue
                count, diffs = carry_out(folder, number, mine)
                tried, missed = tried + count, missed + len(diffs)
                print(f"{file}: {count - len(diffs)} of {count} noticed", flush=True)
                print("\n".join(diffs), flush=True)
    print(f"{tried - missed} of {tried} changes noticed ({100 * (1 - missed / tried):.0f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
