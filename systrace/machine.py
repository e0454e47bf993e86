"""The machine, as far as a report or the size of a map depends on it."""

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from systrace.report import Machine

_CLOCKSOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_LOCKDOWN = Path("/sys/kernel/security/lockdown")
_CPUS = Path("/proc/cpuinfo")
_ONE_CPU_BYTES = 4096  # the kernel writes one CPU after the other, and all of them take long
_LIMITS = (Path("/proc/sys/kernel/threads-max"), Path("/proc/sys/kernel/pid_max"))


def describe() -> "Machine":
    """Return what the report says of this machine; an unreadable clocksource is ``unknown``."""
    from systrace.report import Machine  # noqa: PLC0415 - the probes need none of it

    uname = os.uname()
    try:
        clocksource = _CLOCKSOURCE.read_text(encoding="ascii").strip()
    except OSError:
        clocksource = "unknown"
    return Machine(uname.release, uname.machine, os.cpu_count() or 1, clocksource)


def lockdown(file: Path = _LOCKDOWN) -> str | None:
    """Return ``none``, ``integrity`` or ``confidentiality``; None where the kernel does not say.

    The file marks one of them (kernel_lockdown(7)): ``none [integrity] confidentiality``.
    """
    try:
        found = re.search(r"\[(\w+)\]", file.read_text(encoding="ascii"))
    except OSError:
        return None
    return found[1] if found else None


def most_threads(ceiling: int) -> int:
    """Return how many threads can live at once, at most ``ceiling`` (proc_sys_kernel(5))."""
    most = ceiling
    for limit in _LIMITS:
        with contextlib.suppress(OSError):
            most = min(most, int(limit.read_text(encoding="ascii")))
    return most


def has_rdpid(file: Path = _CPUS) -> bool:
    """Whether the CPUs have the instruction that reads the number of the one it runs on."""
    try:
        with file.open("rb", buffering=0) as cpus:
            first = cpus.read(_ONE_CPU_BYTES).partition(b"\n\n")[0]
    except OSError:
        return False
    flags = (line for line in first.splitlines() if line.startswith(b"flags"))
    return any(b"rdpid" in line.split() for line in flags)
