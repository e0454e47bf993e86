"""A comparison as annotations of a GitHub Actions workflow: a notice, and warnings and errors.

A call that changed ring is a warning, a limit that does not hold an error.
"""

from collections.abc import Iterator

from systrace.comparison import Comparison, Row
from systrace.options import TableOptions
from systrace.render import comparison_cells as cells
from systrace.render import comparison_wording as wording
from systrace.render.github import annotation, errors, title_of
from systrace.render.text import printable
from systrace.report import RING


def render(comparison: Comparison, options: TableOptions) -> str:
    """Write the annotations; the notice has the rows that changed, or all."""
    title = title_of(wording.title(comparison))
    lines = list(errors(comparison.limits, title)) if comparison.limits is not None else []
    loud = [
        wording.ring_change(change, comparison)
        for change in comparison.ring_changes
        if RING[change.after] != "3"
    ]
    loud += [*wording.lost(comparison), *wording.caveats(comparison)]
    lines.append(annotation("notice", "\n".join(_notice(comparison, options)), title=title))
    lines += [annotation("warning", text, title=title) for text in loud]
    return "\n".join(lines) + "\n"


def _notice(comparison: Comparison, options: TableOptions) -> Iterator[str]:
    yield wording.verdict(comparison)
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        yield f"{letter}: {wording.name(side)}: {wording.about(side)}"
    for change in comparison.ring_changes:
        yield wording.ring_change(change, comparison)
    for title, total, unit in cells.totals(comparison):
        yield _line(title, cells.change(total, unit))
    for row in cells.shown(comparison, options):
        yield _row(row, comparison)
    yield from wording.notes(comparison, unchanged=options.unchanged, warnings=False)
    if comparison.limits is not None:
        yield from map(printable, comparison.limits.remarks)


def _row(row: Row, comparison: Comparison) -> str:
    written = cells.row(row, comparison)
    said = _line(f"{written['call']} {written['via']}", written)
    return said if written["errs"] in ("-", "0") else f"{said}, errors {written['errs']}"


def _line(title: str, written: dict[str, str]) -> str:
    """Write a quantity in words: columns would not align."""
    said = f"{title}: {written['A']} -> {written['B']} ({written['change']}"
    said += "".join(f", {written[key]}" for key in ("factor", "noise") if written[key])
    return f"{said})"
