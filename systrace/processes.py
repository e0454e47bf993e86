"""The kernel's list of processes, and, where counts are kept by process, what each did.

Whatever has ended is taken out at every reading: the kernel's tables hold the living and those
that ended since, and the rest is kept here.
"""

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping

from systrace import bpf, time_namespace
from systrace.layout import ProcessRecord, ProcessRowKey
from systrace.layout import ProcessRow as KernelRow
from systrace.probe import Programs
from systrace.tally import Key, ProcessRow, ProcessTally


class Processes:
    """The maps ``processes`` and, with ``per_process``, ``process_rows``."""

    def __init__(self, programs: Programs, *, per_process: bool) -> None:
        self._records = bpf.Map(programs.map_fd("processes"), ctypes.c_uint32, ProcessRecord)
        self._rows = (
            bpf.Map(programs.map_fd("process_rows"), ProcessRowKey, KernelRow)
            if per_process
            else None
        )
        self._ended: dict[int, ProcessTally] = {}
        self._ahead_ns = time_namespace.offset_ns()

    def read(self, keys: Callable[[], Mapping[int, Key]]) -> tuple[ProcessTally, ...]:
        """Return every process, in the order in which they began; ``keys`` say what rows are."""
        alive = self.collect(keys)
        every = {**self._ended, **alive}
        return tuple(every[key] for key in sorted(every))

    def collect(self, keys: Callable[[], Mapping[int, Key]]) -> dict[int, ProcessTally]:
        """Take out what has ended, and return what lives.

        The records are read first: a process that has an end then makes no more calls. ``keys``
        are asked for last, when every row that was met has one.
        """
        records = [
            (key.value, _tally(record, self._ahead_ns))
            for key, record in self._records.everything()
        ]
        done = {key for key, process in records if process.end_ns}
        if self._rows is not None:
            rows = self._read_rows(self._rows, keys, done)
            records = [(key, process._replace(rows=rows(key))) for key, process in records]
        self._ended.update((key, process) for key, process in records if key in done)
        self._records.discard_all([ctypes.c_uint32(key) for key in done])
        return {key: process for key, process in records if key not in done}

    def execs(self, key: int) -> int:
        """Return how often a process has executed a program; 0 if it is not listed any more."""
        record = self._records.get(ctypes.c_uint32(key))
        return 0 if record is None else int(record.execs)

    def was_killed(self, key: int) -> bool:
        """Whether SIGKILL ended a process."""
        record = self._records.get(ctypes.c_uint32(key))
        if record is not None:
            return bool(record.end_ns) and os.WTERMSIG(record.exit_code) == signal.SIGKILL
        ended = self._ended.get(key)
        return ended is not None and os.WTERMSIG(ended.status) == signal.SIGKILL

    def living(self) -> dict[int, int]:
        """Return the pids of processes that live, and when each began, ns."""
        records = (record for _, record in self._records.everything())
        return {record.pid: record.start_ns for record in records if not record.end_ns}

    @staticmethod
    def _read_rows(
        kept: "bpf.Map[ProcessRowKey, KernelRow]",
        keys: Callable[[], Mapping[int, Key]],
        done: set[int],
    ) -> Callable[[int], Mapping[Key, ProcessRow]]:
        """Read what each process did; that of processes in ``done`` is deleted."""
        entries = list(kept.everything())
        kept.discard_all([key for key, _ in entries if key.process in done])
        names = keys()
        found: defaultdict[int, _Rows] = defaultdict(_Rows)
        for key, row in entries:
            found[key.process].add(names[key.row - 1], key.error, row)
        return lambda process: found[process].rows() if process in found else {}


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
    """Take over a record, all but its rows; there may be 10,000, with few names between them.

    Its times become those of our own CLOCK_MONOTONIC, which is ahead of the kernel's.
    """
    return ProcessTally(
        pid=record.pid,
        ppid=record.ppid,
        comm=sys.intern(record.comm.decode("utf-8", "surrogateescape")),
        start_ns=record.start_ns + ahead_ns,
        end_ns=record.end_ns and record.end_ns + ahead_ns,
        pid_in_namespace=record.pid_in_namespace,
        status=record.exit_code,
        shares_memory=bool(record.shares_memory),
    )
