"""From counters to a report: names, rings, percentiles, warnings. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from systrace import syscalls
from systrace.layout import CLOCKS, HIST_BUCKETS, Space, Total, bucket_bounds
from systrace.options import Selection
from systrace.per_process import RETURNS_NOTHING, SPACES, processes
from systrace.report import (
    Attached,
    Bucket,
    Call,
    Exit,
    Machine,
    Probes,
    Report,
    Times,
)
from systrace.tally import RowTally, Tally

# include/uapi/linux/time.h; 16 to 23 are Linux 6.17's auxiliary clocks
_CLOCKS: Final = {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    4: "CLOCK_MONOTONIC_RAW",
    5: "CLOCK_REALTIME_COARSE",
    6: "CLOCK_MONOTONIC_COARSE",
    7: "CLOCK_BOOTTIME",
    8: "CLOCK_REALTIME_ALARM",
    9: "CLOCK_BOOTTIME_ALARM",
    10: "CLOCK_SGI_CYCLE",
    11: "CLOCK_TAI",
    **{16 + number: f"CLOCK_AUX{number}" for number in range(8)},
    CLOCKS - 1: "CLOCK_DYNAMIC",  # a process's or a device's clock, or no clock at all
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says besides counters; ``warnings``, ``incomplete`` are those of the session.

    ``vdso_ns`` gives the cost in ns of one call that the vDSO serves, by name and clock id.
    """

    command: tuple[str, ...]
    started: str
    started_ns: int
    machine: Machine
    probes: Probes
    selection: Selection | None = None
    without_children: bool = False
    exit: Exit = field(default_factory=Exit)
    warnings: tuple[str, ...] = ()
    with_times: bool = True
    vdso_ns: Callable[[str, int], float | None] | None = None
    longest_stop_ns: int | None = None
    incomplete: frozenset[str] = frozenset()
    attached: tuple[Attached, ...] = ()


def report(tally: Tally, facts: Facts, since_ns: int | None = None) -> Report:
    """Assemble a report, of an interval where ``since_ns`` says when that began."""
    calls = [*_ring0_calls(tally, facts), *_vdso_calls(tally, facts)]
    begin = facts.started_ns if since_ns is None else since_ns
    return Report(
        command=facts.command,
        exit=facts.exit,
        started=facts.started,
        elapsed_ns=max(0, tally.at_ns - begin),
        machine=facts.machine,
        probes=facts.probes,
        calls=tuple(sorted(calls, key=lambda call: (-call.count, call.name, call.via))),
        process_count=tally.totals[Total.PROCESSES],
        thread_count=tally.totals[Total.THREADS],
        lost=tally.skipped + tally.totals[Total.LOST_CALLS],
        processes=processes(
            tally.processes,
            facts.started_ns,
            selection=facts.selection,
            with_times=facts.with_times,
        ),
        warnings=(*facts.warnings, *_warnings(tally)),
        selected=facts.selection is not None,
        longest_stop_ns=facts.longest_stop_ns,
        since_ns=None if since_ns is None else max(0, since_ns - facts.started_ns),
        selection=facts.selection,
        without_children=facts.without_children,
        attached=facts.attached,
        incomplete=tuple(sorted(facts.incomplete | _incomplete(tally))),
    )


def _ring0_calls(tally: Tally, facts: Facts) -> list[Call]:
    calls = []
    for (space, number), row in tally.rows.items():
        if not row.count and not row.filtered:
            continue
        via, abi = SPACES[space]
        name = syscalls.name(abi, number)
        if name in RETURNS_NOTHING:
            row = replace(row, restarted=0, errors={})  # noqa: PLW2901 - the same row, corrected
        clocks = tally.fallback_clocks.get(name, {}) if via == "vdso-fallback" else {}
        calls.append(
            Call(
                name=name,
                via=via,
                abi=abi,
                count=row.count,
                # a call can return between the reading of the two
                unfinished=0 if via == "vsyscall" else max(0, row.count - row.finished),
                filtered=row.filtered,
                restarted=row.restarted,
                errors={
                    syscalls.errno_name(errno): count for errno, count in sorted(row.errors.items())
                },
                by_clock=_named(clocks),
                times=times(row) if facts.with_times else None,
            )
        )
    return calls


def _vdso_calls(tally: Tally, facts: Facts) -> list[Call]:
    """Entries minus fallbacks: what the vDSO served itself."""
    calls = []
    fallen = {
        syscalls.name("x86_64", number): row.count
        for (space, number), row in tally.rows.items()
        if space == Space.FALLBACK
    }
    for name, count in tally.entries.by_name().items():
        clocks = dict(tally.entries.clocked.get(name, {}))
        for clock, times_fallen in tally.fallback_clocks.get(name, {}).items():
            # fallbacks of what was not patched count here too
            clocks[clock] = max(0, clocks.get(clock, 0) - times_fallen)
        served = sum(clocks.values()) if clocks else count - fallen.get(name, 0)
        if served <= 0 or (facts.selection and not facts.selection.admits(name)):
            continue
        estimate = _estimate(name, clocks or {0: served}, facts)
        calls.append(Call(name, "vdso", "x86_64", served, by_clock=_named(clocks), times=estimate))
    return calls


