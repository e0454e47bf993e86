"""What a system call costs under each tool."""

import os
from typing import Final

from benchmarks import tools
from benchmarks.run import run
from benchmarks.table import Goal, Sample, Section, interleaved
from benchmarks.tools import Tool

_NUMBERS: Final = {"getppid": 110, "read": 0}  # arch/x86/entry/syscalls/syscall_64.tbl
_TOOLS: Final = (
    tools.UNTRACED,
    tools.FLOOR,
    tools.FULL,
    tools.systrace("--vdso", "off"),
    tools.COUNTS_ONLY,
    *tools.PEERS,
)


def sections(rounds: int, milliseconds: int) -> list[Section]:
    """One thread, and one on every CPU."""
    cpus = os.cpu_count() or 1
    return [
        _section(call, threads, rounds, milliseconds)
        for call in _NUMBERS
        for threads in sorted({1, cpus})
    ]


def _section(call: str, threads: int, rounds: int, milliseconds: int) -> Section:
    work = (str(tools.PROGRAMS / "calls"), call, str(threads), str(milliseconds))

    def measure(tool: Tool) -> Sample:
        outcome = run(tool, work)
        calls, ns = outcome.said.split()
        counted = tool.counted(outcome.report, call, _NUMBERS[call])
        lost = None if counted is None else max(0, int(calls) - counted)
        return Sample(float(ns), lost)

    table = interleaved(_TOOLS, rounds, measure)
    native = table.median(tools.UNTRACED)
    floor = table.median(tools.FLOOR) - native

    def added(tool: Tool) -> float:
        return table.median(tool) - native

    more = (
        ("added", lambda ns: ns - native),
        ("times the floor", lambda ns: (ns - native) / floor),
    )
    text = table.markdown("ns a call", lambda tool: tool.name, more)
    full = added(tools.FULL)
    goals = [
        Goal("everything: times the floor", full / floor, 1.6),
        Goal("--counts-only: times the floor", added(tools.COUNTS_ONLY) / floor, 1.3),
        Goal("strace -c -f: times systrace", added(tools.STRACE) / full, 200, least=True),
        Goal("perf trace -s: times systrace", added(tools.PERF_TRACE) / full, 50, least=True),
        Goal("bpftrace counting: times systrace", added(tools.BPFTRACE) / full, 2, least=True),
        Goal("syscount -L: times systrace", added(tools.SYSCOUNT_L) / full, 1.5, least=True),
    ]
    thread = "one thread" if threads == 1 else f"{threads} threads, one on each CPU"
    shown_goals = goals if (call, threads) == ("getppid", 1) else []
    return Section(f"`{call}` in a loop, {thread}", text, shown_goals)
