"""Walls around student code: namespaces, a root directory of its own, another user.

Bubblewrap builds the same walls around a program that it starts; a submission is a fork of a parent
that has imported torch already (two seconds each), so the few calls that bubblewrap would make are
made here. The filter of system calls is libseccomp's.

What is available differs (root or not, container or not, macOS), so every wall is tried, and
`PROTECTIONS` tells in words what each one is for. The grader prints once which are missing.
"""

import contextlib
import ctypes
import errno
import os
import platform
import sys
import sysconfig
from pathlib import Path

from grading.limits import MIB, Limits

PROTECTIONS = {
    "network": "no network",
    "processes": "processes of its own: none is seen, none survives",
    "files": "files of its own: Python and cvcourse to read, one empty folder to write",
    "user": "an unprivileged user",
    "limits": "limits of time, memory, processes and file sizes",
    "calls": "no system calls that reach around these limits",
}
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
HOME = "/tmp/submission"  # where student code runs, in a root directory of its own
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 1, 24, 38, 4
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}

libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments):
    function = getattr(libc, name, None)
    if function is None or function(*arguments) != 0:
        number = ctypes.get_errno() if function else 38
        raise OSError(number, os.strerror(number), name)


def die_with_parent():
    """The kernel kills this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, 9)


def separate() -> set[str]:
    """Leave this machine's network and processes; the next fork is process 1 of its own."""
    if sys.platform != "linux":
        return set()
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        try:
            libc.prctl(PR_SET_DUMPABLE, 1)
            _call("unshare", NEWUSER)
            Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="utf-8")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="utf-8")
        except OSError:
            return set()
    got = set()
    for flag, name in ((NEWNET, "network"), (NEWPID, "processes")):
        with contextlib.suppress(OSError):
            _call("unshare", flag)
            got.add(name)
    with contextlib.suppress(OSError):
        _call("unshare", NEWIPC | NEWUTS)
    return got


def _mount(source, target, kind, flags, data=None):
    _call(
        "mount",
        *(x and str(x).encode() for x in (source, target, kind)),
        flags,
        data and data.encode(),
    )


def _bind(path: Path, root: Path, *, read_only=True):
    target = root / path.relative_to("/")
    if path.is_symlink() and path.parent == Path("/"):  # /bin -> usr/bin
        target.symlink_to(os.readlink(path))
        return
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(path, target, None, BIND | REC)
    if read_only:
        kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC | 1024)  # may not be taken away
        _mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | kept)


def _readable() -> list[Path]:
    """What student code may read: the system's libraries, Python, its packages, cvcourse."""
    system = ["/usr", "/bin", "/lib", "/lib64", "/lib32", "/sbin"]
    etc = ["ld.so.cache", "ld.so.conf", "fonts", "mime.types", "localtime", "alternatives"]
    import cvcourse

    paths = [Path(p) for p in system] + [Path("/etc", name) for name in etc]
    paths += [Path(sys.base_prefix), Path(sys.prefix), Path(cvcourse.__file__).parent]
    paths += [Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    paths.append(Path(sysconfig.get_paths()["stdlib"]))
    chosen: list[Path] = []
    for path in sorted({Path(os.path.abspath(p)) for p in paths if p.exists()}):
        inside = [c for c in chosen if path.is_relative_to(c)]
        if not inside:
            chosen.append(path)
    return chosen


def own_root(limits: Limits):
    """A root directory that holds what `_readable` lists and an empty HOME, and nothing else."""
    if sys.platform != "linux":
        raise OSError("there are no mount namespaces on this system")
    _call("unshare", NEWNS)
    _mount(None, "/", None, REC | PRIVATE)
    root = Path("/tmp")  # covered by the new root, in this process's view alone
    readable = _readable()
    handles = {path: os.open(path, os.O_PATH) for path in readable if path.is_relative_to(root)}
    _mount("tmpfs", root, "tmpfs", NOSUID | NODEV, f"size={limits.disk * MIB},mode=755")
    for path in readable:
        if path in handles:  # lies under /tmp itself: reached through its open handle
            target = root / path.relative_to("/")
            target.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handles[path]}", target, None, BIND | REC)
            kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC | 1024)
            _mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | kept)
            os.close(handles[path])
        else:
            _bind(path, root)
    for name in ("null", "zero", "full", "random", "urandom"):
        _bind(Path("/dev", name), root, read_only=False)
    for name in ("dev/shm", "tmp", HOME[1:]):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(0o1777)
    (root / "proc").mkdir()
    with contextlib.suppress(OSError):
        _mount("proc", root / "proc", "proc", NOSUID | NODEV | NOEXEC)
    (root / "old").mkdir()
    try:
        number = PIVOT_ROOT[platform.machine()]
        _call("syscall", number, str(root).encode(), str(root / "old").encode())
        os.chdir("/")
        _call("umount2", b"/old", 2)  # detach
        os.rmdir("/old")
    except (KeyError, OSError):
        os.chroot(root)
    os.chdir(HOME)


