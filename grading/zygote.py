"""A warm parent: has imported torch, holds no test, forks one walled-in process for each request.

    python -m grading.zygote FD

FD is a Unix socket to the grader. A request is JSON with two file descriptors: the connection on
which the student process will serve, and a pipe for news of it: its process id, then how it ended.
"""

import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import sys
import tempfile

from grading import isolation, wire
from grading import limits as bounds
from grading.student import ROOMS, Session, make_shell, quiet

WARM = ("numpy", "torch", "torch.nn.functional", "torch.autograd", "matplotlib.pyplot")
WARM += tuple(f"cvcourse.{room}" for room in ROOMS)  # looked through for what is withheld


def main(number: int):
    isolation.die_with_parent()
    for name in WARM:
        with contextlib.suppress(ImportError):
            __import__(name)
    import torch

    torch.set_num_threads(1)
    ones = torch.ones(2, requires_grad=True)
    ones.sum().item()
    shell = make_shell()
    filters = isolation.load_filter()
    gc.freeze()  # shared with the children for longer
    grader = socket.socket(fileno=number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system collects what has ended
    grader.sendall(b"ready\n")
    while True:
        try:
            text, handles, _, _ = socket.recv_fds(grader, 65536, 2)
        except OSError:
            return
        if not text:
            return
        if os.fork() == 0:
            code = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                grader.close()
                code = guard(json.loads(text), *handles, shell, filters)
            finally:
                os._exit(code)
        for handle in handles:
            os.close(handle)


def guard(request: dict, connection: int, news: int, shell, filters) -> int:
    """Stands between grader and student: starts the student process, waits, tells how it ended."""
    isolation.die_with_parent()
    os.setsid()
    user = isolation.unprivileged_user() if os.geteuid() == 0 else None
    folder = None if request["own_root"] else tempfile.mkdtemp(prefix="submission-")
    got = isolation.separate()
    student = os.fork()
    if student == 0:
        try:
            os.close(news)
            become_student(request, got, user, folder, connection, shell, filters)
        finally:
            os._exit(1)
    os.close(connection)
    os.write(news, (json.dumps({"pid": student}) + "\n").encode())
    _, status, usage = os.wait4(student, 0)
    if "processes" not in got:
        sweep(student, user)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    end = (
        {"signal": os.WTERMSIG(status)}
        if os.WIFSIGNALED(status)
        else {"exit": os.WEXITSTATUS(status)}
    )
    end["cpu"] = usage.ru_utime + usage.ru_stime
    with contextlib.suppress(OSError):
        os.write(news, (json.dumps(end) + "\n").encode())
    return 0


def sweep(student: int, user: int | None):
    """Without a process namespace: end what the student process has left behind."""
    with contextlib.suppress(OSError):
        os.killpg(student, signal.SIGKILL)
    if user is not None and os.fork() == 0:
        try:
            isolation.become(user)
            os.kill(-1, signal.SIGKILL)  # all that this user has
        finally:
            os._exit(0)


def become_student(
    request, got: set[str], user: int | None, folder: str | None, connection: int, shell, filters
):
    os.setsid()
    isolation.leave_keyring()
    own = socket.socket(fileno=connection)
    limits = bounds.Limits(**request["limits"])
    if request["own_root"]:
        try:
            isolation.own_root(limits)
            got.add("files")
        except OSError as error:  # half a root directory is none: the grader asks again, without
            wire.send(own, {"no_root": str(error)})
            return
    else:
        os.chdir(folder)
        if user is not None:
            os.chown(folder, user, user)
    os.environ["HOME"] = os.environ["IPYTHONDIR"] = os.environ["MPLCONFIGDIR"] = os.getcwd()
    if user is not None:
        isolation.become(user)
        got.add("user")
    elif {"files", "processes"} <= got:
        got.add("user")  # of its own namespace: the same number, and no rights
    isolation.give_up_capabilities()
    if isolation.refuse_calls(filters):
        got.add("calls")
    if not (missing := bounds.apply(limits)):
        got.add("limits")
    isolation.die_with_parent()  # after the change of user, which forgets it
    quiet()
    os.closerange(3, connection)
    os.closerange(connection + 1, 4096)
    wire.send(own, {"protections": sorted(got), "missing": missing})
    Session(own, shell).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
