"""The kernel's counters, read out of the maps of the loaded programs."""

import ctypes
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from systrace import bpf, syscalls
from systrace.layout import (
    CLOCKS,
    MAX_ROWS,
    REF_CLOCK,
    REF_CLOCK_SET,
    REF_MAPS,
    REF_SKIP,
    REF_VDSO,
    SPACE_NUMBERS,
    Config,
    Row,
    RowKey,
    Space,
    Total,
)
from systrace.options import Selection
from systrace.probe import Programs
from systrace.processes import Processes
from systrace.tally import Key, RowTally, Tally, add

CLOCKED: Final = ("clock_gettime", "clock_getres")  # the order of the fallback_clocks map
_INJECTED: Final = ("mmap", "madvise", "close", "munmap")  # what systrace itself may inject
_MAPPING: Final = ("mmap", "munmap", "mremap")  # what may move or unmap a vDSO
_ABI: Final = {Space.X86_64: "x86_64", Space.I386: "i386", Space.X32: "x32"}


class Counters:
    """All maps of the counting programs. Reading never stops or resets a counter."""

    def __init__(
        self, programs: Programs, counting: tuple[str, ...], *, per_process: bool = False
    ) -> None:
        self._programs = programs
        self._counting = counting
        cpus = bpf.possible_cpus()
        self._refs = bpf.Map(programs.map_fd("refs"), ctypes.c_uint32, ctypes.c_uint32)
        self._odd_refs = bpf.Map(programs.map_fd("odd_refs"), RowKey, ctypes.c_uint32)
        self._keys = bpf.Map(programs.map_fd("row_keys"), ctypes.c_uint32, RowKey)
        self._rows = bpf.Map(programs.map_fd("rows"), ctypes.c_uint32, Row * cpus)
        self._errors = bpf.Map(programs.map_fd("errors"), ctypes.c_uint32, ctypes.c_uint64 * cpus)
        self._clocks = bpf.Map(
            programs.map_fd("fallback_clocks"), ctypes.c_uint32, ctypes.c_uint64 * cpus
        )
        self._processes = Processes(programs, per_process=per_process)
        self._totals = programs.scalars("totals")
        self._config = bpf.Map(programs.map_fd("config"), ctypes.c_uint32, Config)

    def configure(self, config: Config) -> None:
        """Tell the programs whom to wait for."""
        self._config[ctypes.c_uint32(0)] = config

    def select(self, selection: Selection | None, vdso_functions: tuple[str, ...]) -> None:
        """Mark, before anything is attached, what is counted and what the vDSO may issue."""
        flags = _vdso_flags(vdso_functions)
        if selection is not None:
            for space in Space:
                abi = _ABI.get(space, "x86_64")
                for number in range(SPACE_NUMBERS):
                    if not selection.admits(syscalls.name(abi, number)):
                        flags[space, number] |= REF_SKIP
            self._select_odd(selection)
        for (space, number), value in flags.items():
            ref = ctypes.c_uint32(space * SPACE_NUMBERS + number)
            self._refs[ref] = ctypes.c_uint32(value)

    def _select_odd(self, selection: Selection) -> None:
        """Numbers beyond every table, where they are named one by one (``syscall_9999``)."""
        for name in selection.names:
            number = name.removeprefix("syscall_")
            if number == name or int(number) in range(SPACE_NUMBERS):
                continue
            flag = 0 if selection.admits(name) else REF_SKIP
            for space in (Space.X86_64, Space.I386, Space.X32):
                self._odd_refs[RowKey(space, int(number))] = ctypes.c_uint32(flag)

    def hold_moves(self) -> None:
        """Let threads whose calls may move or unmap a vDSO be held when these return."""
        native = syscalls.numbers("x86_64")
        for space in (Space.X86_64, Space.X32):  # their first numbers are the same
            for name in _MAPPING:
                ref = ctypes.c_uint32(space * SPACE_NUMBERS + native[name])
                flags = self._refs[ref].value | REF_VDSO | REF_MAPS
                self._refs[ref] = ctypes.c_uint32(flags)

    def hold(self, *, births: bool) -> None:
        """Hold processes that exec and, with ``births``, new ones."""
        config = self._config[ctypes.c_uint32(0)]
        config.hold_execs, config.hold_births = 1, int(births)
        self._config[ctypes.c_uint32(0)] = config

    def execs(self, process: int) -> int:
        """Return how often a process, by its key, has executed a program; 0 if it is gone."""
        return self._processes.execs(process)

    def was_killed(self, process: int) -> bool:
        """Whether SIGKILL ended a process, by its key."""
        return self._processes.was_killed(process)

    def living(self) -> dict[int, int] | None:
        """Return the pids that live, and when each began, ns; None if some are not listed."""
        living = self._processes.living()
        return None if 0 in living or self._total(Total.LOST_PROCESSES) else living

    def drain(self) -> Tally:
        """Read everything."""
        totals = {total: self._total(total) for total in Total}
        keys = self._row_keys(totals[Total.ROWS])
        skipped = sum(bpf.recursion_misses(self._programs.program(name)) for name in self._counting)
        return Tally(
            time.monotonic_ns(),
            self._read_rows(keys),
            self._fallback_clocks(),
            totals,
            skipped,
            self._processes.read(self._row_keys),
        )

    def collect(self) -> None:
        """Keep what ended processes did here, and no longer in the kernel."""
        self._processes.collect(self._row_keys)

    def ended(self) -> int:
        """Return how many processes have ended."""
        return self._total(Total.ENDED)

    def alive(self) -> int:
        """Return how many listed processes live."""
        ended = self._total(Total.ENDED)  # first: who is counted as ended has begun
        return self._total(Total.PROCESSES) - self._total(Total.LOST_PROCESSES) - ended

    def _total(self, total: Total) -> int:
        return int(self._totals[ctypes.c_uint32(total)].value)

    def _row_keys(self, allocated: int | None = None) -> dict[int, Key]:
        allocated = self._total(Total.ROWS) if allocated is None else allocated
        keys = {}
        for index in range(min(allocated, MAX_ROWS)):
            key = self._keys[ctypes.c_uint32(index)]
            keys[index] = (Space(key.space), int(key.nr))
        return keys

    def _read_rows(self, keys: Mapping[int, Key]) -> dict[Key, RowTally]:
        errors: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for packed, per_cpu in self._errors.items():
            row, number = divmod(packed.value, 1 << 16)
            errors[row][number] = sum(per_cpu)
        rows: dict[Key, RowTally] = {}
        for index, key in keys.items():
            found = _row_tally(self._rows[ctypes.c_uint32(index)], errors[index])
            # two CPUs that met a call at the same moment have a row each
            rows[key] = _added(rows[key], found) if key in rows else found
        return rows

    def _fallback_clocks(self) -> dict[str, dict[int, int]]:
        found: dict[str, dict[int, int]] = {}
        for index, name in enumerate(CLOCKED):
            found[name] = {}
            for clock in range(CLOCKS):
                count = sum(self._clocks[ctypes.c_uint32(index * CLOCKS + clock)])
                if count:
                    found[name][clock] = count
        return found


