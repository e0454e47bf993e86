"""From the start of a tool to the end of ``true`` under it, and the memory that this takes."""

import shutil
from typing import Final

from benchmarks import tools
from benchmarks.memory import peak_bytes
from benchmarks.run import run
from benchmarks.table import Goal, Sample, Section, interleaved
from benchmarks.tools import Tool

_CACHE: Final = "/var/cache/systrace"
_TRUE: Final = (shutil.which("true") or "/bin/true",)
_TOOLS: Final = (
    tools.UNTRACED,
    tools.FULL,
    tools.systrace("--vdso", "off"),
    tools.STRACE,
    tools.PERF_TRACE,
    tools.PERF_STAT,
    tools.BPFTRACE,
    tools.BPFTRACE_TIMES,
)
_FIRST: Final = Tool("systrace, its first start", tools.FULL.command)


def sections(rounds: int, _: int) -> list[Section]:
    """Time, and memory."""

    def seconds(tool: Tool) -> Sample:
        if tool is _FIRST:
            shutil.rmtree(_CACHE, ignore_errors=True)
        return Sample(run(tool, _TRUE).seconds * 1000)

    def megabytes(tool: Tool) -> Sample:
        if tool is _FIRST:
            shutil.rmtree(_CACHE, ignore_errors=True)
        return Sample(peak_bytes(tool, _TRUE) / 1e6)

    run(tools.FULL, _TRUE)
    subjects = (*_TOOLS, _FIRST)
    times = interleaved(subjects, 2 * rounds, seconds)
    memory = interleaved(subjects, rounds, megabytes)
    perf, bpftrace = times.median(tools.PERF_TRACE), times.median(tools.BPFTRACE)
    goals = [
        Goal("start-up: of perf trace -s", times.median(tools.FULL) / perf, 1),
        Goal("start-up: of bpftrace", times.median(tools.FULL) / bpftrace, 0.5),
        Goal("the first start: of bpftrace", times.median(_FIRST) / bpftrace, 1),
    ]
    return [
        Section(
            "Start-up to the end of `true`",
            times.markdown("ms", lambda tool: tool.name, lost=False),
            goals,
        ),
        Section(
            "Memory at its peak, all processes of the tool and what the kernel holds for them",
            memory.markdown("MB", lambda tool: tool.name, lost=False),
        ),
    ]
