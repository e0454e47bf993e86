"""Counting vDSO calls by hardware breakpoints, where nothing in the target may change.

A perf event of type breakpoint sits on each function's entry and runs an eBPF program. A CPU has
four of them, a kernel exports up to seven functions, and a hit costs microseconds: the most used
functions come first, and the report says what is left out and what a hit costs here.
"""

import ctypes
import errno
import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from systrace import bpf, kernel, perf_event, probe
from systrace.errors import UnsupportedError
from systrace.layout import CLOCKS
from systrace.tally import Entries, OwnEntries
from systrace.target.stop import same_memory
from systrace.vdso.calibrate import Calibration
from systrace.vdso.image import Function, Image, own_address
from systrace.vdso.x86_64 import BY_CLOCK, MAX_FUNCTIONS

SLOTS: Final = 4  # debug registers 0 to 3
_ORDER: Final = ("clock_gettime", "gettimeofday", "getrandom", "time", "clock_getres", "getcpu")
_COUNTER_BY_CLOCK: Final = 1 << 31
_TRIAL_CALLS: Final = 211
_TRIED: Final = "clock_gettime"
_CLOCK_REALTIME: Final = 0


class BreakpointError(UnsupportedError):
    """A process could not get breakpoints; the reason completes 'not counted: '."""


class _Events:
    """The breakpoints of one process."""

    def __init__(self, pid: int, vdso: int) -> None:
        self._pid = pid
        self.vdso = vdso
        self._since_ns = time.monotonic_ns()
        self._fds: list[tuple[Function, int]] = []

    def add(self, function: Function, fd: int) -> None:
        """Take over a descriptor."""
        self._fds.append((function, fd))

    def read(self) -> Counter[str]:
        """Return the kernel's own counts, by function."""
        counts: Counter[str] = Counter()
        for function, fd in self._fds:
            counts[function.name] += perf_event.read_count(fd)
        return counts

    def own(self) -> OwnEntries:
        """Return the kernel's own counts, as the process's."""
        return OwnEntries(self._pid, self._since_ns, self.read())

    def move(self, vdso: int) -> None:
        """Set them where the same functions are now. Raises OSError."""
        for function, fd in self._fds:
            perf_event.move_breakpoint(fd, vdso + function.offset)
        self.vdso = vdso

    def disable(self) -> None:
        """Let them fire no more."""
        for _, fd in self._fds:
            perf_event.disable(fd)

    def close(self) -> None:
        """Remove them."""
        for _, fd in self._fds:
            os.close(fd)
        self._fds.clear()


