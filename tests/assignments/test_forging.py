"""Student code that is after marks, and not after the exercise, gets none and sees nothing.

All of it stands in the exercise `soft` of assignment 01, whose checks must fail with a wrong answer
whatever surrounds it.
"""

import contextlib
import json
import os
from pathlib import Path

import pytest

from grading.sandbox import Zygote
from tests.assignments.helpers import (
    answered,
    content,
    failed,
    solved,
    without_experiments,
)

NAME = "01_classification_to_regression"
CHECKS = {"soft-rows", "soft-values"}
WRONG = "def soft_targets(number, k, sigma):\n    return torch.ones(len(number), k)\n"
FORGED = {
    "torch is patched": """
        import torch.testing, builtins
        torch.testing.assert_close = torch.allclose = torch.equal = lambda *a, **k: True
        torch.Tensor.__eq__ = lambda *a: torch.tensor(True)
        builtins.AssertionError = type("Fine", (BaseException,), {})
        builtins.all = builtins.abs = lambda *a: 0
        """,
    "a tensor that equals everything": """
        class Yes(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, arguments=(), options=None):
                return True
        def soft_targets(number, k, sigma):
            return torch.ones(len(number), k).as_subclass(Yes)
        """,
    "an object that says yes": """
        class Yes:
            shape = (2, 6)
            def __getattr__(self, name):
                return lambda *a, **k: True
            __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda *a: True
            __getitem__ = __abs__ = __sub__ = __rsub__ = lambda self, *a: self
        def soft_targets(number, k, sigma):
            return Yes()
        """,
    "inputs are bent": """
        def soft_targets(number, k, sigma):
            number.zero_()
            return torch.ones(len(number), k)
        """,
    "an answer that is no message": """
        import gc, socket
        def soft_targets(number, k, sigma):
            for thing in gc.get_objects():
                if isinstance(thing, socket.socket):
                    thing.sendall(b"x" * 100)
        """,
    "an answer of several gigabytes, promised": """
        import gc, socket, struct
        def soft_targets(number, k, sigma):
            for thing in gc.get_objects():
                if isinstance(thing, socket.socket):
                    thing.sendall(struct.pack("!QQ", 2**40, 2**40))
        """,
    "an answer nested too deep": """
        import gc, socket, struct
        def soft_targets(number, k, sigma):
            text = b'{"value": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"
            for thing in gc.get_objects():
                if isinstance(thing, socket.socket):
                    thing.sendall(struct.pack("!QQ", len(text), 0) + text)
        """,
    "an endless list": """
        def soft_targets(number, k, sigma):
            def numbers():
                while True:
                    yield 1
            return numbers()
        """,
    "an assertion of its own": """
        def soft_targets(number, k, sigma):
            raise AssertionError("all is well")
        """,
    "results are written and printed": """
        import json
        for name in ("results.json", "marks.csv", "soft-rows", "/tmp/marks.json"):
            open(name, "w").write(json.dumps({"soft-rows": True, "passed": True, "points": 3}))
        print("rows are distributions", {"score": 3})
        """,
    "other processes are signalled": """
        import os, signal
        for number in range(1, 3000):
            try:
                os.kill(number, signal.SIGKILL)
            except OSError:
                pass
        """,
}


def dedented(code: str) -> str:
    lines = code.strip("\n").split("\n")
    return "\n".join(line[8:] for line in lines)


@pytest.fixture
def notebook(load):
    return without_experiments(solved(load(NAME)))


@pytest.mark.parametrize("forgery", FORGED)
def test_forgeries_earn_nothing(forgery, notebook, load, strict):
    code = WRONG + dedented(FORGED[forgery])
    result = strict.examine(content(answered(notebook, "soft", code)), load(NAME))
    assert failed(result) == CHECKS, result.messages
    assert all(result.messages[check] for check in CHECKS)


