"""What tracing cost a run: what it adds to a call on this machine, and what that comes to. Pure."""

from typing import Final, NamedTuple

from systrace.report import Overhead, Report

_COUNTING: Final = ("patch", "breakpoint", "uprobe")


class Costs(NamedTuple):
    """ns that counting adds to a system call and to a vDSO call; None where nobody measured it.

    ``held_ns`` is for how long, all in all, programs were held to be prepared.
    """

    syscall_ns: float | None
    vdso_ns: float | None
    held_ns: int = 0


def estimate(report: Report, costs: Costs) -> Overhead | None:
    """Estimate it for a report; None if a cost is not known of what it counted.

    Time is added to whatever thread makes the call or is held. How much longer the run took for it
    is at least all of that spread evenly over as many threads as the CPUs can run at once, and at
    most all of it one after another: but nobody knows the most where more was added than to calls.
    ptrace stops what is started, threads too, and breakpoints wait for each other on several CPUs.
    Calls that a selection left out, signals and threads are not in it.
    """
    entered_ring_0 = report.ring_calls("3->0")
    counted = report.probes.vdso in _COUNTING
    entered_vdso = report.ring_calls("3") + report.vdso_fallbacks if counted else 0
    added_ns = float(costs.held_ns)
    for count, cost_ns in ((entered_ring_0, costs.syscall_ns), (entered_vdso, costs.vdso_ns)):
        if count and cost_ns is None:
            return None
        added_ns += count * (cost_ns or 0.0)
    at_once = max(1, min(report.thread_count, report.machine.cpus))
    calls_alone = (
        not costs.held_ns and report.thread_count <= 1 and report.probes.vdso != "breakpoint"
    )
    return Overhead(
        syscall_ns=costs.syscall_ns,
        vdso_ns=costs.vdso_ns,
        held_ns=costs.held_ns,
        added_ns=round(added_ns),
        slowdown_least=_slowdown(report.elapsed_ns, added_ns / at_once),
        slowdown_most=_slowdown(report.elapsed_ns, added_ns) if calls_alone else None,
    )


def _slowdown(elapsed_ns: int, added_ns: float) -> float | None:
    return elapsed_ns / (elapsed_ns - added_ns) if added_ns < elapsed_ns else None