class Breakpoints:
    """The program, its counters, and the breakpoints of every process."""

    def __init__(self, image: Image, calibration: Calibration) -> None:
        """Compile, and try one on ourselves.

        Raises UnsupportedError if this machine has none, or if they miss calls.
        """
        ranked = sorted(image.functions, key=_rank)
        self.functions = tuple(ranked[:SLOTS])
        self.left_out = tuple(function.name for function in ranked[SLOTS:])
        self._events: dict[int, _Events] = {}
        self._ended: list[OwnEntries] = []
        self._programs = probe.Programs(
            probe.Build(
                ("vdso_breakpoint.c",),
                {
                    **kernel.offsets(),
                    "MAX_FUNCTIONS": MAX_FUNCTIONS,
                    "COUNTER_BY_CLOCK": _COUNTER_BY_CLOCK,
                },
            )
        )
        try:
            self._program = self._programs.program("on_breakpoint", bpf.PERF_EVENT)
            self._entries = self._programs.scalars("entries")
            places = self._programs.numbers("first_counters")
            for number, function in enumerate(self.functions):
                by_clock = _COUNTER_BY_CLOCK if function.name in BY_CLOCK else 0
                counter = ctypes.c_uint32(number * CLOCKS | by_clock)
                places[ctypes.c_uint32(function.offset)] = counter
            self.hit_ns = self._try(calibration)
        except BaseException:
            self._programs.close()
            raise

    def _try(self, calibration: Calibration) -> float | None:
        """Return what a hit adds to a call, ns; None for an image without the function."""
        function = next((item for item in self.functions if item.name == _TRIED), None)
        plain_ns = calibration.call_ns(_TRIED, _CLOCK_REALTIME)
        if function is None or plain_ns is None:
            return None
        try:
            fd = self._open(0, own_address(), function, threads=False)
        except OSError as error:
            why = perf_event.reason(error)
            raise UnsupportedError(f"this machine has no breakpoint: {why}") from error
        try:
            with_hit_ns = calibration.once_ns(_TRIED, _TRIAL_CALLS, _CLOCK_REALTIME)
        finally:
            os.close(fd)
        # of this clock only: the stopwatch reads another one, by the same function
        counted = self.read().clocked[_TRIED].get(_CLOCK_REALTIME, 0)
        for index in range(len(self.functions) * CLOCKS):
            self._entries[ctypes.c_uint32(index)] = ctypes.c_uint64(0)
        if counted != _TRIAL_CALLS:
            raise UnsupportedError(
                f"breakpoints miss calls on this machine: {counted} of {_TRIAL_CALLS} were seen"
            )
        return max(0.0, with_hit_ns - plain_ns)

    def _open(self, tid: int, vdso: int, function: Function, *, threads: bool) -> int:
        return perf_event.open_breakpoint(
            tid, vdso + function.offset, self._program, threads=threads
        )

    def hold(self, pid: int, vdso: int, tids: Sequence[int] = ()) -> None:
        """Set breakpoints in a held process whose vDSO is at ``vdso``; ``tids`` are its threads.

        One that has them already keeps them. Raises BreakpointError, unless the process died.
        """
        if pid in self._events:
            return
        events = _Events(pid, vdso)
        try:
            for tid in tids or (pid,):
                for function in self.functions:
                    events.add(function, self._open(tid, vdso, function, threads=True))
        except OSError as error:
            events.close()
            if error.errno != errno.ESRCH:
                raise BreakpointError(f"it gets no breakpoint: {error.strerror}") from error
        else:
            self._events[pid] = events

    def move(self, pid: int, vdso: int | None) -> None:
        """Follow the vDSO of a process, and of what shares its memory; None: it has none any more.

        Raises BreakpointError; then, and without a vDSO, there are no breakpoints left.
        """
        for other, events in list(self._events.items()):
            if events.vdso == vdso or not (other == pid or same_memory(pid, other)):
                continue
            if vdso is None:
                self.drop(other)
                continue
            try:
                events.move(vdso)
            except OSError as error:
                self.drop(other)
                raise BreakpointError(f"it gets no breakpoint: {error.strerror}") from error

    def keep(self, pids: Collection[int]) -> None:
        """Take them from all others."""
        for pid in self._events.keys() - pids:
            self.drop(pid)

    def holds(self, pid: int) -> bool:
        """Whether a process has breakpoints."""
        return pid in self._events

    def drop(self, pid: int) -> None:
        """Take them from a process that has ended, or has another image now."""
        events = self._events.pop(pid, None)
        if events is not None:
            self._ended.append(events.own())
            events.close()

    def disable(self, pid: int) -> None:
        """Count no more in a process that still runs."""
        events = self._events.get(pid)
        if events is not None:
            events.disable()

    def read(self) -> Entries:
        """Return the program's counts so far, of all images together."""
        plain, clocked = {}, {}
        for number, function in enumerate(self.functions):
            first = number * CLOCKS
            if function.name not in BY_CLOCK:
                plain[function.name] = self._entries[ctypes.c_uint32(first)].value
                continue
            counts = {
                clock: self._entries[ctypes.c_uint32(first + clock)].value
                for clock in range(CLOCKS)
            }
            clocked[function.name] = {clock: count for clock, count in counts.items() if count}
        return Entries(plain, clocked)

    @property
    def used(self) -> bool:
        """Whether any process has, or had, breakpoints."""
        return bool(self._events or self._ended)

    def by_process(self) -> list[OwnEntries]:
        """Return the kernel's own counts, of every process that had breakpoints."""
        return [*self._ended, *(events.own() for events in self._events.values())]

    def warnings(self) -> list[str]:
        """Say what they cost and what they leave out, if any process has had them."""
        warnings: list[str] = []
        if not self.used:
            return warnings
        if self.hit_ns is not None:
            cost = f"{self.hit_ns / 1000:.1f} us"
            warnings.append(f"each vDSO call that a breakpoint counts takes {cost} longer")
        if self.left_out:
            names = ", ".join(self.left_out)
            warnings.append(
                f"vDSO calls of {names} were not counted: a CPU has {SLOTS} breakpoints"
            )
        return warnings

    def disagreement(self) -> str | None:
        """Return a warning if the program and the kernel's own counts do not agree."""
        entries = self.read()
        seen = {name: sum(counts.values()) for name, counts in entries.clocked.items()}
        kernels: Counter[str] = Counter()
        for own in self.by_process():
            kernels.update(own.entries)
        if kernels == Counter({**entries.plain, **seen}):
            return None
        return "breakpoints and the kernel's count of them do not agree: vDSO counts may be off"

    def close(self) -> None:
        """Remove all breakpoints and unload the program."""
        for events in self._events.values():
            events.close()
        self._events.clear()
        self._programs.close()


def _rank(function: Function) -> int:
    """Place the most used first; what nobody has heard of comes last."""
    return _ORDER.index(function.name) if function.name in _ORDER else len(_ORDER)