def _vdso_flags(functions: tuple[str, ...]) -> defaultdict[tuple[Space, int], int]:
    """Flag the numbers that a vDSO function may issue, and those that systrace injects."""
    flags: defaultdict[tuple[Space, int], int] = defaultdict(int)
    native = syscalls.numbers("x86_64")
    for name in (*functions, *_INJECTED):
        if name in native:
            flags[Space.X86_64, native[name]] |= REF_VDSO
    for name in functions:
        if name in native:
            # on a fallback row the flag says that this number can be a fallback at all
            flags[Space.FALLBACK, native[name]] |= REF_VDSO
    for index, name in enumerate(CLOCKED):
        flags[Space.FALLBACK, native[name]] |= REF_CLOCK | (REF_CLOCK_SET if index else 0)
    return flags


def _row_tally(per_cpu: Any, errors: Mapping[int, int]) -> RowTally:
    histogram: defaultdict[int, int] = defaultdict(int)
    for row in per_cpu:
        if row.count or row.total_ns or row.max_ns or any(row.histogram):
            for bucket, count in enumerate(row.histogram):
                if count:
                    histogram[bucket] += count
    smallest = max(row.min_ns_inverted for row in per_cpu)
    return RowTally(
        sum(row.count for row in per_cpu),
        sum(row.total_ns for row in per_cpu),
        2**64 - 1 - smallest if smallest else None,
        max(row.max_ns for row in per_cpu) if smallest else None,
        sum(row.restarted for row in per_cpu),
        sum(row.filtered for row in per_cpu),
        dict(sorted(histogram.items())),
        dict(errors),
    )


def _added(one: RowTally, other: RowTally) -> RowTally:
    mins = [row.min_ns for row in (one, other) if row.min_ns is not None]
    maxes = [row.max_ns for row in (one, other) if row.max_ns is not None]
    return RowTally(
        one.count + other.count,
        one.total_ns + other.total_ns,
        min(mins, default=None),
        max(maxes, default=None),
        one.restarted + other.restarted,
        one.filtered + other.filtered,
        add(one.histogram, other.histogram),
        add(one.errors, other.errors),
    )
