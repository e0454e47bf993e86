"""From one process's counters to its place in a report. Pure."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from systrace import syscalls
from systrace.layout import Space
from systrace.on_demand import OnDemand
from systrace.options import Selection
from systrace.report import Call, Exit, Process, Times, Via
from systrace.tally import ProcessTally

SPACES: Final[Mapping[Space, tuple[Via, str]]] = {
    Space.X86_64: ("syscall", "x86_64"),
    Space.I386: ("syscall", "i386"),
    Space.X32: ("syscall", "x32"),
    Space.FALLBACK: ("vdso-fallback", "x86_64"),
    Space.VSYSCALL: ("vsyscall", "x86_64"),
}

# What "returns" is the rax of the code that the signal interrupted: sigreturn(2)
RETURNS_NOTHING: Final = frozenset({"rt_sigreturn", "sigreturn"})


@cache
def ending(status: int | None) -> Exit:
    """Read a wait status; None is of a process that lives."""
    if status is None:
        return Exit()
    if os.WIFSIGNALED(status):
        return Exit(signal=os.WTERMSIG(status))
    return Exit(code=os.WEXITSTATUS(status))


def processes(
    tallies: Sequence[ProcessTally],
    started_ns: int,
    *,
    selection: Selection | None,
    with_times: bool,
) -> Sequence[Process]:
    """Shape every process; times are relative to ``started_ns``, the start of the run."""
    served = _served(tallies)

    def shaped(index: int) -> Process:
        process = tallies[index]
        calls = (
            *_ring0_calls(process, with_times=with_times),
            *_ring3_calls(served[index], selection),
        )
        return Process(
            pid=process.pid,
            ppid=process.ppid,
            comm=process.comm,
            calls=tuple(sorted(calls, key=lambda call: (-call.count, call.name, call.via))),
            pid_in_namespace=process.pid_in_namespace,
            started_ns=max(0, process.start_ns - started_ns),
            ended_ns=max(0, process.end_ns - started_ns) if process.end_ns else None,
            exit=ending(process.status if process.end_ns else None),
        )

    return OnDemand(len(tallies), shaped)


def _ring0_calls(process: ProcessTally, *, with_times: bool) -> Iterator[Call]:
    for (space, number), row in process.rows.items():
        if not row.count:
            continue
        via, abi = SPACES[space]
        name = syscalls.name(abi, number)
        errors = {} if name in RETURNS_NOTHING else row.errors
        # as it is read back: a mean to a tenth of a nanosecond
        timed = with_times and row.total_ns
        yield Call(
            name=name,
            via=via,
            abi=abi,
            count=row.count,
            errors={syscalls.errno_name(errno): n for errno, n in sorted(errors.items())},
            times=Times(row.total_ns, round(row.total_ns / row.count, 1)) if timed else None,
        )


def _ring3_calls(served: Mapping[str, int], selection: Selection | None) -> Iterator[Call]:
    for name, count in served.items():
        if count > 0 and (selection is None or selection.admits(name)):
            yield Call(name, "vdso", "x86_64", count)


def _served(tallies: Sequence[ProcessTally]) -> list[Counter[str]]:
    """Entries minus fallbacks. Who shares its parent's memory is counted in with it.

    A fallback, a system call, is known to be the child's own: it is the parent's entry, then.
    """
    if not any(process.rows or process.entries for process in tallies):
        return [Counter()] * len(tallies)
    served = [Counter(process.entries) for process in tallies]
    last = {process.pid: index for index, process in enumerate(tallies)}
    for index, process in enumerate(tallies):
        for (space, number), row in process.rows.items():
            if space != Space.FALLBACK:
                continue
            name = syscalls.name("x86_64", number)
            whose = index
            if process.shares_memory and served[index][name] < row.count:
                whose = last.get(process.ppid, index)
            served[whose][name] -= row.count
    return served
