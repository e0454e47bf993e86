"""The report as a table for people, and below it what it says in words."""

from collections.abc import Iterator

from systrace.options import TableOptions
from systrace.render import processes, units, wording
from systrace.render.columns import Line
from systrace.render.grid import BOLD, LOUD, indented, painter
from systrace.render.rows import RING_TITLES, cells, laid_out, notes, ordered, ring_total
from systrace.render.text import printable, wrap
from systrace.report import Report

# Narrower terminals get lines of this length: two counts and a name need it.
_NARROWEST = 40
_WITH_SHARE = 90


def render(report: Report, options: TableOptions) -> str:
    """Lay the report out in at most ``options.width`` columns (or 40), ending with a newline."""
    width = max(options.width, _NARROWEST)
    paint = painter(colour=options.colour)
    lines = [
        *processes.tables(report, options, width, paint),
        *(paint(line, BOLD) for line in wording.headline(report, width)),
        "",
        *laid_out(list(_lines(report, options, width)), width, paint),
        "",
        *wrap(wording.verdict(report), width),
        *(paint(line, LOUD) for line in wrap(wording.lost(report), width)),
    ]
    for note in notes(report, options, width):
        lines += wrap(note, width)
    return "\n".join(lines) + "\n"


def _lines(report: Report, options: TableOptions, width: int) -> Iterator[Line]:
    keys = ["call", "calls", "via", "ring", "errs"]
    if any(call.times is not None for call in report.calls):
        keys += ["total", *(["time%"] if width >= _WITH_SHARE else []), "mean"]
        # What the rows are sorted by has to be seen.
        keys.append("max" if options.sort == "max" else "p99")
    empty = dict.fromkeys(keys, "")
    yield {key: key for key in keys}
    yield None
    for call in ordered(report.calls, options)[: options.top]:
        row = cells(call, report)
        yield {key: row[key] for key in keys}
        for clock, count in sorted(call.by_clock.items(), key=lambda item: (-item[1], item[0])):
            yield empty | {"call": _clock(clock), "calls": units.count(count)}
    yield None
    for title, ring in RING_TITLES:
        row = empty | {"call": title} | ring_total(report, ring)
        yield {key: row[key] for key in keys}


def _clock(name: str) -> str:
    return indented(printable(name.removeprefix("CLOCK_")))
