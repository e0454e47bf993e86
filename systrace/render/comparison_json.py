"""A comparison as JSON; ``comparison.schema.json`` says what is in it."""

from typing import Any

from systrace import __version__
from systrace.comparison import SCHEMA, Change, Comparison, RingChange, Row, Side, Spread
from systrace.options import TableOptions
from systrace.render import json, verdict_json
from systrace.significance import LEVEL, TEST


def render(comparison: Comparison, _: TableOptions) -> str:
    """Write the document, every row in it, as ``render.json`` writes a report."""
    return json.written(to_document(comparison))


def to_document(comparison: Comparison) -> dict[str, Any]:
    """Shape the comparison as ``systrace.comparison/1``; times in ns."""
    totals = {
        "ring3_calls": comparison.ring3_calls,
        "ring0_calls": comparison.ring0_calls,
        "elapsed_ns": comparison.elapsed_ns,
        "unprobed_ns": comparison.unprobed_ns,
    }
    document = {
        "schema": SCHEMA,
        "systrace": __version__,
        "noise": {"test": TEST, "level": LEVEL, "runs_needed": comparison.runs_needed},
        "a": _side(comparison.a),
        "b": _side(comparison.b),
        "totals": {key: _change(change) for key, change in totals.items() if change is not None},
        "ring_changes": [_ring_change(change) for change in comparison.ring_changes],
        "rows": [_row(row) for row in comparison.rows],
    }
    if comparison.limits is not None:
        document["limits"] = verdict_json.to_document(comparison.limits)
    return document


def _side(side: Side) -> dict[str, Any]:
    reports = [json.to_document(report) for report in side.reports]
    first = reports[0]
    return {
        "label": side.label,
        "kind": side.kind,
        "command": first["command"],
        "machine": first["machine"],
        "selected": any(report.selected for report in side.reports),
        "runs": [
            {key: report[key] for key in ("started", "exit", "probes", "totals", "warnings")}
            for report in reports
        ],
    }


def _ring_change(change: RingChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "abi": change.abi,
        "before": change.before,
        "after": change.after,
        "calls": change.calls,
        "verdict": change.verdict,
    }


def _row(row: Row) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "name": row.name,
        "via": row.via,
        "ring": row.ring,
        "abi": row.abi,
        "only": row.only,
        "verdict": row.verdict,
        "count": _change(row.count),
        "errors": {error: _change(change) for error, change in row.errors.items()},
    }
    if row.total_ns.a is not None or row.total_ns.b is not None:
        shaped["total_ns"] = _change(row.total_ns)
    if row.estimated:
        shaped["estimated"] = True
    return shaped


def _change(change: Change) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "a": _spread(change.a),
        "b": _spread(change.b),
        "difference": change.difference,
        "factor": change.factor,
    }
    if change.verdict is not None:
        shaped |= {"verdict": change.verdict, "p": change.p}
    return shaped


def _spread(side: Spread | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {"min": side.min, "median": side.median, "max": side.max, "values": list(side.values)}
