"""What tracing cost a run: what it adds to a call on this machine, and what that comes to. Pure."""

from typing import Final, NamedTuple

from systrace.report import Overhead, Report

_COUNTING: Final = ("patch", "breakpoint", "uprobe")


class Costs(NamedTuple):
    """ns that counting adds to a system call and to a vDSO call; None where nobody measured it."""

    syscall_ns: float | None
    vdso_ns: float | None


def estimate(report: Report, costs: Costs) -> Overhead | None:
    """Estimate it for a report; None if a cost is not known of what it counted.

    Time is added to whatever thread makes the call: the slow-down is what it would be if the
    calls were spread evenly over the threads, as many as the CPUs can run at once. Calls that a
    selection left out are not in it.
    """
    entered_ring_0 = report.ring_calls("3->0")
    counted = report.probes.vdso in _COUNTING
    entered_vdso = report.ring_calls("3") + report.vdso_fallbacks if counted else 0
    added_ns = 0.0
    for count, cost_ns in ((entered_ring_0, costs.syscall_ns), (entered_vdso, costs.vdso_ns)):
        if count and cost_ns is None:
            return None
        added_ns += count * (cost_ns or 0.0)
    at_once = max(1, min(report.thread_count, report.machine.cpus))
    alone_ns = report.elapsed_ns - added_ns / at_once
    return Overhead(
        syscall_ns=costs.syscall_ns,
        vdso_ns=costs.vdso_ns,
        added_ns=round(added_ns),
        slowdown=report.elapsed_ns / alone_ns if alone_ns > 0 else None,
    )
