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
# as it is typed, with a table to look at; in JSON there is what the run cost, too
_TYPED: Final = Tool("systrace", lambda _, work: [tools.SYSTRACE, "run", *work])
_JSON: Final = Tool("systrace -o FILE.json", tools.FULL.command)
_TOOLS: Final = (
    tools.UNTRACED,
    _TYPED,
    _JSON,
    tools.systrace("--vdso", "off"),
    tools.STRACE,
    tools.PERF_TRACE,
    tools.PERF_STAT,
    tools.BPFTRACE,
    tools.BPFTRACE_TIMES,
)
_FIRST: Final = Tool("systrace, its first start", _TYPED.command)
_FIRST_JSON: Final = Tool("systrace -o FILE.json, its first start", _JSON.command)


def sections(rounds: int, _: int) -> list[Section]:
    """Time, and memory."""

    def seconds(tool: Tool) -> Sample:
        if tool in (_FIRST, _FIRST_JSON):
            shutil.rmtree(_CACHE, ignore_errors=True)
        return Sample(run(tool, _TRUE).seconds * 1000)

    def megabytes(tool: Tool) -> Sample:
        if tool in (_FIRST, _FIRST_JSON):
            shutil.rmtree(_CACHE, ignore_errors=True)
        return Sample(peak_bytes(tool, _TRUE) / 1e6)

    run(_JSON, _TRUE)
    subjects = (*_TOOLS, _FIRST, _FIRST_JSON)
    times = interleaved(subjects, 2 * rounds, seconds)
    memory = interleaved(subjects, rounds, megabytes)
    perf, bpftrace = times.median(tools.PERF_TRACE), times.median(tools.BPFTRACE)
    goals = [
        Goal("start-up: of perf trace -s", times.median(_TYPED) / perf, 1),
        Goal("start-up: of bpftrace", times.median(_TYPED) / bpftrace, 0.5),
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
