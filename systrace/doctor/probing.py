"""Hardware breakpoints and uprobes: the other two ways of counting vDSO calls."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from systrace import perf_event
from systrace.doctor import smallest
from systrace.doctor.findings import Finding
from systrace.vdso.breakpoint import SLOTS

_UPROBES: Final = Path("/sys/bus/event_source/devices/uprobe/type")


@dataclass(frozen=True, slots=True)
class Facts:
    """``slots`` is how many breakpoints one thread gets; None where that could not be tried.

    ``slots_errno`` is why it got no more.
    """

    slots: int | None
    slots_errno: int
    uprobes: bool


def gather() -> Facts:
    """Set breakpoints on ourselves, at an address that is never executed, and take them away."""
    try:
        with smallest.loaded(smallest.PERF_EVENT) as program:
            slots, number = _free(program)
    except OSError as error:
        return Facts(None, error.errno or 0, _UPROBES.exists())
    return Facts(slots, number, _UPROBES.exists())


def judge(facts: Facts, functions: int) -> Iterator[Finding]:
    """Say what it means for a vDSO with so many functions."""
    yield _breakpoints(facts, functions)
    if facts.uprobes:
        yield Finding("uprobes", "good", "yes", "the kernel has them")
    else:
        yield Finding(
            "uprobes",
            "limited",
            "no",
            "the kernel has none",
            "--vdso uprobe, the second opinion on vDSO counts, is refused",
            "a kernel built with CONFIG_UPROBE_EVENTS=y; --vdso patch needs none",
        )


def _breakpoints(facts: Facts, functions: int) -> Finding:
    if facts.slots is None:
        remedy = "see privilege and bpf above"
        return Finding("breakpoints", "unknown", None, "not tried", remedy=remedy)
    covered = min(facts.slots, functions)
    said = f"{facts.slots} of {SLOTS}, for {covered} of the {functions} vDSO functions"
    if facts.slots >= SLOTS:
        return Finding("breakpoints", "good", facts.slots, said)
    if facts.slots_errno == errno.ENOSPC:
        remedy = "end what uses them: a debugger's hardware breakpoints, perf record -e mem:..."
    elif facts.slots_errno == errno.EINVAL:
        remedy = "Linux 5.13 or later, whose breakpoints end with an exec"
    else:
        said += f": {perf_event.reason(OSError(facts.slots_errno, os.strerror(facts.slots_errno)))}"
        remedy = "sysctl kernel.perf_event_paranoid=2; some virtual machines have none"
    return Finding(
        "breakpoints",
        "limited",
        facts.slots,
        said,
        "--vdso breakpoint, and what --vdso auto does where it cannot patch, counts fewer",
        remedy,
    )


def _free(program: int) -> tuple[int, int]:
    """Return how many there are, and the errno of the one that there is not."""
    never_executed = ctypes.addressof(ctypes.create_string_buffer(8))
    with contextlib.ExitStack() as stack:
        for slots in range(SLOTS):
            try:
                fd = perf_event.open_breakpoint(0, never_executed, program, threads=False)
            except OSError as error:
                return slots, error.errno or 0
            stack.callback(os.close, fd)
        return SLOTS, 0
