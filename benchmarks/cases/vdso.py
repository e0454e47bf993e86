"""What a vDSO call costs in each mode, as threads are added."""

from collections.abc import Sequence
from itertools import product
from typing import Final

from benchmarks import tools
from benchmarks.run import run
from benchmarks.table import Goal, Sample, Section, interleaved, markdown, shown
from benchmarks.tools import Tool

_THREADS: Final = (1, 2, 4, 16, 64)
_PATCH, _UPROBE, _BREAKPOINT = (
    tools.systrace("--vdso", mode) for mode in ("patch", "uprobe", "breakpoint")
)
_TOOLS: Final = (tools.UNTRACED, _PATCH, _UPROBE, _BREAKPOINT)

Subject = tuple[Tool, int]


def sections(rounds: int, milliseconds: int) -> list[Section]:
    """C's clock_gettime, and Go's time.Now, which is two calls."""
    c = str(tools.PROGRAMS / "calls"), "clock"
    go = str(tools.PROGRAMS / "load"), "clock"
    return [
        _section("`clock_gettime` of C", c, rounds, milliseconds),
        _section("`time.Now` of Go (two calls)", go, rounds, milliseconds),
    ]


def _section(title: str, program: Sequence[str], rounds: int, milliseconds: int) -> Section:
    subjects = list(product(_TOOLS, _THREADS))

    def measure(subject: Subject) -> Sample:
        tool, threads = subject
        outcome = run(tool, (*program, str(threads), str(milliseconds)))
        calls, ns = outcome.said.split()
        counted = tool.counted(outcome.report, "clock_gettime", 0)
        return Sample(float(ns), None if counted is None else max(0, int(calls) - counted))

    table = interleaved(subjects, rounds, measure)

    def added(tool: Tool, threads: int) -> float:
        return table.median((tool, threads)) - table.median((tools.UNTRACED, threads))

    rows = [
        [tool.name, *(shown(table.median((tool, threads))) for threads in _THREADS)]
        for tool in _TOOLS
    ]
    rows += [
        [f"added by {tool.name}", *(shown(added(tool, threads)) for threads in _THREADS)]
        for tool in _TOOLS[1:]
    ]
    text = markdown(["ns a call", *(f"{threads} threads" for threads in _THREADS)], rows)
    one = added(_PATCH, 1)
    goals = [
        Goal("vDSO: ns added, one thread", one, 10),
        Goal("a uprobe: times the trampoline", added(_UPROBE, 1) / one, 50, least=True),
        Goal("vDSO, 64 threads: times what is added to one", added(_PATCH, 64) / one, 2),
    ]
    lost = table.markdown("ns a call", lambda subject: f"{subject[0].name}, {subject[1]} threads")
    text += f"\n\n<details><summary>spread, and calls lost</summary>\n\n{lost}\n\n</details>"
    return Section(title, text, goals if "C" in title else [])
