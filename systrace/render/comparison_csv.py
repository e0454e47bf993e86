"""A comparison as CSV: one header and one row a call, for spreadsheets and for programs.

The column ``row`` says what a row is: ``side`` (``name`` is a or b, ``text`` what it is);
``total`` (by ``name``); ``call``; ``error`` (calls that returned the error in ``error``); ``time``
(of a call, in ns); ``ring_change`` (``via`` is before, ``via_after`` after, ``difference`` how
many); ``warning``; and of limits ``violation``, ``held`` and ``note``. A cell that does not apply,
or was not counted, is empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from systrace.comparison import Comparison
from systrace.options import TableOptions
from systrace.render import comparison_json, csv, verdict_csv
from systrace.render import comparison_wording as wording

COLUMNS: Sequence[str] = (
    *("row", "name", "via", "via_after", "ring", "abi", "error", "only"),
    *("a_min", "a_median", "a_max", "b_min", "b_median", "b_max"),
    *("difference", "factor", "verdict", "p", "estimated", "text"),
    *(column for column in verdict_csv.COLUMNS if column not in ("row", "text")),
)


def render(comparison: Comparison, _: TableOptions) -> str:
    """Write all rows, those that did not change too."""
    return csv.written(COLUMNS, _rows(comparison))


def _rows(comparison: Comparison) -> Iterator[csv.Row]:
    for name, side in (("a", comparison.a), ("b", comparison.b)):
        yield {"row": "side", "name": name, "text": f"{wording.name(side)}: {wording.about(side)}"}
    # What a number means is written once: in the JSON.
    document = comparison_json.to_document(comparison)
    for name, change in document["totals"].items():
        yield {"row": "total", "name": name, **_change(change)}
    for change in document["ring_changes"]:
        ways = {"via": change["before"], "via_after": change["after"]}
        named = {key: change[key] for key in ("name", "abi", "verdict")}
        yield {"row": "ring_change", **named, **ways, "difference": change["calls"]}
    for text in (*wording.lost(comparison), *wording.caveats(comparison)):
        yield {"row": "warning", "text": text}
    for row in document["rows"]:
        yield from _call(row)
    if comparison.limits is not None:
        yield from verdict_csv.rows(comparison.limits)


def _call(row: Mapping[str, Any]) -> Iterator[csv.Row]:
    call = {key: row[key] for key in ("name", "via", "ring", "abi")}
    yield {"row": "call", **call, "only": row["only"], **_change(row["count"])}
    for error, change in row["errors"].items():
        yield {"row": "error", **call, "error": error, **_change(change)}
    if "total_ns" in row:
        estimated = "true" if "estimated" in row else None
        yield {"row": "time", **call, "estimated": estimated, **_change(row["total_ns"])}


def _change(change: Mapping[str, Any]) -> csv.Row:
    sides = {
        f"{side}_{key}": None if change[side] is None else change[side][key]
        for side in ("a", "b")
        for key in ("min", "median", "max")
    }
    known = ("difference", "factor", "verdict", "p")
    return {**sides, **{key: change.get(key) for key in known}}
