"""Many short-lived processes: what each costs, and whether the thousandth costs more."""

from typing import Final

from benchmarks import tools
from benchmarks.memory import peak_bytes
from benchmarks.run import run
from benchmarks.table import Goal, Sample, Section, interleaved, markdown, shown
from benchmarks.tools import Tool

_FEW, _MANY = 1_000, 10_000
_OFF: Final = tools.systrace("--vdso", "off")
_PER_PROCESS: Final = tools.systrace("--vdso", "off", "--counts-only")
_TOOLS: Final = (tools.UNTRACED, tools.FLOOR, tools.FULL, _OFF, _PER_PROCESS)
_SLOW: Final = (tools.STRACE, tools.PERF_TRACE, tools.BPFTRACE)
_HELD: Final = (tools.UNTRACED, tools.FULL, _OFF)

Subject = tuple[Tool, int]


def sections(rounds: int, _: int) -> list[Section]:
    """Time, memory, and what was lost."""
    spawn = str(tools.PROGRAMS / "spawn")
    rounds = max(1, rounds // 2)

    def measure(subject: Subject) -> Sample:
        tool, count = subject
        outcome = run(tool, (spawn, str(count)))
        ended = tool.counted(outcome.report, "exit_group", 231)
        # strace omits exit_group, and bpftrace counts one process here
        own = tool.name.startswith("systrace")
        lost = max(0, count + 1 - ended) if own and ended is not None else None
        return Sample(float(outcome.said) / count * 1e6, lost)

    fast = interleaved([(tool, n) for tool in _TOOLS for n in (_FEW, _MANY)], rounds, measure)
    slow = interleaved([(tool, n) for tool in _SLOW for n in (_FEW, _MANY)], 1, measure)

    def megabytes(subject: Subject) -> Sample:
        tool, count = subject
        return Sample(peak_bytes(tool, (spawn, str(count))) / 1e6)

    held = [(tool, n) for tool in _HELD for n in (_FEW, _MANY)]
    memory = interleaved(held, rounds, megabytes)

    def name(subject: Subject) -> str:
        return f"{subject[0].name}, {subject[1]:,} processes"

    text = "\n\n".join(
        (
            fast.markdown("us a process", name),
            slow.markdown("us a process", name, lost=False),
            markdown(
                ["peak memory, MB", f"{_FEW:,} processes", f"{_MANY:,} processes"],
                [
                    [tool.name, *(shown(memory.median((tool, n))) for n in (_FEW, _MANY))]
                    for tool in _HELD
                ],
            ),
        )
    )
    goals = [
        Goal(
            f"{_MANY:,} processes: time for each, of that with {_FEW:,}",
            fast.median((tools.FULL, _MANY)) / fast.median((tools.FULL, _FEW)),
            1.1,
        ),
        Goal(
            f"{_MANY:,} processes: memory, of that with {_FEW:,}",
            memory.median((tools.FULL, _MANY)) / memory.median((tools.FULL, _FEW)),
            1.1,
        ),
    ]
    return [Section("Short-lived processes, one after the other", text, goals)]
