"""A saved report, read back; what is not one is refused with the place where it went wrong."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from systrace import saved_text
from systrace.errors import InputError
from systrace.fields import Fields, shown
from systrace.options import Selection
from systrace.report import (
    RING,
    SCHEMA,
    Attached,
    Bucket,
    Call,
    Exit,
    Machine,
    Overhead,
    Probes,
    Process,
    Report,
    Times,
    Via,
)
from systrace.syscalls import signal_number

_VIAS: Mapping[str, Via] = {via: via for via in RING}


def load(path: str | os.PathLike[str]) -> Report:
    """Read the one report in this file.

    Raises InputError, which names the file and the place, when it cannot be read, is no such
    report, or holds several.
    """
    reports = load_all(path)
    if len(reports) > 1:
        raise InputError(
            f"{os.fspath(path)!r} holds {len(reports)} reports, as -i makes them, and one is wanted"
        )
    return reports[0]


def load_all(path: str | os.PathLike[str]) -> tuple[Report, ...]:
    """Read every report in this file (``-``: standard input), one after another; at least one.

    ``-i`` with ``-F json`` writes several into one. Raises InputError as ``load``.
    """
    name = "standard input" if path == "-" else repr(os.fspath(path))
    try:
        return tuple(_reports(saved_text.read(path)))
    except InputError as error:
        raise InputError(f"{name} is not a systrace report: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from error
    except ValueError as error:
        # Bytes that are no UTF-8, or a name with a NUL in it.
        raise InputError(f"cannot read {name}: {error}") from error


def from_document(document: Any) -> Report:
    """Turn a ``systrace.report/1`` document, as json.loads gives it, into the report.

    Keys that are not known are passed over, and so are totals that follow from the calls. The
    mean of a process's row is its total over its count, to a tenth of a nanosecond.

    Raises InputError for the first place that is wrong.
    """
    whole = Fields(document)
    schema = whole.text("schema")
    if schema != SCHEMA:
        raise InputError(f"its schema is {shown(schema)}, and this systrace reads {SCHEMA!r}")
    totals = whole.child("totals")
    return Report(
        command=whole.texts("command"),
        exit=_exit(whole.child("exit")),
        started=_started(whole),
        elapsed_ns=whole.number("elapsed_ns"),
        machine=_machine(whole.child("machine")),
        probes=_probes(whole.child("probes")),
        calls=_calls(whole),
        process_count=totals.number("processes"),
        thread_count=totals.number("threads"),
        lost=totals.number("lost"),
        processes=tuple(_process(row) for row in whole.children("processes")),
        warnings=whole.texts("warnings"),
        selected=whole.flag("selected"),
        longest_stop_ns=whole.number_or_none("longest_stop_ns"),
        since_ns=whole.number_or_none("since_ns"),
        selection=_selection(whole.child("selection")) if whole.has("selection") else None,
        incomplete=_incomplete(whole),
        overhead=_overhead(whole.child("overhead")) if whole.has("overhead") else None,
        without_children=whole.flag("without_children"),
        attached=tuple(_attached(whole)),
    )


def _reports(text: str) -> Iterator[Report]:
    number, end = 0, _content(text, 0)
    if end == len(text):
        raise InputError("it is empty")
    while end < len(text):
        number += 1
        document, end = _parsed(text, end)
        end = _content(text, end)
        try:
            yield from_document(document)
        except InputError as error:
            if number == 1 and end == len(text):
                raise
            raise InputError(f"report {number}: {error}") from error


def _content(text: str, begin: int) -> int:
    """Find where white space ends."""
    match = _SPACE.match(text, begin)
    return match.end() if match else begin


def _parsed(text: str, begin: int) -> tuple[Any, int]:
    """Parse the document that begins there; returns it and where it ends."""
    try:
        return _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        # A string without an end is reported where it begins.
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise InputError(f"{place}: it was cut off there ({error.msg})") from error
        raise InputError(f"{place}: {error.msg}") from error
    except RecursionError as error:
        raise InputError("its brackets are nested too deep") from error
    except ValueError as error:
        # int() refuses more than 4300 digits.
        raise InputError(str(error)) from error


def _not_a_number(constant: str) -> NoReturn:
    raise InputError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_not_a_number)
_SPACE = re.compile(r"[ \t\n\r]*")  # RFC 8259


def _started(whole: Fields) -> str:
    text = whole.text("started")
    try:
        # Python 3.10 does not know the Z.
        zone = datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo
    except ValueError:
        zone = None
    return text if zone is not None else whole.refuse("started", "a time of RFC 3339")


def _exit(row: Fields) -> Exit:
    code = row.number_or_none("code")
    if not row.has("signal"):
        return Exit(code=code)
    try:
        return Exit(code=code, signal=signal_number(row.text("signal")))
    except ValueError:
        row.refuse("signal", "the name of a signal")


def _selection(row: Fields) -> Selection:
    return Selection(frozenset(row.texts("names")), negated=row.flag("negated"))


def _incomplete(whole: Fields) -> tuple[str, ...]:
    if whole.has("incomplete"):
        return whole.texts("incomplete")
    # Of 0.1.0: only its warnings tell, in words.
    return ("unknown",) if whole.texts("warnings") else ()


def _attached(whole: Fields) -> Iterator[Attached]:
    for row in whole.children("attached") if whole.has("attached") else ():
        yield Attached(pid=row.number("pid"), comm=row.text("comm"))


def _overhead(row: Fields) -> Overhead:
    return Overhead(
        syscall_ns=row.real("syscall_ns") if row.has("syscall_ns") else None,
        vdso_ns=row.real("vdso_ns") if row.has("vdso_ns") else None,
        held_ns=row.number("held_ns"),
        added_ns=row.number("added_ns"),
        slowdown_least=row.real("slowdown_least") if row.has("slowdown_least") else None,
        slowdown_most=row.real("slowdown_most") if row.has("slowdown_most") else None,
    )


def _machine(row: Fields) -> Machine:
    return Machine(
        kernel=row.text("kernel"),
        arch=row.text("arch"),
        cpus=row.number("cpus"),
        clocksource=row.text("clocksource"),
    )


def _probes(row: Fields) -> Probes:
    return Probes(syscalls=row.text("syscalls"), vdso=row.text("vdso"))


def _calls(whole: Fields) -> tuple[Call, ...]:
    calls = tuple(_call(row) for row in whole.children("calls"))
    places: dict[tuple[str, str, str], int] = {}
    for place, call in enumerate(calls):
        if (first := places.setdefault((call.name, call.via, call.abi), place)) != place:
            raise InputError(f"calls[{place}]: the same name, via and abi as calls[{first}]")
    return calls


def _call(row: Fields) -> Call:
    via = _via(row)
    # Nobody saw a vDSO call return: its row says nothing of what became of it.
    returned = via != "vdso"
    return Call(
        name=row.text("name"),
        via=via,
        abi=row.text("abi"),
        count=row.number("count"),
        unfinished=row.number("unfinished") if returned else 0,
        filtered=row.number("filtered") if returned else 0,
        restarted=row.number("restarted") if returned else 0,
        errors=row.counts("errors") if returned else {},
        by_clock=row.counts("by_clock") if row.has("by_clock") else {},
        times=_times(row) if row.has("total_ns") else None,
    )


def _process_call(row: Fields) -> Call:
    via = _via(row)
    count = row.number("count")
    times = None
    if row.has("total_ns"):
        total_ns = row.number("total_ns")
        times = Times(total_ns=total_ns, mean_ns=round(total_ns / max(count, 1), 1))
    return Call(
        name=row.text("name"),
        via=via,
        abi=row.text("abi"),
        count=count,
        errors=row.counts("errors") if via != "vdso" else {},
        times=times,
    )


def _via(row: Fields) -> Via:
    found = row.text("via")
    via = _VIAS.get(found) or row.refuse("via", f"one of {', '.join(_VIAS)}")
    if row.text("ring") != RING[via]:
        row.refuse("ring", f"{RING[via]!r} for {via!r}")
    return via


def _times(row: Fields) -> Times:
    buckets = row.buckets("histogram") if row.has("histogram") else ()
    return Times(
        total_ns=row.number("total_ns"),
        mean_ns=row.real("mean_ns"),
        min_ns=row.number_or_none("min_ns"),
        max_ns=row.number_or_none("max_ns"),
        p50_ns=row.number_or_none("p50_ns"),
        p95_ns=row.number_or_none("p95_ns"),
        p99_ns=row.number_or_none("p99_ns"),
        histogram=tuple(Bucket(*bucket) for bucket in buckets),
        estimated=row.flag("estimated"),
    )


def _process(row: Fields) -> Process:
    return Process(
        pid=row.number("pid"),
        ppid=row.number("ppid"),
        comm=row.text("comm"),
        calls=tuple(_process_call(call) for call in row.children("calls")),
        pid_in_namespace=row.number_or_none("pid_in_namespace") or 0,
        started_ns=row.number_or_none("started_ns") or 0,
        ended_ns=row.number_or_none("ended_ns"),
        exit=_exit(row.child("exit")) if row.has("exit") else Exit(),
    )
