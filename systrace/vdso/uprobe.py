"""An eBPF uprobe on every trampoline: the second, independent count of vDSO entries.

The vDSO has no inode, so no uprobe can sit on it; trampolines in a file-backed private mapping
have one. The file is a memfd, which nobody else can open and which vanishes with its users.
"""

import ctypes
import errno
import os
from typing import Final

from systrace import bpf
from systrace.errors import UnsupportedError
from systrace.layout import CLOCKS
from systrace.perf_event import open_uprobe
from systrace.probe import Build, Programs
from systrace.tally import Entries
from systrace.vdso import x86_64
from systrace.vdso.x86_64 import Plan

_SOURCES: Final = ("vdso_uprobe.c",)


def code_file() -> int:
    """Make the file that will hold the code page; returns a descriptor."""
    fd = os.memfd_create("systrace-trampolines", os.MFD_CLOEXEC)
    os.ftruncate(fd, x86_64.PAGE)
    return fd


class UprobeCounters:
    """The uprobes of one code file."""

    def __init__(self, plan: Plan, fd: int) -> None:
        """Compile for a file that ``code_file()`` made; raises UnsupportedError."""
        self._plan = plan
        clocked = sum(
            1 << number for number, item in enumerate(plan.trampolines) if item.counters > 1
        )
        self._programs = Programs(
            Build(
                _SOURCES,
                {
                    "PAGE": x86_64.PAGE,
                    "STRIDE": x86_64.STRIDE,
                    "MAX_FUNCTIONS": x86_64.MAX_FUNCTIONS,
                    "CLOCKED_FUNCTIONS": clocked,
                },
            )
        )
        self._entries = self._programs.scalars("entries")
        self._links: list[int] = []
        self._fd = fd

    def attach(self) -> None:
        """Attach to every trampoline, once the code is in the file; raises UnsupportedError."""
        program = self._programs.program("on_entry", bpf.KPROBE)
        for trampoline in self._plan.trampolines:
            try:
                link = open_uprobe(f"/proc/self/fd/{self._fd}", trampoline.site, program)
            except OSError as error:
                right = "; it takes CAP_SYS_ADMIN" if error.errno == errno.EACCES else ""
                raise UnsupportedError(
                    f"cannot attach a uprobe to a trampoline: {error.strerror}{right}\n"
                    "--vdso patch counts the same calls without uprobes"
                ) from error
            self._links.append(link)

    def read(self) -> Entries:
        """Return the counts so far."""
        plain, clocked = {}, {}
        for number, trampoline in enumerate(self._plan.trampolines):
            first = number * CLOCKS
            counts = {
                clock: self._entries[ctypes.c_uint32(first + clock)].value
                for clock in range(trampoline.counters)
            }
            if trampoline.counters == 1:
                plain[trampoline.function.name] = counts[0]
            else:
                clocked[trampoline.function.name] = {
                    clock: count for clock, count in counts.items() if count
                }
        return Entries(plain, clocked)

    def close(self) -> None:
        """Detach and unload."""
        for link in self._links:
            os.close(link)
        self._links.clear()
        self._programs.close()