def _estimate(name: str, clocks: Mapping[int, int], facts: Facts) -> Times | None:
    """Counts times the calibrated cost of a call; None if one of them has no known cost."""
    if facts.vdso_ns is None or not facts.with_times:
        return None
    total = 0.0
    for clock, count in clocks.items():
        cost = facts.vdso_ns(name, clock) if count > 0 else 0.0
        if cost is None:
            return None
        total += count * cost
    calls = sum(clocks.values())
    return Times(total_ns=round(total), mean_ns=round(total / calls, 1), estimated=True)


def _named(clocks: Mapping[int, int]) -> dict[str, int]:
    named = {
        _CLOCKS.get(clock, f"CLOCK_{clock}"): count for clock, count in clocks.items() if count > 0
    }
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def times(row: RowTally) -> Times | None:
    """Durations of the calls that returned; None if none did."""
    finished = row.finished
    if not finished:
        return None
    buckets = sorted(row.histogram.items())
    low = row.min_ns if row.min_ns is not None else bucket_bounds(buckets[0][0])[0]
    # an interval has no extremes of its own: the outermost buckets' bounds stand for them
    high = row.max_ns if row.max_ns is not None else bucket_bounds(buckets[-1][0])[1] - 1
    bounds = {index: _bounds(index, high) for index, _ in buckets}
    return Times(
        total_ns=row.total_ns,
        mean_ns=round(row.total_ns / finished, 1),
        min_ns=low,
        max_ns=high,
        p50_ns=_percentile(buckets, bounds, 50, finished, low, high),
        p95_ns=_percentile(buckets, bounds, 95, finished, low, high),
        p99_ns=_percentile(buckets, bounds, 99, finished, low, high),
        histogram=tuple(Bucket(*bounds[index], count) for index, count in buckets),
    )


def _bounds(index: int, high: int) -> tuple[int, int]:
    """Return a bucket's bounds; the last one holds everything longer, too."""
    low, end = bucket_bounds(index)
    return low, max(end, high + 1) if index == HIST_BUCKETS - 1 else end


def _percentile(  # noqa: PLR0913, PLR0917 - a sum over all of them
    buckets: Sequence[tuple[int, int]],
    bounds: Mapping[int, tuple[int, int]],
    percent: int,
    finished: int,
    low: int,
    high: int,
) -> int:
    """Nearest rank; the middle of its bucket, which is off by at most half its width."""
    rank = -(-finished * percent // 100)
    for index, count in buckets:
        rank -= count
        if rank <= 0:
            first, end = bounds[index]
            return min(max((first + end - 1) // 2, low), high)
    return high


def _incomplete(tally: Tally) -> set[str]:
    """Name what is missing and is no number of calls, which ``lost`` would hold."""
    missing = {Total.LOST_TASKS: "threads", Total.LOST_ERRORS: "errors"}
    return {name for total, name in missing.items() if tally.totals[total]}


def _warnings(tally: Tally) -> list[str]:
    warnings = []
    lost = tally.totals
    if tally.skipped:
        warnings.append(
            f"the kernel skipped a probe {tally.skipped} times (on the whole machine): "
            "counts may be too low by as many"
        )
    if lost[Total.LOST_CALLS]:
        warnings.append(
            f"{lost[Total.LOST_CALLS]} calls are missing: more kinds of calls than rows"
        )
    if lost[Total.LOST_TASKS]:
        warnings.append(
            f"{lost[Total.LOST_TASKS]} threads were not followed: "
            "too many at once; their calls are missing"
        )
    if lost[Total.LOST_ERRORS]:
        warnings.append(f"{lost[Total.LOST_ERRORS]} errors were not kept: too many kinds at once")
    if lost[Total.LOST_PROCESSES]:
        warnings.append(
            f"{lost[Total.LOST_PROCESSES]} processes are counted, and not listed: too many at once"
        )
    if lost[Total.LOST_PROCESS_CALLS]:
        warnings.append(
            f"{lost[Total.LOST_PROCESS_CALLS]} calls are counted, and not shown by process: "
            "too many at once"
        )
    if lost[Total.LOST_PROCESS_ERRORS]:
        warnings.append(
            f"{lost[Total.LOST_PROCESS_ERRORS]} errors are counted, and not shown by process: "
            "too many at once"
        )
    return warnings