def unprivileged_user() -> int:
    """A user id that no one else has now: a limit of processes counts this submission alone."""
    wanted = 1_000_000 + os.getpid()
    try:
        ranges = [
            line.split()
            for line in Path("/proc/self/uid_map").read_text(encoding="utf-8").splitlines()
        ]
        if not any(int(first) <= wanted < int(first) + int(count) for first, _, count in ranges):
            wanted = 20_000 + os.getpid() % 40_000
    except OSError:
        wanted = 20_000 + os.getpid() % 40_000
    return wanted


def become(user: int):
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


REFUSED_CALLS = (
    # memory that no limit counts
    *("memfd_create", "memfd_secret", "shmget", "shmat", "shmctl", "msgget", "semget"),
    *("userfaultfd", "io_uring_setup"),
    # other namespaces, with all capabilities inside
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "fsopen", "move_mount"),
    *("open_tree", "fsmount", "mount_setattr", "open_by_handle_at"),
    # what belongs to the teacher's session, or to the kernel
    *("keyctl", "add_key", "request_key", "bpf", "perf_event_open", "ptrace", "kcmp"),
    *("process_vm_readv", "process_vm_writev", "pidfd_getfd", "quotactl", "syslog", "acct"),
    *("swapon", "swapoff", "reboot", "kexec_load", "init_module", "finit_module", "personality"),
)
FAMILIES = {1, 2, 10, 16}  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; no AF_VSOCK to the host
ALLOW, ERRNO, EQUAL, GREATER, MASKED_EQUAL = 0x7FFF0000, 0x00050000, 4, 6, 7


class _Comparison(ctypes.Structure):
    """libseccomp's struct scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def load_filter():
    """The library that makes filters of system calls; None where there is none."""
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_rule_add_array", "seccomp_load", "seccomp_release"):
        getattr(library, name).argtypes = {
            "seccomp_rule_add_array": [
                *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
                ctypes.POINTER(_Comparison),
            ]
        }.get(name, [ctypes.c_void_p])
    return library


def refuse_calls(library) -> bool:
    """Refuse `REFUSED_CALLS`, and some arguments of others, from now on and for all children."""
    if library is None:
        return False
    rules = library.seccomp_init(ALLOW)
    if not rules:
        return False

    def refuse(name: str, error: int, *comparisons: _Comparison):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:  # not known to this library: an older kernel has it neither
            return
        listed = (_Comparison * len(comparisons))(*comparisons) if comparisons else None
        if library.seccomp_rule_add_array(rules, ERRNO | error, number, len(comparisons), listed):
            raise OSError(f"no rule for {name}")

    try:
        for name in REFUSED_CALLS:
            refuse(name, errno.EPERM)
        refuse("clone3", errno.ENOSYS)  # its flags cannot be looked at: libc falls back to clone
        refuse("clone", errno.EPERM, _Comparison(0, MASKED_EQUAL, NEWUSER, NEWUSER))
        for family in range(max(FAMILIES) + 1):
            if family not in FAMILIES:
                refuse("socket", errno.EAFNOSUPPORT, _Comparison(0, EQUAL, family, 0))
        refuse("socket", errno.EAFNOSUPPORT, _Comparison(0, GREATER, max(FAMILIES), 0))
        return library.seccomp_load(rules) == 0
    except OSError:
        return False
    finally:
        library.seccomp_release(rules)


def leave_keyring():
    """A session keyring of its own, empty: the inherited one is the teacher's."""
    if sys.platform == "linux" and (number := KEYCTL.get(platform.machine())):
        libc.syscall(number, 1, None)  # KEYCTL_JOIN_SESSION_KEYRING


def give_up_capabilities():
    """Of a user who is root in a user namespace; nothing regains them."""
    if sys.platform != "linux":
        return
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
