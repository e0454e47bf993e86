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

from systrace.options import TableOptions
from systrace.render.cells import is_uncounted, ordered
from systrace.render.text import printable
from systrace.render.wording import ended, subject
from systrace.report import Call, Process, Report, Times

COLUMNS: Sequence[str] = (
    *("report", "start_ns", "end_ns", "row"),
    *("pid", "ppid", "comm"),
    *("name", "via", "ring", "abi", "count"),
    *("errors", "unfinished", "filtered", "restarted"),
    *("total_ns", "mean_ns", "min_ns", "max_ns", "p50_ns", "p95_ns", "p99_ns", "estimated"),
    *("by_errno", "by_clock", "text"),
)

Row = Mapping[str, str | int | float | None]

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
    yield from _totals(report)
    for warning in report.warnings:
        yield {"row": "warning", "text": warning}
    for call in ordered(report.calls, table):
        yield {"row": "call", **_call(call)}
    for process in report.processes:
        for call in ordered(process.calls, table):
            yield {"row": "process", **_process(process), **_process_call(call)}


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


def _totals(report: Report) -> Iterator[Row]:
    stayed = None if is_uncounted(report, "3") else report.ring_calls("3")
    yield {"row": "total", "name": "ring3_calls", "ring": "3", "count": stayed}
    entered = report.ring_calls("3->0")
    yield {"row": "total", "name": "ring0_calls", "ring": "3->0", "count": entered}
    for name, count in (
        ("vdso_fallbacks", report.vdso_fallbacks),
        ("errors", report.errors),
        ("restarted", report.restarted),
        ("processes", report.process_count),
        ("threads", report.thread_count),
        ("lost", report.lost),
    ):
        yield {"row": "total", "name": name, "count": count}


def _call(call: Call) -> Row:
    times = call.times
    row = {**_identity(call), "by_clock": _listed(call.by_clock)}
    if call.via != "vdso":
        # Nobody sees a vDSO call return.
        row |= {
            "errors": call.error_count,
            "unfinished": call.unfinished,
            "filtered": call.filtered,
            "restarted": call.restarted,
            "by_errno": _listed(call.errors),
        }
    return row if times is None else {**row, **_times(times)}


def _process_call(call: Call) -> Row:
    row = _identity(call)
    if call.via != "vdso":
        row |= {"errors": call.error_count, "by_errno": _listed(call.errors)}
    return row if call.times is None else {**row, "total_ns": call.times.total_ns}


def _identity(call: Call) -> dict[str, str | int | float | None]:
    return {
        "name": call.name,
        "via": call.via,
        "ring": call.ring,
        "abi": call.abi,
        "count": call.count,
    }


def _times(times: Times) -> Row:
    return {
        "total_ns": times.total_ns,
        "mean_ns": round(times.mean_ns, 1),
        "min_ns": times.min_ns,
        "max_ns": times.max_ns,
        "p50_ns": times.p50_ns,
        "p95_ns": times.p95_ns,
        "p99_ns": times.p99_ns,
        "estimated": "true" if times.estimated else None,
    }


def _process(process: Process) -> Row:
    return {
        "pid": process.pid,
        "ppid": process.ppid,
        "comm": process.comm,
        "text": ended(process.exit),
    }


def _listed(counts: Mapping[str, int]) -> str:
    """Write counts in one cell: ``EAGAIN 3; ENOENT 1``."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{name} {count}" for name, count in ranked)
