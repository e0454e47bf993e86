"""What came of limits as JSON; ``verdict.schema.json`` says what is in it."""

from math import inf
from typing import Any

from systrace import __version__
from systrace.limits.evaluate import Verdict, Violation
from systrace.limits.figures import Figure, Number
from systrace.limits.grammar import Limit
from systrace.render import json
from systrace.report import Report

SCHEMA = "systrace.verdict/1"


def render(verdict: Verdict, report: Report) -> str:
    """Write the document, with the command that the report is of."""
    document = to_document(verdict)
    return json.written({**document, "command": list(report.command), "started": report.started})


def to_document(verdict: Verdict) -> dict[str, Any]:
    """Shape it as ``systrace.verdict/1``; times in ns."""
    return {
        "schema": SCHEMA,
        "systrace": __version__,
        "held": not verdict.violations,
        "limits": [_limit(limit) for limit in verdict.limits],
        "violations": [_violation(violation) for violation in verdict.violations],
        "notes": list(verdict.remarks),
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {"limit": str(limit), "file": limit.file or None}


def _violation(violation: Violation) -> dict[str, Any]:
    baseline = violation.baseline
    return {
        **_limit(violation.limit),
        "quantity": str(violation.quantity),
        "unit": "ns" if violation.quantity.is_time else "1",
        "figure": _figure(violation.figure),
        "baseline": None if baseline is None else _figure(baseline),
        "text": violation.text,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"low": number(figure.low), "high": number(figure.high)}


def number(value: Number) -> int | float | None:
    """Write what is a whole number as one, and infinity as None."""
    if value == inf:
        return None
    return int(value) if value == int(value) else float(value)
