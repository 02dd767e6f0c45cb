"""The grader's end: starts student processes, talks with them, ends them, tells how they ended."""

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from grading import wire
from grading.limits import Limits

ROOT = Path(__file__).parents[1]
START = 120.0  # seconds to wait for a warm parent or for a fork of it, on a machine under load


class StudentGone(Exception):
    """The student process has ended; the message says why, for the student to read."""


class StudentRaised(Exception):
    """Student code raised. `details` is what `student.describe_error` made of it."""

    def __init__(self, details: dict):
        kind = str(details.get("type", "an exception"))[:100]
        message = str(details.get("message", ""))[:2000]
        where = "; ".join(str(w)[:150] for w in details.get("where", [])[:3])
        super().__init__(f"{kind}: {message}" + (f" ({where})" if where else ""))
        self.details = details


def environment() -> dict[str, str]:
    """What a warm parent has of the grader's environment; student code has another HOME."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
        if name in os.environ
    }
    one = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
    kept |= {f"{name}_NUM_THREADS": "1" for name in one}
    kept |= {"CUDA_VISIBLE_DEVICES": "", "CVCOURSE_DEVICE": "cpu", "CVCOURSE_SCALE": "small"}
    kept |= {"PIP_NO_INPUT": "1", "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    kept |= {"OMP_THREAD_LIMIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | {"MPLBACKEND": "agg"}


class Zygote:
    """One warm parent process; `start` forks a student process from it."""

    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket = ours
        self.own_root = True
        self.protections: set[str] | None = None
        self.why_no_root = ""
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(ROOT), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
            )
        ours.settimeout(START)
        if ours.recv(6) != b"ready\n":
            raise RuntimeError("the warm parent of student processes did not start")

    def start(self, limits: Limits) -> "Student":
        student = self._start(limits)
        if student is None:
            self.own_root = False
            student = self._start(limits)
        self.protections = set(student.protections)
        return student

    def _start(self, limits: Limits) -> "Student | None":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        read, write = os.pipe()
        request = {"limits": dataclasses.asdict(limits), "own_root": self.own_root}
        socket.send_fds(self.socket, [json.dumps(request).encode()], [theirs.fileno(), write])
        theirs.close()
        os.close(write)
        student = Student(ours, read, limits)
        try:
            hello, _ = wire.receive(ours, START)
        except wire.WireError:
            student.end()
            raise RuntimeError(f"no student process could be started ({student.ended()})") from None
        if "no_root" in hello:
            self.why_no_root = hello["no_root"]
            student.end()
            return None
        student.protections = hello["protections"]
        return student

    def close(self):
        self.socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()


# `-c`, so that neither the current folder nor the class's folder is on the path
_START = """
import sys
sys.path.insert(0, sys.argv[1])
from grading.zygote import main
main(int(sys.argv[2]))
"""


class Student:
    """A student process. Requests raise `StudentRaised`, or `StudentGone` once it has ended."""

    def __init__(self, connection: socket.socket, news: int, limits: Limits):
        self.connection, self.news, self.limits = connection, news, limits
        self.protections: list[str] = []
        self.started = time.monotonic()
        self.gone: str | None = None
        self.cpu = 0.0  # seconds, known once it has ended
        self.until: float | None = None  # when it has had its time, on the monotonic clock
        self.asked = 0
        self._told = b""

    def ask(self, seconds: float, tensors=None, **message) -> tuple[dict, dict]:
        if self.gone:
            raise StudentGone(self.gone)
        late = f"it was not done after {seconds:.0f} seconds and was stopped"
        if self.until is not None and (left := self.until - time.monotonic()) < seconds:
            late = f"the notebook took more than {self.limits.total:.0f} seconds in all"
            seconds = max(0.01, left)
        deadline = time.monotonic() + seconds
        self.asked += 1  # an answer to another question is none
        try:
            wire.send(self.connection, message | {"number": self.asked}, tensors, seconds)
            answer, sent = wire.receive(self.connection, deadline - time.monotonic())
            if answer.get("number") != self.asked:
                raise wire.WireError("an answer that nobody had asked for")
        except wire.TooLate:
            self._end(late)
        except wire.Closed:
            self._end(self.ended())
        except wire.WireError as error:
            self._end(f"it answered with {error} and was stopped")
        if "raised" in answer:
            raise StudentRaised(answer["raised"])
        return answer, sent

    def _end(self, reason: str):
        self.gone = reason
        self.end()
        raise StudentGone(reason) from None

    def _news(self, key: str, seconds: float):
        deadline = time.monotonic() + seconds
        while True:
            for line in self._told.split(b"\n")[:-1]:
                found = json.loads(line)
                if key in found or (key == "end" and ("exit" in found or "signal" in found)):
                    return found
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.news], [], [], left)[0]:
                return None
            more = os.read(self.news, 4096)
            if not more:
                return None
            self._told += more

    def ended(self) -> str:
        """How the process ended, in words."""
        end = (self._news("end", 10.0) if self.news is not None else None) or {}
        number = end.get("signal")
        self.cpu = end.get("cpu", 0.0)
        if number in (signal.SIGXCPU, signal.SIGKILL) and self.cpu > 0.9 * self.limits.cpu:
            return (
                f"it used more than {self.limits.cpu} seconds of processor time (an endless loop?)"
            )
        if number == signal.SIGKILL:
            return "it was killed (out of memory?)"
        if number == signal.SIGSEGV:
            return "it crashed (segmentation fault)"
        if number is not None:
            return f"it crashed ({signal.Signals(number).name})"
        if "exit" in end:
            return f"it ended the Python process (exit status {end['exit']})"
        return "it ended the Python process"

    def end(self):
        """End the process and all that it has started. Harmless when it has ended."""
        with contextlib.suppress(OSError):
            self.connection.close()
        if self.news is None:
            return
        told = self._news("pid", 10.0)
        if told and self._news("end", 0.0) is None:
            with contextlib.suppress(OSError):
                os.kill(told["pid"], signal.SIGKILL)
        self.cpu = (self._news("end", 10.0) or {}).get("cpu", 0.0)
        os.close(self.news)
        self.news = None
