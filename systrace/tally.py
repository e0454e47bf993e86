"""What was counted up to a moment: plain numbers, to be subtracted and reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from systrace.layout import Space, Total

Key = tuple[Space, int]
Name = TypeVar("Name")
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RowTally:
    """One row, all CPUs added up; ``histogram`` maps bucket index to count, times are ns.

    ``finished`` is how many calls returned: the sum of the histogram.
    """

    count: int = 0
    total_ns: int = 0
    min_ns: int | None = None
    max_ns: int | None = None
    restarted: int = 0
    filtered: int = 0
    histogram: Mapping[int, int] = field(default_factory=dict)
    errors: Mapping[int, int] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Calls that returned."""
        return sum(self.histogram.values())

    def since(self, earlier: "RowTally") -> "RowTally":
        """Return what happened after ``earlier``; the extremes are then unknown."""
        return RowTally(
            self.count - earlier.count,
            self.total_ns - earlier.total_ns,
            None,
            None,
            self.restarted - earlier.restarted,
            self.filtered - earlier.filtered,
            subtract(self.histogram, earlier.histogram),
            subtract(self.errors, earlier.errors),
        )


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """What one process did of one row; ``errors`` by errno, time in ns."""

    count: int = 0
    total_ns: int = 0
    errors: Mapping[int, int] = field(default_factory=dict)

    def since(self, earlier: "ProcessRow") -> "ProcessRow":
        """Return what happened after ``earlier``."""
        return ProcessRow(
            self.count - earlier.count,
            self.total_ns - earlier.total_ns,
            subtract(self.errors, earlier.errors),
        )


class ProcessTally(NamedTuple):
    """One process; pids as systrace's pid namespace numbers them, ``end_ns`` 0 while it lives.

    ``pid_in_namespace`` is its number in its own. ``status`` is as wait(2) encodes it. ``rows``
    and ``entries`` (vDSO calls by name) are empty unless counts are kept by process.
    """

    pid: int
    ppid: int
    comm: str
    start_ns: int
    end_ns: int
    pid_in_namespace: int = 0
    status: int = 0
    shares_memory: bool = False
    rows: Mapping[Key, ProcessRow] = _NONE
    entries: Mapping[str, int] = _NONE

    def since(self, earlier: "ProcessTally") -> "ProcessTally":
        """Return what it did after ``earlier``."""
        zero = ProcessRow()
        return self._replace(
            rows={key: row.since(earlier.rows.get(key, zero)) for key, row in self.rows.items()},
            entries=subtract(self.entries, earlier.entries),
        )


class Entries(NamedTuple):
    """Entries into vDSO functions: ``plain`` by name, ``clocked`` by name and clock id.

    An id of 31 stands for every other one (``CLOCKS`` in shared.h).
    """

    plain: Mapping[str, int] = _NONE
    clocked: Mapping[str, Mapping[int, int]] = _NONE

    def __bool__(self) -> bool:
        """Whether there was one at all."""
        counts: list[Mapping[Any, int]] = [self.plain, *self.clocked.values()]
        return any(count for by_name in counts for count in by_name.values())

    def plus(self, other: "Entries") -> "Entries":
        """Add two counts up."""
        none: Mapping[int, int] = {}
        return Entries(
            add(self.plain, other.plain),
            {
                name: add(self.clocked.get(name, none), other.clocked.get(name, none))
                for name in {**self.clocked, **other.clocked}
            },
        )

    def by_name(self) -> dict[str, int]:
        """Return the counts by name, all clocks added up."""
        return {**self.plain, **{name: sum(by.values()) for name, by in self.clocked.items()}}

    def since(self, earlier: "Entries") -> "Entries":
        """Return what happened after ``earlier``."""
        none: Mapping[int, int] = {}
        return Entries(
            subtract(self.plain, earlier.plain),
            {
                name: subtract(counts, earlier.clocked.get(name, none))
                for name, counts in self.clocked.items()
            },
        )


class OwnEntries(NamedTuple):
    """Entries into vDSO functions, by name, of the process ``pid`` from ``since_ns`` on."""

    pid: int
    since_ns: int
    entries: Mapping[str, int]


class Tally(NamedTuple):
    """All counters at a moment (``at_ns``, CLOCK_MONOTONIC).

    ``fallback_clocks`` maps ``clock_gettime`` and ``clock_getres`` to counts by clock id.
    ``skipped`` counts program runs that the kernel skipped, of any process on the machine.
    """

    at_ns: int
    rows: Mapping[Key, RowTally]
    fallback_clocks: Mapping[str, Mapping[int, int]]
    totals: Mapping[Total, int]
    skipped: int
    processes: Sequence[ProcessTally] = ()
    entries: Entries = Entries()

    def since(self, earlier: "Tally") -> "Tally":
        """Return what happened after ``earlier``."""
        zero = RowTally()
        none: Mapping[int, int] = {}
        return Tally(
            self.at_ns,
            {key: row.since(earlier.rows.get(key, zero)) for key, row in self.rows.items()},
            {
                name: subtract(counts, earlier.fallback_clocks.get(name, none))
                for name, counts in self.fallback_clocks.items()
            },
            {total: count - earlier.totals[total] for total, count in self.totals.items()},
            self.skipped - earlier.skipped,
            self._processes_since(earlier),
            self.entries.since(earlier.entries),
        )

    def _processes_since(self, earlier: "Tally") -> tuple[ProcessTally, ...]:
        """Return those that lived after ``earlier``, with what they did then."""
        before = {(process.pid, process.start_ns): process for process in earlier.processes}
        processes = (
            process
            for process in self.processes
            if not process.end_ns or process.end_ns >= earlier.at_ns
        )
        return tuple(
            process.since(before[identity])
            if (identity := (process.pid, process.start_ns)) in before
            else process
            for process in processes
        )


def with_entries(
    processes: Sequence[ProcessTally], own: Sequence[OwnEntries]
) -> Sequence[ProcessTally]:
    """Give each process its vDSO entries: a pid is that of its latest process before then."""
    if not own:
        return processes
    starts: dict[int, list[tuple[int, int]]] = {entries.pid: [] for entries in own}
    for index, process in enumerate(processes):
        if process.pid in starts:
            starts[process.pid].append((process.start_ns, index))
    found: dict[int, dict[str, int]] = {}
    for entries in own:
        earlier = [pair for pair in starts[entries.pid] if pair[0] <= entries.since_ns]
        if earlier:
            _, index = max(earlier)
            found[index] = add(found.get(index, {}), entries.entries)
    return tuple(
        process._replace(entries=found[index]) if index in found else process
        for index, process in enumerate(processes)
    )


def subtract(now: Mapping[Name, int], before: Mapping[Name, int]) -> dict[Name, int]:
    """Return the differences that are not zero."""
    differences = {name: count - before.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in differences.items() if count}


def add(one: Mapping[Name, int], other: Mapping[Name, int]) -> dict[Name, int]:
    """Return the sums, in the order in which the names come."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
