"""Calls that ran again only because a tracer was there, taken out of the counts. Pure.

A tracee hears of signals that it ignores, and they interrupt its calls, signal(7): the call is
seen to return, and then to enter again, itself or as restart_syscall(2). Untraced it is one call.
"""

from collections.abc import Mapping
from dataclasses import replace
from errno import EINTR
from typing import Final, NamedTuple, TypeVar

from systrace.layout import HIST_BUCKETS, Space, bucket_bounds
from systrace.tally import Key, ProcessRow, ProcessTally, RowTally, Tally

# include/linux/errno.h
RESTARTS: Final = frozenset({512, 513, 514, 516})
RESTART_BLOCK: Final = 516  # goes on by restart_syscall
_NR_RESTART_SYSCALL: Final = 219

_Row = TypeVar("_Row", RowTally, ProcessRow)


class Rerun(NamedTuple):
    """A call of a process (``tgid``), by number, that had returned ``-errno`` and ran again."""

    tgid: int
    nr: int
    errno: int


def without(tally: Tally, reruns: Mapping[Rerun, int]) -> Tally:
    """Take them out; the time of all parts stays with the call, for all were waited."""
    if not any(reruns.values()):
        return tally
    rows, processes = dict(tally.rows), list(tally.processes)
    last = {process.pid: index for index, process in enumerate(processes)}
    for rerun, times in reruns.items():
        if not times:
            continue
        _take(rows, rerun, times)
        index = last.get(rerun.tgid)
        if index is not None and processes[index].rows:
            processes[index] = _of_process(processes[index], rerun, times)
    return tally._replace(rows=rows, processes=tuple(processes))


def _of_process(process: ProcessTally, rerun: Rerun, times: int) -> ProcessTally:
    rows = dict(process.rows)
    _take(rows, rerun, times)
    return process._replace(rows=rows)


def _take(rows: dict[Key, _Row], rerun: Rerun, times: int) -> None:
    key, restart = (Space.X86_64, rerun.nr), (Space.X86_64, _NR_RESTART_SYSCALL)
    if rerun.errno != RESTART_BLOCK:
        if key in rows:
            rows[key] = _fewer(_returned(rows[key], rerun.errno, times), times)
        return
    if key in rows:
        rows[key] = _returned(rows[key], rerun.errno, times)
    found = rows.get(restart)
    if found is None or not found.count:
        return
    times = min(times, found.count)
    moved = found.total_ns * times // found.count
    rows[restart] = _fewer(replace(found, total_ns=found.total_ns - moved), times)
    if key in rows:
        rows[key] = _consistent(replace(rows[key], total_ns=rows[key].total_ns + moved))


def _returned(row: _Row, errno: int, times: int) -> _Row:
    """Take out what these returns were counted as."""
    if errno == EINTR:
        left = {**row.errors, EINTR: row.errors.get(EINTR, 0) - times}
        return replace(row, errors={number: n for number, n in left.items() if n > 0})
    if isinstance(row, RowTally):
        return replace(row, restarted=max(0, row.restarted - times))
    return row


def _fewer(row: _Row, times: int) -> _Row:
    """Take out entries; in the histogram the shortest calls make way."""
    count = max(0, row.count - times)
    if not isinstance(row, RowTally):
        return replace(row, count=count)
    histogram = dict(sorted(row.histogram.items()))
    left = times
    for bucket, calls in list(histogram.items()):
        taken = min(calls, left)
        histogram[bucket] -= taken
        left -= taken
    kept = {bucket: calls for bucket, calls in histogram.items() if calls}
    return _consistent(replace(row, count=count, histogram=kept))


def _consistent(row: _Row) -> _Row:
    """Bring the extremes in line with the calls that are left, which took ``total_ns`` together.

    Nobody measured a call as a whole that ran in parts: the extremes are then bounds.
    """
    if not isinstance(row, RowTally) or row.min_ns is None or row.max_ns is None:
        return row
    returned = row.finished
    if not returned:
        return replace(row, total_ns=0, min_ns=None, max_ns=None)
    if returned == 1:
        histogram = {_bucket_of(row.total_ns): 1}
        return replace(row, min_ns=row.total_ns, max_ns=row.total_ns, histogram=histogram)
    min_ns = max(row.min_ns, bucket_bounds(min(row.histogram))[0])
    mean_ns = -(-row.total_ns // returned)
    if mean_ns <= row.max_ns:
        return replace(row, min_ns=min_ns)
    longest, longer = max(row.histogram), _bucket_of(mean_ns)
    histogram = {**row.histogram, longest: row.histogram[longest] - 1}
    histogram[longer] = histogram.get(longer, 0) + 1
    kept = {bucket: calls for bucket, calls in histogram.items() if calls}
    return replace(row, min_ns=min_ns, max_ns=mean_ns, histogram=kept)


def _bucket_of(ns: int) -> int:
    """The histogram's bucket of a duration; the last one has no end."""
    return next((i for i in range(HIST_BUCKETS) if ns < bucket_bounds(i)[1]), HIST_BUCKETS - 1)
