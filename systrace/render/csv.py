"""The report as CSV: one header and one row a call, for spreadsheets and for programs.

The column ``row`` says what a row is: ``call``; ``total`` (the totals of the JSON, by ``name``);
``run`` (facts of the run, by ``name``); ``warning``; ``process`` (a call of one process, where
counts were kept by process). A cell that does not apply is empty. Times are ns.

A row says which report it is of, so that many reports can follow under one header: ``report`` is
``interval`` or ``cumulative``, from ``start_ns`` to ``end_ns`` since the start of the run. To sum
over rows, choose one kind of report: the last, cumulative one holds all intervals before it.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from systrace.options import TableOptions
from systrace.render import json
from systrace.render.rows import is_uncounted, ordered
from systrace.render.text import printable
from systrace.render.wording import ended, subject
from systrace.report import Report, Ring

COLUMNS: Sequence[str] = (
    *("report", "start_ns", "end_ns", "row"),
    *("pid", "ppid", "comm"),
    *("name", "via", "ring", "abi", "count"),
    *("errors", "unfinished", "filtered", "restarted"),
    *("total_ns", "mean_ns", "min_ns", "max_ns", "p50_ns", "p95_ns", "p99_ns", "estimated"),
    *("by_errno", "by_clock", "text"),
)

Row = Mapping[str, str | int | float | None]

_RINGS: Mapping[str, Ring] = {"ring3_calls": "3", "ring0_calls": "3->0"}

# https://owasp.org/www-community/attacks/CSV_Injection: what begins a formula, in wide characters
# too, and behind a semicolon, which separates cells where the comma is the decimal point.
_FORMULA = re.compile(r"(^|;)(\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def render(report: Report, table: TableOptions, *, header: bool = True) -> str:
    """Write the rows in the order that ``table`` asks for; without ``header``, to follow others."""
    part: Row = {
        "report": "cumulative" if report.since_ns is None else "interval",
        "start_ns": report.since_ns or 0,
        "end_ns": (report.since_ns or 0) + report.elapsed_ns,
    }
    rows = ({**part, **row} for row in _rows(report, table))
    return written(COLUMNS, rows, header=header)


def written(columns: Sequence[str], rows: Iterable[Row], *, header: bool = True) -> str:
    """Write rows by column, each cell made harmless; a row may leave columns out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: cell(value) if isinstance(value, str) else value for key, value in row.items()}
        )
    return text.getvalue()


def cell(text: str) -> str:
    """Make a text one line that no spreadsheet takes for a formula: ``'=1+1``."""
    return _FORMULA.sub(r"\1'\2", printable(text))


def _rows(report: Report, table: TableOptions) -> Iterator[Row]:
    for name, text in _facts(report).items():
        yield {"row": "run", "name": name, "text": text}
    # What a number means is written once: in the JSON.
    document = json.to_document(replace(report, calls=tuple(ordered(report.calls, table))))
    for name, count in document["totals"].items():
        ring = _RINGS.get(name)
        uncounted = ring is not None and is_uncounted(report, ring)
        yield {"row": "total", "name": name, "ring": ring, "count": None if uncounted else count}
    for warning in report.warnings:
        yield {"row": "warning", "text": warning}
    for call in document["calls"]:
        yield {"row": "call", **_call(call)}
    for process, written in zip(report.processes, document["processes"], strict=True):
        identity = {key: written[key] for key in ("pid", "ppid", "comm")}
        for call in written["calls"]:
            yield {"row": "process", **identity, **_call(call), "text": ended(process.exit)}


def _facts(report: Report) -> Mapping[str, str]:
    return {
        "command": subject(report),
        "exit": ended(report.exit),
        "started": report.started,
        "kernel": report.machine.kernel,
        "arch": report.machine.arch,
        "clocksource": report.machine.clocksource,
        "syscalls": report.probes.syscalls,
        "vdso": report.probes.vdso,
        "selected": "true" if report.selected else "false",
    }


def _call(written: Mapping[str, Any]) -> Row:
    """Turn a row of the JSON into one of ours: what is an object there is a text here."""
    row = {key: value for key, value in written.items() if key in COLUMNS}
    if "errors" in written:
        row["errors"] = sum(written["errors"].values())
        row["by_errno"] = _listed(written["errors"])
    row["by_clock"] = _listed(written.get("by_clock", {}))
    row["estimated"] = "true" if "estimated" in written else None
    return row


def _listed(counts: Mapping[str, int]) -> str:
    """Write counts in one cell: ``EAGAIN 3; ENOENT 1``."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{name} {count}" for name, count in ranked)
