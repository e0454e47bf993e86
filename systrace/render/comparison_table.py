"""A comparison as a table for people, and below it what it says in words."""

from collections.abc import Iterator, Sequence

from systrace.comparison import Change, Comparison
from systrace.options import TableOptions
from systrace.render import comparison_cells as cells
from systrace.render import comparison_wording as wording
from systrace.render import units
from systrace.render.columns import Concession, Line, fit, short_via, without, without_commas
from systrace.render.grid import (
    BOLD,
    GREEN,
    LOUD,
    YELLOW,
    Paint,
    ascii_only,
    indented,
    lay_out,
    painter,
)
from systrace.render.text import wrap
from systrace.report import RING

# Narrower terminals get lines of this length: three counts, a name and a verdict need it.
_NARROWEST = 64

_CONCESSIONS: Sequence[Concession] = (
    short_via,
    without_commas("A", "B", "change"),
    without("errs"),
    without("time A", "time B"),
    without("factor"),
    without("via"),
)


def render(comparison: Comparison, options: TableOptions) -> str:
    """Lay it out in at most ``options.width`` columns (or 64), ending with a newline.

    With several runs on a side the figures are medians, and below each stand the smallest and
    the largest run. Rows with one value in all runs are shown where ``options.unchanged``.
    """
    width = max(options.width, _NARROWEST)
    paint = painter(colour=options.colour)
    lines = [
        *(paint(line, BOLD) for line in wording.headlines(comparison, width)),
        "",
        *_table(comparison, options, width, paint),
        "",
    ]
    for change in comparison.ring_changes:
        colour = GREEN if RING[change.after] == "3" else LOUD
        said = wrap(wording.ring_change(change, comparison), width)
        lines += [paint(line, colour) for line in said]
    for lost in wording.lost(comparison):
        lines += [paint(line, LOUD) for line in wrap(lost, width)]
    lines += wrap(wording.verdict(comparison), width)
    for note in wording.notes(comparison, unchanged=options.unchanged):
        lines += wrap(note, width)
    return "\n".join(lines) + "\n"


def _table(comparison: Comparison, options: TableOptions, width: int, paint: Paint) -> list[str]:
    keys = cells.columns(comparison)
    lines = [
        line and {key: line.get(key, "") for key in keys} for line in _lines(comparison, options)
    ]
    fitted = fit(lines, width, _CONCESSIONS)
    painted = [line and _coloured(line, paint) for line in fitted]
    return lay_out(painted, ("call", "via", "noise"), paint)


def _coloured(line: dict[str, str], paint: Paint) -> dict[str, str]:
    if line.get("noise") != cells.VERDICTS["beyond"]:
        return line
    return line | {"noise": paint(line["noise"], YELLOW)}


def _lines(comparison: Comparison, options: TableOptions) -> Iterator[Line]:
    yield {key: key for key in (*cells.ONE_RUN, *cells.RUNS)}
    yield None
    shown = cells.shown(comparison, options)
    for row in shown:
        line = cells.row(row, comparison)
        yield line | {"call": ascii_only(line["call"])}
        yield from _spread(row.count)
    if shown:
        yield None
    for title, change, unit in cells.totals(comparison):
        yield {"call": title, "via": "", **cells.change(change, unit)}
        yield from _spread(change, unit)


def _spread(change: Change, unit: cells.Unit = units.count) -> Iterator[Line]:
    for line in cells.spread(change, unit):
        yield {"via": ""} | line | {"call": indented(line["call"])}
