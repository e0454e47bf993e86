"""The report as JSON; ``report.schema.json`` says what is in it, ``systrace.saved`` reads it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from systrace import __version__
from systrace.options import TableOptions
from systrace.report import SCHEMA, Call, Exit, Process, Report, Times
from systrace.syscalls import signal_name

_INDENT = "  "
_COLUMNS = 100


def render(report: Report, _table: TableOptions | None = None) -> str:
    r"""Write the document in ASCII, two spaces a level, ending with a newline.

    Text from outside is escaped: control characters, and bytes that are no UTF-8 as ``\udc80``
    to ``\udcff``, which is how ``os.fsdecode`` hands them over and ``os.fsencode`` takes them.
    """
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """Write the same piece by piece, a process each: there may be 10,000."""
    document = to_document(replace(report, processes=()))
    document["processes"] = map(_process, report.processes)
    return _pieces(document)


def written(document: dict[str, Any]) -> str:
    """Write any document so."""
    return "".join(_pieces(document))


def _pieces(document: dict[str, Any]) -> Iterator[str]:
    before = "{"
    for key, value in document.items():
        yield f"{before}\n{_INDENT}{json.dumps(key)}: "
        if isinstance(value, map):
            yield from _listed(value)
        else:
            yield _written(value, _INDENT)
        before = ","
    yield "\n}\n"


def _listed(values: Iterator[Any]) -> Iterator[str]:
    """Write a list on the second level that is not all there at once, each value in a piece."""
    indent = 2 * _INDENT
    before = "["
    for value in values:
        yield f"{before}\n{indent}{_written(value, indent)}"
        before = ","
    yield "[]" if before == "[" else f"\n{_INDENT}]"


def to_document(report: Report) -> dict[str, Any]:
    """Shape the report as ``systrace.report/1``; times in ns, means to a tenth of one."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "systrace": __version__,
        "command": list(report.command),
        "exit": _exit(report.exit),
        "started": report.started,
        "elapsed_ns": report.elapsed_ns,
        "machine": {
            "kernel": report.machine.kernel,
            "arch": report.machine.arch,
            "cpus": report.machine.cpus,
            "clocksource": report.machine.clocksource,
        },
        "probes": {"syscalls": report.probes.syscalls, "vdso": report.probes.vdso},
        "totals": {
            "ring3_calls": report.ring_calls("3"),
            "ring0_calls": report.ring_calls("3->0"),
            "vdso_fallbacks": report.vdso_fallbacks,
            "errors": report.errors,
            "restarted": report.restarted,
            "processes": report.process_count,
            "threads": report.thread_count,
            "lost": report.lost,
        },
        "calls": [_call(call) for call in report.calls],
        "processes": [_process(process) for process in report.processes],
        "warnings": list(report.warnings),
    }
    # Beside every warning: without this, a reader would have to know what its words mean.
    if report.warnings or report.incomplete:
        document["incomplete"] = list(report.incomplete)
    if report.attached:
        document["attached"] = [{"pid": one.pid, "comm": one.comm} for one in report.attached]
    if report.selected:
        document["selected"] = True
    if report.without_children:
        document["without_children"] = True
    if report.selection is not None:
        document["selection"] = {
            "names": sorted(report.selection.names),
            "negated": report.selection.negated,
        }
    if report.longest_stop_ns is not None:
        document["longest_stop_ns"] = report.longest_stop_ns
    if report.since_ns is not None:
        document["since_ns"] = report.since_ns
    if report.overhead is not None:
        document["overhead"] = {
            "syscall_ns": _rounded(report.overhead.syscall_ns, 1),
            "vdso_ns": _rounded(report.overhead.vdso_ns, 1),
            "held_ns": report.overhead.held_ns,
            "added_ns": report.overhead.added_ns,
            "slowdown_least": _rounded(report.overhead.slowdown_least, 4),
            "slowdown_most": _rounded(report.overhead.slowdown_most, 4),
        }
    return document


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _exit(ended: Exit) -> dict[str, Any]:
    return {
        "code": ended.code,
        "signal": None if ended.signal is None else signal_name(ended.signal),
    }


def _call(call: Call) -> dict[str, Any]:
    row = _identity(call)
    if call.by_clock:
        row["by_clock"] = dict(call.by_clock)
    if call.via == "vdso":
        # Nobody saw the call return: a time is an estimate or there is none.
        if call.times is not None and call.times.estimated:
            row |= _times(call.times)
        return row
    row |= {
        "unfinished": call.unfinished,
        "filtered": call.filtered,
        "restarted": call.restarted,
        "errors": dict(call.errors),
    }
    if call.times is not None:
        row |= _times(call.times)
    return row


def _identity(call: Call) -> dict[str, Any]:
    return {
        "name": call.name,
        "via": call.via,
        "ring": call.ring,
        "abi": call.abi,
        "count": call.count,
    }


def _times(times: Times) -> dict[str, Any]:
    row = {
        "total_ns": times.total_ns,
        "min_ns": times.min_ns,
        "max_ns": times.max_ns,
        "mean_ns": round(times.mean_ns, 1),
        "p50_ns": times.p50_ns,
        "p95_ns": times.p95_ns,
        "p99_ns": times.p99_ns,
    }
    shaped: dict[str, Any] = {key: value for key, value in row.items() if value is not None}
    if times.estimated:
        shaped["estimated"] = True
    if times.histogram:
        shaped["histogram"] = [[b.low_ns, b.high_ns, b.count] for b in times.histogram]
    return shaped


def _process(process: Process) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "pid_in_namespace": process.pid_in_namespace,
        "ppid": process.ppid,
        "comm": process.comm,
        "started_ns": process.started_ns,
        "ended_ns": process.ended_ns,
        "exit": _exit(process.exit),
        "calls": [_process_call(call) for call in process.calls],
    }


def _process_call(call: Call) -> dict[str, Any]:
    """Shape a row of one process, kept small: there may be 10,000 processes."""
    row = _identity(call)
    if call.via == "vdso":
        return row
    row["errors"] = dict(call.errors)
    if call.times is not None:
        row["total_ns"] = call.times.total_ns
    return row


def _written(value: Any, indent: str) -> str:
    """Like json.dumps, but what fits in a line stays in one: a row of a process, a bucket."""
    deeper = indent + _INDENT
    if isinstance(value, dict):
        brackets = "{}"
        parts = [f"{json.dumps(key)}: {_written(part, deeper)}" for key, part in value.items()]
    elif isinstance(value, list):
        brackets = "[]"
        parts = [_written(part, deeper) for part in value]
    else:
        return json.dumps(value, allow_nan=False)
    if _fits(parts, indent):
        return brackets[0] + ", ".join(parts) + brackets[1]
    lines = f",\n{deeper}".join(parts)
    return f"{brackets[0]}\n{deeper}{lines}\n{indent}{brackets[1]}"


def _fits(parts: list[str], indent: str) -> bool:
    length = len(indent) + 2 + sum(len(part) + 2 for part in parts)
    return length <= _COLUMNS and not any("\n" in part for part in parts)
