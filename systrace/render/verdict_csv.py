"""What came of limits as CSV: a row for each that held, each violation and each note.

``figure_low`` and ``figure_high`` are equal where the figure is known; an empty ``figure_high``
says that there is no telling how large it is. Times are ns.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from systrace.limits.evaluate import Verdict
from systrace.render import csv, verdict_json
from systrace.report import Report

COLUMNS: Sequence[str] = (
    *("row", "limit", "file", "quantity", "unit"),
    *("figure_low", "figure_high", "baseline_low", "baseline_high", "text"),
)


def render(verdict: Verdict, _: Report) -> str:
    """Write what was violated, what held, and the notes."""
    return csv.written(COLUMNS, rows(verdict))


def rows(verdict: Verdict) -> Iterator[csv.Row]:
    """Yield the rows; what a number means is written once, in the JSON."""
    document = verdict_json.to_document(verdict)
    violated = {id(violation.limit) for violation in verdict.violations}
    for violation in document["violations"]:
        named = {key: violation[key] for key in ("limit", "file", "quantity", "unit", "text")}
        ends = {**_ends("figure", violation), **_ends("baseline", violation)}
        yield {"row": "violation", **named, **ends}
    for limit, shaped in zip(verdict.limits, document["limits"], strict=True):
        if id(limit) not in violated:
            yield {"row": "held", **shaped}
    for note in document["notes"]:
        yield {"row": "note", "text": note}


def _ends(name: str, violation: dict[str, Any]) -> csv.Row:
    figure = violation[name] or {}
    return {f"{name}_{end}": figure.get(end) for end in ("low", "high")}
