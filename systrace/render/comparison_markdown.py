"""A comparison as GitHub-flavoured Markdown, for the comment on a pull request.

What came of limits, the verdict and calls that changed ring first, many rows folded away.
"""

from collections.abc import Iterator, Sequence

from systrace.comparison import Change, Comparison
from systrace.options import TableOptions
from systrace.render import comparison_cells as cells
from systrace.render import comparison_wording as wording
from systrace.render import units
from systrace.render.markdown import (
    UNFOLDED,
    code,
    folded,
    heading,
    limits,
    prose,
    table,
    warning,
)
from systrace.words import plural

_LEFT = ("call", "via", "noise")
_TOTALS: cells.Keys = ("A", "B", "change", "factor", "noise")


def render(comparison: Comparison, options: TableOptions) -> str:
    """Write the comment, with the rows that did not change where ``options.unchanged``."""
    return "\n\n".join(_blocks(comparison, options)) + "\n"


def _blocks(comparison: Comparison, options: TableOptions) -> Iterator[str]:
    yield heading(wording.title(comparison))
    if comparison.limits is not None:
        yield limits(comparison.limits)
    yield f"**{prose(wording.verdict(comparison))}**"
    changed = [wording.ring_change(change, comparison) for change in comparison.ring_changes]
    loud = [*changed, *wording.lost(comparison), *wording.caveats(comparison)]
    if loud:
        yield warning(map(prose, loud))
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        yield f"{letter}: {code(wording.name(side))}: {prose(wording.about(side))}"
    yield _totals(comparison)
    if shown := cells.shown(comparison, options):
        block = _rows(comparison, options)
        every = "All calls" if options.unchanged else "Calls that changed"
        title = f"{every}: {plural(len(shown), 'row')}"
        yield block if len(shown) <= UNFOLDED else folded(title, block)
    unchanged = options.unchanged
    yield from map(prose, wording.notes(comparison, unchanged=unchanged, warnings=False))
    if comparison.limits is not None:
        yield from map(prose, comparison.limits.remarks)


def _totals(comparison: Comparison) -> str:
    keys = _TOTALS if wording.several(comparison) else _TOTALS[:-1]
    lines = [
        [title, *_cells(cells.change(change, unit), keys, change, unit)]
        for title, change, unit in cells.totals(comparison)
    ]
    return table([("", False), *((key, key not in _LEFT) for key in keys)], lines)


def _rows(comparison: Comparison, options: TableOptions) -> str:
    call, *keys = cells.columns(comparison)
    lines = []
    for row in cells.shown(comparison, options):
        written = cells.row(row, comparison)
        lines.append([code(written[call]), *_cells(written, keys, row.count, units.count)])
    return table([(key, key not in _LEFT) for key in (call, *keys)], lines)


def _cells(
    written: dict[str, str], keys: Sequence[str], change: Change, unit: cells.Unit
) -> list[str]:
    """Write a median together with the smallest and the largest run, where these differ."""
    ranges = list(cells.spread(change, unit))
    spread = {
        side: f" ({' to '.join(line[side] for line in ranges)})"
        for side in ("A", "B")
        if ranges and written[side] != "-"
    }
    return [written[key] + spread.get(key, "") for key in keys]
