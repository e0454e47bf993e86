"""A workload whose calls are known, counted by the engine in every ``--vdso`` mode.

A small Python program, which needs no compiler: Python makes calls of its own, and none of these.
It calls getppid, which libc does not answer by itself, and clock_gettime for CLOCK_TAI, a clock
that nobody else reads and that needs the clocksource. A second program, which the first one
starts, does the same, so that following is tried too. Both totals are prime.
"""

import os
import sys
from collections.abc import Iterator
from typing import Final

from systrace import early
from systrace.doctor.findings import Outcome, Trial
from systrace.errors import SystraceError
from systrace.options import VDSO_MODES, RunOptions, TraceOptions, VdsoMode
from systrace.report import UNCOUNTED, Exit, Report

FIRST: Final = (211, 1009)  # calls of getppid and of clock_gettime
SECOND: Final = (102, 1002)
_CLOCK: Final = "CLOCK_TAI"
_PROGRAM: Final = """\
import os, sys, time
for _ in range(int(sys.argv[1])):
    os.getppid()
for _ in range(int(sys.argv[2])):
    time.clock_gettime(time.CLOCK_TAI)
if sys.argv[3:]:
    arguments = [*sys.orig_argv[:5], *sys.argv[3:]]
    sys.exit(os.spawnv(os.P_WAIT, sys.executable, arguments))
"""
_NO_ENTRIES: Final = UNCOUNTED | {"none", "removed"}
_GETPPID: Final = "getppid"
_CLOCK_GETTIME: Final = "clock_gettime"


def command() -> tuple[str, ...]:
    """Return the workload as argv."""
    numbers = (str(number) for number in (*FIRST, *SECOND))
    return (sys.executable, "-I", "-S", "-c", _PROGRAM, *numbers)


def run() -> Iterator[Trial]:
    """Count it in every mode, with what ``systrace run`` counts with."""
    # sudo's user need not be able to read a Python of root's, and makes the same calls
    user = "0" if os.geteuid() == 0 else None
    for mode in VDSO_MODES:
        options = RunOptions(command(), user, TraceOptions(vdso=mode))
        try:
            *_, last = early.run(options)
        except SystraceError as error:
            yield Trial(mode, "refused", says=str(error).splitlines()[0])
        else:
            yield judge(mode, last.report)


def untried(why: str) -> Iterator[Trial]:
    """Return what there is to say where nothing can be counted."""
    for mode in VDSO_MODES:
        yield Trial(mode, "untried", says=why)


def judge(mode: VdsoMode, report: Report) -> Trial:
    """Hold a report of the workload against what is known of it."""
    counted_by = report.probes.vdso
    expected = {_GETPPID: FIRST[0] + SECOND[0]}
    counted = {_GETPPID: _system_calls(report)}
    if counted_by not in _NO_ENTRIES:
        expected[_CLOCK_GETTIME] = FIRST[1] + SECOND[1]
        counted[_CLOCK_GETTIME] = _entries(report)
    faults = [
        f"{counted[name]:,} of {number:,} calls of {name} were counted"
        for name, number in expected.items()
        if counted[name] != number
    ]
    if report.lost:
        faults.append(f"{report.lost:,} calls were lost")
    if report.exit.code != 0:
        faults.append(f"the workload ended with {_ending(report.exit)}")
    if mode == "auto" and report.incomplete:  # of a mode that was named, that is its nature
        faults.append(f"not counted to the last call: {', '.join(report.incomplete)}")
    outcome: Outcome = "wrong" if faults else "exact"
    return Trial(mode, outcome, counted_by, expected, counted, "; ".join(faults))


def _ending(ended: Exit) -> str:
    return f"status {ended.code}" if ended.signal is None else f"signal {ended.signal}"


def _system_calls(report: Report) -> int:
    return sum(
        call.count for call in report.calls if call.name == _GETPPID and call.via == "syscall"
    )


def _entries(report: Report) -> int:
    """Calls that entered the vDSO for this clock, whether it served them or not."""
    return sum(
        call.by_clock.get(_CLOCK, 0)
        for call in report.calls
        if call.name == _CLOCK_GETTIME and call.via in ("vdso", "vdso-fallback")
    )
