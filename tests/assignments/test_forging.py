"""Student code that is after marks, and not after the exercise, gets none and sees nothing.

All of it stands in the exercise `soft` of assignment 01, whose checks must fail with a wrong answer
whatever surrounds it.
"""

import contextlib
import dataclasses
import json
import os
import platform
import sys
from pathlib import Path

import nbformat
import pytest

from grading.assignment import Assignment
from grading.examine import Examiner
from grading.sandbox import Zygote
from tests.assignments.helpers import (
    PATIENT,
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


def test_what_was_tried_is_told_and_hidden_numbers_are_not(notebook, load, strict):
    code = "def soft_targets(number, k, sigma):\n    return torch.ones(len(number), k) / k\n"
    result = strict.examine(content(answered(notebook, "soft", code)), load(NAME))
    tried = result.tried["soft-rows"]
    source = next(c.source for c in load(NAME).source.cells if c.id == "soft-rows").split("\n")
    first, last = tried["lines"]
    assert source[first - 1].startswith("assert value.argmax(1)")
    assert first == last
    assert [name for name, _ in tried["values"]] == ["value"]
    assert "0.1667" in tried["values"][0][1]
    right = next(c.source for c in notebook.cells if c.id == "soft")
    wide = right.replace("sigma**2", "max(sigma, 0.5) ** 2")  # wrong for small sigmas alone
    result = strict.examine(content(answered(notebook, "soft", wide)), load(NAME))
    assert result.tried["soft-values"] == {"lines": None, "hidden": True, "values": []}
    said = "right for the numbers that are shown, not for others: "
    assert result.messages["soft-values"].startswith(said)


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


CALLS = """
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
seen = {
    "memfd": libc.memfd_create(b"x", 0),
    "shared memory": libc.shmget(0, 1 << 20, 0o1600),
    "user namespace": libc.unshare(0x10000000),
    "clone into one": libc.syscall(56, 0x10000011, 0, 0, 0, 0),
    "clone3": libc.syscall(435, 0, 0),
    "keyring": libc.syscall(250, 0, -3, 0),
    "mount": libc.mount(b"x", b"/tmp", b"tmpfs", 0, None),
    "ptrace": libc.ptrace(0, 0, 0, 0),
}
if seen["clone into one"] == 0:
    os._exit(0)
for family in (40, 17, 38, 31):  # vsock, packet, alg, bluetooth
    try:
        socket.socket(family, socket.SOCK_STREAM)
        seen[family] = 0
    except OSError:
        seen[family] = -1
print(json.dumps(seen))
"""


def test_no_system_call_reaches_around_the_limits(walled, notebook, load, examiner):
    if "calls" not in examiner.zygote.protections:
        pytest.skip("no libseccomp on this machine")
    if platform.machine() != "x86_64":
        pytest.skip("the numbers of these calls are those of x86-64")
    indented = CALLS.replace("\n", "\n        ")
    seen = spied(notebook, load, examiner, indented)
    assert set(seen.values()) == {-1}, seen


def test_limits_of_outputs_are_the_graders(notebook, load, strict):
    """The student process may be patched, and its limits with it."""
    code = (
        "import sys\nsys.modules['grading.student'].SHOWN = 10**9\n"
        "sys.modules['grading.student'].SHOWN_PICTURES = 10**9\n"
        "for _ in range(3):\n    print('x' * 1_000_000)\n"
        "from IPython.display import display\n"
        "for _ in range(14):\n    display({'image/png': 'A' * 600_000}, raw=True)\n"
    )
    result = strict.examine(content(answered(notebook, "soft", code)), load(NAME))
    size = len(json.dumps(result.outputs))
    assert 0 < size < 6 * 2**20
    assert failed(result) == CHECKS
    assert any("some outputs are left out" in note for note in result.notes)


def test_many_pictures_cost_no_marks(notebook, load, examiner):
    right = next(c.source for c in notebook.cells if c.id == "soft")
    code = (
        right + "\nfrom IPython.display import display\n"
        "for _ in range(40):\n    display({'image/png': 'A' * 600_000}, raw=True)\n"
    )
    result = examiner.examine(content(answered(notebook, "soft", code)), load(NAME))
    assert not failed(result), result.messages


def test_halves_of_characters_cost_no_marks(notebook, load, examiner):
    right = next(c.source for c in notebook.cells if c.id == "soft")
    code = right + "\nprint('\\ud800')\nraise ValueError('\\udc00')"
    notebook.cells.insert(1, nbformat.v4.new_code_cell("x = '\ud800'\nprint(x)"))
    raw = json.dumps(answered(notebook, "soft", code)).encode()
    result = examiner.examine(raw, load(NAME))
    assert not failed(result), result.messages
    json.dumps(dataclasses.asdict(result), ensure_ascii=False).encode()


def test_all_is_over_when_the_time_for_all_is(notebook, load, examiner):
    """Not only between cells: within a check, and within a call, too."""
    limits = dataclasses.replace(PATIENT, total=8, call=60, check=60)
    code = "import time\ndef soft_targets(number, k, sigma):\n    time.sleep(600)\n"
    own = nbformat.v4.new_code_cell("import time\nbegun = time.monotonic()")
    notebook.cells.insert(0, own)
    result = Examiner(limits, examiner.zygote).examine(
        content(answered(notebook, "soft", code)), load(NAME)
    )
    assert failed(result) >= CHECKS
    assert "took more than 8 seconds in all" in result.messages["soft-rows"]
    assert result.seconds < 30, "eight, and the start of a process on a machine under load"


def test_a_check_that_took_too_long_costs_itself_alone(notebook, load, examiner):
    """What the student process says afterwards must not be taken for other answers."""
    limits = dataclasses.replace(PATIENT, check=2)
    right = next(c.source for c in notebook.cells if c.id == "topk")
    code = right.replace("    own =", "    import time\n    time.sleep(0.7)\n    own =")
    assert code != right
    result = Examiner(limits, examiner.zygote).examine(
        content(answered(notebook, "topk", code)), load(NAME)
    )
    assert failed(result) == {"topk-plain", "topk-ties"}, result.messages
    assert "the check took too long" in result.messages["topk-plain"]


def test_imports_of_checks_are_never_cut_off(examiner):
    """A half-imported module would cost all later submissions their marks."""
    code = "# Check 1\nimport colorsys\nassert True, 'x'\n### BEGIN HIDDEN TESTS\nimport wave\n"
    mark = {"grade": True, "solution": False, "grade_id": "c", "points": 1, "locked": True}
    cell = nbformat.v4.new_code_cell(code, metadata={"nbgrader": mark})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    for name in ("colorsys", "wave"):
        sys.modules.pop(name, None)
    Examiner(PATIENT, examiner.zygote).import_for_checks(Assignment("x", notebook, notebook))
    assert {"colorsys", "wave"} <= set(sys.modules)


AT_HOME = {
    "a shell command": "!echo hello",
    "the output of one": "files = !ls /\nassert 'usr' in files, files",
    "pip": "%pip install --quiet no-such-package-as-this",
    "bash": "%%bash\necho hello",
    "threads": "import torch\ntorch.set_num_threads(64)\ntorch.set_num_interop_threads(8)\n"
    "torch.ones(600, 600) @ torch.ones(600, 600)",
    "interactive figures": "%matplotlib widget\nimport matplotlib\nmatplotlib.use('TkAgg')\n"
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "workers": "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
    "data = TensorDataset(torch.arange(40.0))\n"
    "seen = sum(float(batch.sum()) for (batch,) in DataLoader(data, 8, num_workers=2))\n"
    "assert seen == 780",
    "compile": "import torch\n@torch.compile\ndef double(x):\n    return 2 * x\n"
    "assert double(torch.ones(2)).tolist() == [2, 2]\n"
    "layer = torch.compile(torch.nn.Linear(2, 2), mode='max-autotune')\nlayer(torch.ones(1, 2))",
    "bars": "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass",
    "timing": "%time sum(range(10))",
    "reloading": "%load_ext autoreload\n%autoreload 2",
}


def test_what_students_do_at_home_costs_nothing(notebook, load, examiner):
    for number, code in enumerate(AT_HOME.values()):
        notebook.cells.insert(1 + number, nbformat.v4.new_code_cell(code))
    result = examiner.examine(content(notebook), load(NAME))
    names = dict(zip((f"own-{n + 1}" for n in range(len(AT_HOME))), AT_HOME, strict=True))
    assert {names.get(k, k): text for k, text in result.messages.items()} == {}
    assert not failed(result)
    texts = [o.get("text", "") for o in result.outputs["own-1"]]
    assert texts == ["hello\n"]


def test_a_zygote_ends_with_its_grader():
    zygote = Zygote()
    zygote.close()
    assert zygote.process.returncode is not None