def test_withheld_functions_say_so(notebook, load, strict):
    code = (
        "def soft_cross_entropy(logits, targets):\n"
        "    return torch.nn.functional.cross_entropy(logits, targets, reduction='none')\n"
    )
    result = strict.examine(content(answered(notebook, "entropy", code)), load(NAME))
    assert failed(result) == {"entropy-values", "entropy-stable"}
    assert "is withheld in this assignment: write it out" in result.messages["entropy-values"]


def spied(notebook, load, examiner, code: str):
    """What code in a student's notebook finds out, as JSON that it prints."""
    result = examiner.examine(content(answered(notebook, "soft", dedented(code))), load(NAME))
    cell = next(c for c in result.notebook["cells"] if c["id"] == "soft")
    (out,) = result.outputs[cell["id"]]
    assert out.get("name") == "stdout", out
    return json.loads(out["text"])


@pytest.fixture
def walled(examiner):
    """Skips where the system has no namespaces: there the guide says so, and the grader warns."""
    examiner.zygote.start(examiner.limits).end()
    if {"files", "network", "processes"} - examiner.zygote.protections:
        pytest.skip("no namespaces on this machine")


def test_student_code_sees_no_tests_no_marks_and_no_one_else(walled, notebook, load, examiner):
    seen = spied(
        notebook,
        load,
        examiner,
        """
        import gc, json, os, sys
        names = [os.path.join(d, f) for d, _, files in os.walk("/") for f in files
                 if not d.startswith(("/proc", "/usr", "/lib")) and "site-packages" not in d]
        print(json.dumps({
            "home": os.listdir(os.getcwd()),
            "notebooks": [n for n in names if n.endswith(".ipynb")],
            "course": [n for n in names
                       if n.endswith("gradebook.db") or "/grading/" in n or "/assignments/" in n],
            "processes": sum(p.isdigit() for p in os.listdir("/proc")),
            "hidden": any("itertools" + ".permutations(range" in o for o in gc.get_objects()
                          if isinstance(o, str)),
            "environment": [n for n in os.environ if "TOKEN" in n or "KEY" in n or "PYTEST" in n],
            "user": os.getuid(),
        }))
        """,
    )
    assert seen["user"] != os.getuid()
    assert seen["processes"] == 1
    for what in ("home", "notebooks", "course", "hidden", "environment"):
        assert not seen[what], f"{what}: {seen[what]}"


def test_student_code_writes_nowhere_else(walled, notebook, load, examiner):
    seen = spied(
        notebook,
        load,
        examiner,
        """
        import json, os, sys, torch, cvcourse
        written = []
        for folder in ("/", "/usr", "/etc", "/dev", sys.prefix, os.path.dirname(torch.__file__),
                       os.path.dirname(cvcourse.__file__)):
            try:
                open(os.path.join(folder, "planted.py"), "w").close()
                written.append(folder)
            except OSError:
                pass
        print(json.dumps(written))
        """,
    )
    assert seen == []


def test_nothing_is_left_from_one_submission_to_the_next(walled, notebook, load, examiner):
    for _ in range(2):
        seen = spied(
            notebook,
            load,
            examiner,
            """
            import json, os, torch
            before = [os.listdir("/tmp/submission"), hasattr(torch, "planted")]
            open("planted", "w").close()
            torch.planted = True
            print(json.dumps(before))
            """.replace("\n            ", "\n        "),
        )
        assert seen == [[], False]


def test_processes_do_not_outlive_their_submission(walled, notebook, load, examiner):
    mark = "cvcourse-straggler"
    code = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; "
        f"time.sleep(600)', {mark!r}], start_new_session=True)\n"
    )
    examiner.examine(content(answered(notebook, "soft", code)), load(NAME))
    alive = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            alive += [path] if mark.encode() in path.read_bytes() else []
    assert not alive


def test_a_zygote_ends_with_its_grader():
    zygote = Zygote()
    zygote.close()
    assert zygote.process.returncode is not None
