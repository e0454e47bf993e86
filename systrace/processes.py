"""The kernel's list of processes, and, where counts are kept by process, what each did.

Whatever has ended is taken out at every reading: the kernel's tables hold the living and those
that ended since, and the rest is kept here.
"""

import ctypes
import os
import signal
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Final

from systrace import bpf, time_namespace
from systrace.layout import ProcessRecord, ProcessRowKey
from systrace.layout import ProcessRow as KernelRow
from systrace.on_demand import OnDemand
from systrace.probe import Programs
from systrace.tally import Key, ProcessRow, ProcessTally

_TOGETHER: Final = 1024  # records


class _Ended(Mapping[int, ProcessRecord]):
    """Records of processes that have ended, by key; 64 bytes each, for there may be millions.

    Keys count up, with gaps where the kernel's table was full; those in use have an end.
    """

    def __init__(self) -> None:
        self._records: list[ctypes.Array[ProcessRecord]] = []

    def add(self, key: int, record: ProcessRecord) -> None:
        """Keep a copy of a record."""
        place, index = divmod(key, _TOGETHER)
        while len(self._records) <= place:
            self._records.append((ProcessRecord * _TOGETHER)())
        self._records[place][index] = record

    def __getitem__(self, key: int) -> ProcessRecord:
        place, index = divmod(key, _TOGETHER)
        if place < len(self._records) and self._records[place][index].end_ns:
            return self._records[place][index]
        raise KeyError(key)

    def __iter__(self) -> Iterator[int]:
        records = (record for together in self._records for record in together)
        return (key for key, record in enumerate(records) if record.end_ns)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Processes:
    """The maps ``processes`` and, with ``per_process``, ``process_rows``."""

    def __init__(self, programs: Programs, *, per_process: bool) -> None:
        self._records = bpf.Map(programs.map_fd("processes"), ctypes.c_uint32, ProcessRecord)
        self._rows = (
            bpf.Map(programs.map_fd("process_rows"), ProcessRowKey, KernelRow)
            if per_process
            else None
        )
        self._ended = _Ended()
        self._ended_rows: dict[int, Mapping[Key, ProcessRow]] = {}
        self._ahead_ns = time_namespace.offset_ns()

    def read(self, keys: Callable[[], Mapping[int, Key]]) -> Sequence[ProcessTally]:
        """Return every process, in the order in which they began; ``keys`` say what rows are."""
        alive = self.collect(keys)
        order = array("I", merge(self._ended, sorted(alive)))
        return OnDemand(len(order), lambda index: self._tally(order[index], alive))

    def _tally(self, key: int, alive: Mapping[int, ProcessTally]) -> ProcessTally:
        if key in alive:  # it may have ended since
            return alive[key]
        ended = _tally(self._ended[key], self._ahead_ns)
        return ended._replace(rows=self._ended_rows[key]) if key in self._ended_rows else ended

    def collect(self, keys: Callable[[], Mapping[int, Key]]) -> dict[int, ProcessTally]:
        """Take out what has ended, and return what lives.

        The records are read first: a process that has an end then makes no more calls. ``keys``
        are asked for last, when every row that was met has one.
        """
        alive, done = {}, set()
        for key, record in self._records.everything():
            if record.end_ns:
                self._ended.add(key.value, record)
                done.add(key.value)
            else:
                alive[key.value] = _tally(record, self._ahead_ns)
        if self._rows is not None:
            rows = self._read_rows(self._rows, keys, done)
            self._ended_rows.update((key, rows[key]) for key in done & rows.keys())
            alive = {key: one._replace(rows=rows.get(key, {})) for key, one in alive.items()}
        self._records.discard_all([ctypes.c_uint32(key) for key in done])
        return alive

    def execs(self, key: int) -> int:
        """Return how often a process has executed a program; 0 if it is not listed any more."""
        record = self._records.get(ctypes.c_uint32(key))
        return 0 if record is None else int(record.execs)

    def was_killed(self, key: int) -> bool:
        """Whether SIGKILL ended a process."""
        record = self._records.get(ctypes.c_uint32(key)) or self._ended.get(key)
        if record is None or not record.end_ns:
            return False
        return os.WTERMSIG(record.exit_code) == signal.SIGKILL

    def living(self) -> dict[int, int]:
        """Return the pids of processes that live, and when each began, ns."""
        records = (record for _, record in self._records.everything())
        return {record.pid: record.start_ns for record in records if not record.end_ns}

    @staticmethod
    def _read_rows(
        kept: "bpf.Map[ProcessRowKey, KernelRow]",
        keys: Callable[[], Mapping[int, Key]],
        done: set[int],
    ) -> dict[int, Mapping[Key, ProcessRow]]:
        """Read what each process did; that of processes in ``done`` is deleted."""
        entries = list(kept.everything())
        kept.discard_all([key for key, _ in entries if key.process in done])
        names = keys()
        found: defaultdict[int, _Rows] = defaultdict(_Rows)
        for key, row in entries:
            found[key.process].add(names[key.row - 1], key.error, row)
        return {process: rows.rows() for process, rows in found.items()}


class _Rows:
    """One process's rows, put together from calls and errors."""

    def __init__(self) -> None:
        self._counts: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0])
        self._errors: defaultdict[Key, dict[int, int]] = defaultdict(dict)

    def add(self, key: Key, error: int, row: KernelRow) -> None:
        """Take an entry; two rows with one key are added up (see row_of in syscalls.c)."""
        if error:
            errors = self._errors[key]
            errors[error] = errors.get(error, 0) + int(row.count)
        else:
            counts = self._counts[key]
            counts[0] += row.count
            counts[1] += row.total_ns

    def rows(self) -> dict[Key, ProcessRow]:
        """Return what has been taken."""
        return {
            key: ProcessRow(count, total_ns, self._errors.get(key, {}))
            for key, (count, total_ns) in self._counts.items()
        }


def _tally(record: ProcessRecord, ahead_ns: int) -> ProcessTally:
    """Take over a record, all but its rows; its times become those of our own CLOCK_MONOTONIC."""
    return ProcessTally(
        pid=record.pid,
        ppid=record.ppid,
        comm=record.comm.decode("utf-8", "surrogateescape"),
        start_ns=record.start_ns + ahead_ns,
        end_ns=record.end_ns and record.end_ns + ahead_ns,
        pid_in_namespace=record.pid_in_namespace,
        status=record.exit_code,
        shares_memory=bool(record.shares_memory),
    )
