"""What a process pays that nobody traces, while another one is traced."""

from typing import Final

from benchmarks import tools
from benchmarks.run import run, started
from benchmarks.table import Goal, Sample, Section, interleaved
from benchmarks.tools import Tool

_IDLE: Final = ("sh", str(tools.HERE / "programs" / "idle.sh"))
_TOOLS: Final = (
    tools.UNTRACED,
    tools.FLOOR,
    tools.FULL,
    tools.COUNTS_ONLY,
    tools.PERF_TRACE,
    tools.BPFTRACE,
)


def sections(rounds: int, milliseconds: int) -> list[Section]:
    """One table."""
    work = (str(tools.PROGRAMS / "calls"), "getppid", "1", str(milliseconds))

    def measure(tool: Tool) -> Sample:
        with started(tool, _IDLE):
            return Sample(float(run(tools.UNTRACED, work).said.split()[1]))

    table = interleaved(_TOOLS, rounds, measure)
    native, floor = table.median(tools.UNTRACED), table.median(tools.FLOOR)
    more = (("added", lambda ns: ns - native), ("of the floor's", lambda ns: ns / floor))
    text = table.markdown("ns a call", lambda tool: tool.name, more, lost=False)
    ratio = table.median(tools.FULL) / floor
    goals = [Goal("an untraced process: of what it pays under the floor", ratio, 1.1)]
    return [Section("`getppid` of a process that is not traced, while another is", text, goals)]
