"""Inside the sandbox: runs the cells of a notebook and answers calls of its functions.

Nothing here is trusted by the grader: student code shares this process and may change all of it. It
can thereby change what its own functions seem to return, and nothing else.
"""

import base64
import builtins
import contextlib
import importlib
import inspect
import io
import linecache
import os
import socket
import subprocess
import sys
import traceback
import types

import matplotlib
import matplotlib.pyplot as plt
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from IPython.utils.text import LSString, SList
from matplotlib_inline.backend_inline import flush_figures

from grading import wire

SHOWN = 10_000  # characters of text kept of one cell
SHOWN_PICTURES = 8 * 2**20  # characters, in base64, of all pictures of one cell
KINDS = ("text/plain", "image/png")  # of what a cell shows; HTML could run in the teacher's browser


def _leave(*_):
    raise SystemExit("the code asked Python to end")


def make_shell() -> InteractiveShell:
    shell = InteractiveShell.instance(history_load_length=0)
    shell.history_manager.enabled = False
    shell._showtraceback = lambda *_: None
    shell.ask_exit = _leave
    shell.displayhook.write_output_prompt = lambda: None
    shell.run_cell("%matplotlib inline", store_history=False)
    as_at_home(shell)
    return shell


def as_at_home(shell: InteractiveShell):
    """What students do on their own computers neither fails here nor costs them an exercise."""
    shell.register_magic_function(lambda _: None, "line", "matplotlib")  # figures are kept anyway
    matplotlib.use = lambda *_, **__: None
    plt.switch_backend = lambda *_: None
    torch.set_num_threads = torch.set_num_interop_threads = lambda _: None  # one thread, always
    torch.compile = _not_compiled
    shell.system = lambda command: _run(shell, command)
    shell.getoutput = lambda command, split=True, depth=0: _output_of(shell, command, split)


def _not_compiled(model=None, **_):
    """`torch.compile` without compiling, which takes longer than a submission may."""
    return model if model is not None else _not_compiled


