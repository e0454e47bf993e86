"""What each process did (``-P``): a heading and its rows, those with the most calls first."""

from collections.abc import Iterator

from systrace.options import TableOptions
from systrace.render import wording
from systrace.render.columns import Line
from systrace.render.grid import BOLD, Paint
from systrace.render.rows import cells, laid_out, of_process, ordered, ring_count
from systrace.render.text import wrap
from systrace.report import Process, Report

_MOST = 20  # processes; a build has thousands, and files hold them all


def tables(report: Report, options: TableOptions, width: int, paint: Paint) -> Iterator[str]:
    """Yield lines, none where counts were not kept by process; ``--top`` is rows of each."""
    if not any(process.calls for process in report.processes):
        return
    ranked = sorted(report.processes, key=lambda process: (-calls(process), process.started_ns))
    shown, hidden = ranked[:_MOST], ranked[_MOST:]
    keys = ["call", "calls", "via", "ring", "errs"]
    if any(call.times for process in shown for call in process.calls):
        keys.append("total")
    lines: list[Line] = [{key: key for key in keys}]
    owned = [(process, of_process(report, process)) for process in shown]
    for process, own in owned:
        lines.append(None)  # its heading takes the place of this rule
        for call in ordered(process.calls, options)[: options.top]:
            row = cells(call, own)
            lines.append({key: row[key] for key in keys})
    headings = iter(owned)
    for line, text in zip(lines, laid_out(lines, width, paint), strict=True):
        if line is None:
            yield ""
            process, own = next(headings)
            stayed = ring_count(own, "3")
            yield from (paint(part, BOLD) for part in wrap(wording.process(process, stayed), width))
        else:
            yield text
    yield ""
    if hidden:
        left_out = wording.processes_left_out(len(hidden), sum(calls(other) for other in hidden))
        yield from (*wrap(left_out, width), "")


def calls(process: Process) -> int:
    """How many calls it made, in both rings."""
    return sum(call.count for call in process.calls)
