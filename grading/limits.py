"""How much a submission may use."""

import contextlib
import dataclasses
import resource

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """All are per submission, except `memory` (per process) and the three waiting times."""

    cpu: int = 30  # seconds of processor time of one process
    cell: float = 90.0  # seconds to wait for one cell
    call: float = 60.0  # seconds to wait for one call of a student's function
    check: float = 150.0  # seconds to wait for one check, with all its calls
    total: float = 300.0  # seconds to wait altogether
    memory: int = 2048  # MiB of address space beyond what Python with torch takes
    processes: int = 16  # processes and threads at one time
    file: int = 16  # MiB of one file
    disk: int = 64  # MiB of all files (where namespaces are available)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"limit {field.name} must be positive")


def _used() -> int:
    """Bytes of address space that this process has."""
    try:
        with open("/proc/self/statm", encoding="utf-8") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 2048 * MIB  # no /proc: a generous guess of what torch has mapped


def spare(mib: int):
    """No more than this much memory beyond what the process has: for the grader's own workers."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _used() + mib * MIB
    if hard == resource.RLIM_INFINITY or wanted < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def apply(limits: Limits):
    """Set the limits of this process and of all that it starts. There is no way back."""
    used = _used()
    wanted = {
        "RLIMIT_CPU": (limits.cpu, limits.cpu + 1),
        "RLIMIT_AS": (used + limits.memory * MIB,) * 2,
        "RLIMIT_NPROC": (limits.processes,) * 2,
        "RLIMIT_FSIZE": (limits.file * MIB,) * 2,
        "RLIMIT_NOFILE": (256, 256),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_STACK": (8 * MIB, 64 * MIB),
    }
    missing = []
    for name, (soft, hard) in wanted.items():
        try:
            kind = getattr(resource, name)
            _, ceiling = resource.getrlimit(kind)
            if ceiling != resource.RLIM_INFINITY:
                soft, hard = min(soft, ceiling), min(hard, ceiling)
            resource.setrlimit(kind, (soft, hard))
        except (AttributeError, OSError, ValueError):
            missing.append(name)
    return missing