def _shell_command(shell, command: str) -> str:
    """Without a terminal: `!` and `%pip` of IPython want one."""
    done = subprocess.run(
        shell.var_expand(command, depth=3),
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    shell.user_ns["_exit_code"] = done.returncode
    return done.stdout


def _run(shell, command: str):
    print(_shell_command(shell, command), end="")


def _output_of(shell, command: str, split: bool):
    text = _shell_command(shell, command)
    return SList(text.splitlines()) if split else LSString(text)


def describe_error(error: BaseException) -> dict:
    try:
        message = str(error)
    except BaseException:
        message = "(its message cannot be shown)"
    where = []
    for frame in traceback.extract_tb(error.__traceback__):
        if "ipython-input" in frame.filename or frame.filename.startswith("cell "):
            where.append(f"line {frame.lineno} of its cell: {(frame.line or '').strip()[:100]}")
    if isinstance(error, SyntaxError) and error.lineno:
        where.append(f"line {error.lineno} of its cell: {(error.text or '').strip()[:100]}")
    if isinstance(error, MemoryError) and not message:
        message = "the memory limit was reached"
    if isinstance(error, NotImplementedError) and not message:
        message = "nothing is written here yet"
    bases = [c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c]
    name = type(error).__name__
    return {"type": name[:100], "bases": bases, "message": message[:2000], "where": where[-3:]}


class _Bounded(io.StringIO):
    """Keeps what is printed up to a length; the rest is dropped."""

    def write(self, text):
        room = SHOWN - self.tell()
        super().write(text[: max(room, 0)])
        return len(text)


COURSE = "cvcourse"
ROOMS = ("ops", "losses", "metrics", "models", "methods", "data")  # their `__all__` is public
GENERAL = ("_checks", "_reduce")  # modules whose functions answer no exercise


def resolve(name: str):
    """What a dotted name leads to, and its owner."""
    *path, attribute = name.split(".")
    owner = importlib.import_module(path[0])
    for place, part in enumerate(path[1:], 2):
        with contextlib.suppress(ImportError):
            importlib.import_module(".".join(path[:place]))
        owner = getattr(owner, part)
    return getattr(owner, attribute), owner  # a name that is none is the assignment's mistake


def helpers(thing) -> dict[int, tuple[str, object]]:
    """Private functions and classes of the course that `thing` is made of, by identity."""
    public = set()
    for room in ROOMS:
        module = importlib.import_module(f"{COURSE}.{room}")
        public |= {id(getattr(module, name)) for name in getattr(module, "__all__", ())}
    found, left = {}, [thing]
    while left:
        for name, helper in _used_by(left.pop()):
            module = str(getattr(helper, "__module__", ""))
            private = module.startswith(f"{COURSE}.") and module.rsplit(".", 1)[1] not in GENERAL
            if private and id(helper) not in public and id(helper) not in found:
                found[id(helper)] = (f"{module}.{name}", helper)
                left.append(helper)
    return found


def _used_by(thing):
    """Callables among the globals that a function, or the methods of a class, name."""
    inside = vars(thing).values() if isinstance(thing, type) else [thing]
    for function in inside:
        function = inspect.unwrap(getattr(function, "__func__", function))
        codes = [function.__code__] if isinstance(function, types.FunctionType) else []
        while codes:
            code = codes.pop()
            codes += [part for part in code.co_consts if isinstance(part, types.CodeType)]
            for name in code.co_names:
                if callable(helper := function.__globals__.get(name)):
                    yield name, helper


def withhold(names: list[str]):
    """Functions that the exercise asks for raise when they are called.

    So do the private functions that they are made of, under each name that a module of the course
    or a class there has for them.
    """
    targets = {}
    for name in names:
        thing, _ = resolve(name)
        targets[id(thing)] = (name, thing)
    for _, thing in list(targets.values()):
        if str(getattr(thing, "__module__", "")).startswith(COURSE):
            targets = helpers(thing) | targets
    stands_in = {number: _refusal(name) for number, (name, _) in targets.items()}
    for name in names:
        thing, owner = resolve(name)
        if id(thing) in stands_in:
            setattr(owner, name.rsplit(".", 1)[1], stands_in[id(thing)])
    for module in [m for n, m in list(sys.modules.items()) if n.split(".")[0] == COURSE and m]:
        classes = [v for v in vars(module).values() if isinstance(v, type)]
        for owner in [module, *(c for c in classes if c.__module__.startswith(COURSE))]:
            for attribute, value in list(vars(owner).items()):
                thing = getattr(value, "__func__", value)
                if id(thing) in stands_in:
                    setattr(owner, attribute, stands_in[id(thing)])


def _refusal(name: str):
    def refuse(*_, **__):
        raise PermissionError(f"{name} is withheld in this assignment: write it out yourself")

    return refuse


class Session:
    def __init__(self, connection: socket.socket, shell: InteractiveShell):
        self.connection, self.shell = connection, shell
        self.handles, self.calls = {}, {}

    def keep(self, thing) -> int:
        self.handles[len(self.handles)] = thing
        return len(self.handles) - 1

    def cell(self, message, _):
        # the process of a submission is one thread: nothing interleaves with this capture
        out, err = _Bounded(), _Bounded()
        with (
            capture_output(stdout=False, stderr=False) as shown,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            result = self.shell.run_cell(message["source"], store_history=False)
            with contextlib.suppress(Exception):
                flush_figures()
        outputs = [
            {"output_type": "stream", "name": name, "text": text.getvalue()}
            for name, text in (("stdout", out), ("stderr", err))
            if text.getvalue()
        ]
        room = SHOWN_PICTURES
        for rich in shown.outputs[:50]:
            data = {k: v for k, v in rich.data.items() if k in KINDS}
            for kind, content in data.items():
                if isinstance(content, bytes):
                    data[kind] = base64.b64encode(content).decode()
                elif kind == "text/plain":
                    data[kind] = content[:SHOWN]
            room -= len(data.get("image/png", ""))
            if data and room >= 0:
                outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
        error = result.error_before_exec or result.error_in_exec
        return {"outputs": outputs, "error": describe_error(error) if error else None}, {}

    def lookup(self, message, _):
        name = message["name"]
        if name not in self.shell.user_ns:
            return {"missing": True}, {}
        tensors = {}
        return {"value": wire.encode(self.shell.user_ns[name], tensors, self.keep)}, tensors

    def attribute(self, message, _):
        tensors = {}
        value = getattr(self.handles[message["handle"]], message["name"])
        return {"value": wire.encode(value, tensors, self.keep)}, tensors

    def call(self, message, tensors):
        function = self.handles[message["handle"]]
        known = lambda coded: self.handles[coded["handle"]]  # noqa: E731
        arguments, options = wire.decode(message["arguments"], tensors, known)
        given = list(_tensors_in((arguments, options)))
        with torch.set_grad_enabled(message["grad"]):
            value = function(*arguments, **options)
        leaves = [tensor for tensor in given if tensor.requires_grad]
        grown = [t for t in _tensors_in(value) if t.requires_grad] if message["grad"] else []
        number = len(self.calls)
        self.calls[number] = (leaves, grown)
        sent = {}
        answer = {"value": wire.encode(value, sent, self.keep), "call": number}
        if message["in_place"]:
            answer["given"] = wire.encode([tensor.detach() for tensor in given], sent)
        return answer, sent

    def backward(self, message, tensors):
        leaves, grown = self.calls[message["call"]]
        slopes = wire.decode(message["slopes"], tensors)
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(grown, slopes, retain_graph=True)
        sent = {}
        return {"slopes": wire.encode([leaf.grad for leaf in leaves], sent)}, sent

    def prepare(self, message, _):
        torch.manual_seed(0)
        withhold(message["withheld"])
        return {}, {}

    def serve(self):
        operations = ("cell", "lookup", "attribute", "call", "backward", "prepare")
        while True:
            try:
                message, tensors = wire.receive(self.connection)
            except wire.Closed:
                os._exit(0)
            try:
                operation = message["do"]
                assert operation in operations
                answer, sent = getattr(self, operation)(message, tensors)
            except BaseException as error:
                answer, sent = {"raised": describe_error(error)}, {}
            answer["number"] = message.get("number")
            try:
                wire.send(self.connection, answer, sent)
            except wire.Closed:
                os._exit(0)
            except BaseException as error:  # for example a value that is no data after all
                number = message.get("number")
                wire.send(self.connection, {"raised": describe_error(error), "number": number})


def _tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))


def quiet():
    """What student code writes past Python's streams goes nowhere."""
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)
    # open for the life of the process
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    linecache.clearcache()
