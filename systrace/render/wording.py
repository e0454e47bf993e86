"""What is said of a report in words: the headline, the verdict and the notes.

Everything that came from outside is made printable here.
"""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from systrace.render import units
from systrace.render.text import clip, columns, printable, wrap
from systrace.report import READABLE_CLOCKSOURCES, Attached, Call, Exit, Process, Report
from systrace.syscalls import signal_name
from systrace.words import plural

# These leave no reader in doubt: they never return.
_NEVER_RETURN = frozenset({"exit", "exit_group"})

# lib/vdso/gettimeofday.c: what reads the clocksource itself, and the clocks that need it.
_READ_CLOCK = frozenset({"clock_gettime", "clock_gettime64", "gettimeofday"})
_HIGH_RESOLUTION = frozenset(
    {
        "CLOCK_REALTIME",
        "CLOCK_MONOTONIC",
        "CLOCK_MONOTONIC_RAW",
        "CLOCK_BOOTTIME",
        "CLOCK_TAI",
    }
)
_CPU_TIME = frozenset({"CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID"})

# by how vDSO calls were counted
_NONE_STAYED = {
    "off": "vDSO calls were not counted (--vdso off)",
    "none": "the target has no vDSO",
    "removed": "the vDSO was taken away (--without-vdso)",
    "uncounted": "vDSO calls were not counted",
}

_STARTS = frozenset({"execve", "execveat"})

_ERROR_LINES = 3
_NAMED = 4


def label(call: Call, report: Report) -> str:
    """Name a call, and its ABI where that is not the machine's own: ``getpid [i386]``."""
    name = printable(call.name)
    return name if call.abi == report.machine.arch else f"{name} [{printable(call.abi)}]"


def headline(report: Report, width: int) -> list[str]:
    """Say what ran, how it ended and how far the counts can be trusted; the lines of it."""
    named, said = subject(report), facts(report)
    whole = f"{named}: {said}"
    if columns(whole) <= width:
        return [whole]
    return [f"{clip(named, width - 1)}:", *wrap(said, width)]


def facts(report: Report) -> str:
    """Say how it ended, how long it took, how many ran, and how many calls were lost."""
    # An interval has those that began in it: that none did is not that none ran.
    began = [
        plural(count, *names)
        for count, *names in (
            (report.process_count, "process", "processes"),
            (report.thread_count, "thread"),
        )
        if count or report.since_ns is None
    ]
    text = ", ".join((_outcome(report), units.duration(report.elapsed_ns), *began))
    if report.machine.clocksource:
        text += f"; clocksource {printable(report.machine.clocksource)}"
    return f"{text}; lost {units.count(report.lost)}"


def subject(report: Report) -> str:
    """Name what ran: the command, or the processes that were attached to."""
    if report.command:
        return printable(shlex.join(report.command))
    processes: Sequence[Attached | Process] = report.attached or report.processes
    named = [f"{process.comm} ({process.pid})" for process in processes[:_NAMED]]
    more = len(processes) - len(named)
    return printable(", ".join(named)) + (f" and {more} more" if more else "") or "attached"


def _outcome(report: Report) -> str:
    """Nobody but their parents knows how processes ended that were attached to."""
    unknown = report.exit.code is None and report.exit.signal is None
    if unknown and report.processes and all(one.ended_ns is not None for one in report.processes):
        return "ended"
    return ended(report.exit)


def ended(how: Exit) -> str:
    """Say how a process ended: ``exit 0``, ``killed by SIGTERM``, ``still running``."""
    if how.signal is not None:
        return f"killed by {signal_name(how.signal)}"
    return "still running" if how.code is None else f"exit {how.code}"


def part(report: Report) -> str:
    """Say which part of the run a report is about: ``elapsed 1.0 s to 2.0 s``."""
    if report.since_ns is None:
        return f"elapsed {_seconds(report.elapsed_ns)}"
    end_ns = report.since_ns + report.elapsed_ns
    return f"elapsed {_seconds(report.since_ns)} to {_seconds(end_ns)}"


def verdict(report: Report) -> str:
    """Say how many calls stayed in ring 3 and how many did not; never 0 for what nobody counted."""
    stayed, entered = report.ring_calls("3"), report.ring_calls("3->0")
    if not stayed and (reason := _NONE_STAYED.get(report.probes.vdso)):
        return f"{_calls(entered)} entered ring 0; {reason}."
    if not stayed and not entered:
        return "No call was counted."
    if not stayed and "vdso" in report.incomplete:
        return f"{_calls(entered)} entered ring 0; not all vDSO calls were counted."
    calls = f"{_calls(stayed)} stayed in ring 3"
    if not stayed and any(what.startswith("vdso ") for what in report.incomplete):
        calls = "No counted call stayed in ring 3"
    if stayed and "vdso" in report.incomplete:
        calls += " (not exact: see the warnings)"
    return f"{calls}; {_none_or(entered)} entered ring 0."


def lost(report: Report) -> str:
    """Say loudly that counts are missing; empty when none are."""
    if not report.lost:
        return ""
    return f"LOST: up to {plural(report.lost, 'call')} missing from these counts."


def left_out(rows: int, calls: int) -> str:
    """Say what ``--top`` keeps out of a table."""
    return (
        f"Left out by --top: {plural(calls, 'call')} in {plural(rows, 'row')}; "
        "the totals include them."
    )


def process(one: Process, stayed: str) -> str:
    """Say which process it is, how it ended and how many calls it made, ``stayed`` in ring 3."""
    name = f"{one.pid} {printable(one.comm)}"
    if one.pid_in_namespace not in (0, one.pid):
        name += f" ({one.pid_in_namespace} in its pid namespace)"
    if one.ppid:
        name += f", child of {one.ppid}"
    facts = [ended(one.exit)]
    if one.ended_ns is not None:
        facts.append(units.duration(one.ended_ns - one.started_ns))
    entered = sum(call.count for call in one.calls if call.ring == "3->0")
    return f"{name}: {', '.join(facts)}; {stayed} in ring 3, {units.count(entered)} in ring 0"


def processes_left_out(processes: int, calls: int) -> str:
    """Say what the table of processes leaves out."""
    return (
        f"Left out: {plural(processes, 'process', 'processes')} with {plural(calls, 'call')}; "
        "a JSON report (-o FILE.json) has them all."
    )


def notes(report: Report, width: int, *, warnings: bool = True) -> Iterator[str]:
    """Everything worth knowing about the rows, a paragraph each, to be wrapped at ``width``.

    Without ``warnings`` for a format that has a place of its own for them.
    """
    for call in report.calls:
        if call.via == "vdso-fallback":
            yield from _fallbacks(call, report)
    if returns := " ".join(_returns(report, width)):
        yield returns
    if report.selected:
        yield "A selection (-e) left calls out: the totals are of the selected calls."
    if report.without_children:
        yield "Children were left out (--no-follow)."
    if report.longest_stop_ns is not None:
        yield f"Longest stop of a thread by systrace: {units.duration(report.longest_stop_ns)}."
    for warning in report.warnings if warnings else ():
        yield f"Warning: {printable(warning)}"
    if times := _times(report):
        yield times


def overhead(report: Report) -> str:
    """Say what tracing cost, or that nobody knows."""
    cost = report.overhead
    if cost is None:
        return "What tracing cost was not measured."
    adds = [
        f"{units.duration(ns, 2)} to a {kind} call"
        for ns, kind in ((cost.syscall_ns, "system"), (cost.vdso_ns, "vDSO"))
        if ns is not None
    ]
    each = f"Tracing adds {' and '.join(adds)} here" if adds else "Tracing adds to each call"
    if cost.held_ns:
        each += f", and held programs at their start for {units.duration(cost.held_ns)}"
    each += f": about {units.duration(cost.added_ns)} to this run, summed over threads"
    if report.selected:
        each += ", and more for calls that -e left out"
    if cost.slowdown_least is None:
        return f"{each}; that is more than it took."
    least = _percent(cost.slowdown_least)
    about = "about" if cost.slowdown_most == cost.slowdown_least else "at least"
    return f"{each}; it took {about} {least} % longer than without."


def _percent(slowdown: float) -> str:
    longer = 100 * (slowdown - 1)
    return f"{longer:,.{longer < 10:d}f}"


def _fallbacks(call: Call, report: Report) -> Iterator[str]:
    """Say why calls that entered the vDSO needed the kernel, as far as that can be known."""
    cpu_time = sum(count for clock, count in call.by_clock.items() if clock in _CPU_TIME)
    unreadable = _unreadable(call, report.machine.clocksource)
    source = printable(report.machine.clocksource)
    reasons = (
        (cpu_time, "CPU-time clocks always need the kernel"),
        (unreadable, f"clocksource {source} cannot be read in ring 3"),
        (call.count - cpu_time - unreadable, "the vDSO left it to the kernel"),
    )
    for count, reason in reasons:
        if count > 0:
            times = "once" if count == 1 else f"{units.count(count)} times"
            yield f"{label(call, report)} fell back {times}: {reason}."


def _unreadable(call: Call, clocksource: str) -> int:
    """How many calls needed a clocksource that only the kernel can read."""
    readable = not clocksource or clocksource in READABLE_CLOCKSOURCES
    if readable or call.name not in _READ_CLOCK:
        return 0
    if not call.by_clock:
        return call.count
    return sum(count for clock, count in call.by_clock.items() if clock in _HIGH_RESOLUTION)


def _returns(report: Report, width: int) -> Iterator[str]:
    """How calls came back, where it was not with success."""
    errors: Counter[str] = Counter()
    unfinished: Counter[str] = Counter()
    filtered: Counter[str] = Counter()
    for call in report.calls:
        name = label(call, report)
        errors.update({f"{name} {printable(error)}": n for error, n in call.errors.items()})
        if call.name not in _NEVER_RETURN:
            unfinished[name] += call.unfinished
        filtered[name] += call.filtered
    if any(errors.values()):
        yield _listed("Errors", errors, width)
    if report.restarted:
        # which of the two, the kernel decides behind the tracepoint
        interrupted = units.count(report.restarted)
        yield f"Interrupted by a signal (restarted or EINTR): {interrupted}."
    if any(unfinished.values()):
        yield _listed("Unfinished at the end", unfinished, width)
    if any(filtered.values()):
        yield _listed("Answered by a seccomp filter, not counted", filtered, width)


def _listed(title: str, counts: Mapping[str, int], width: int) -> str:
    """List the largest counts first, as many as three lines take."""
    ranked = sorted((-count, name) for name, count in counts.items() if count)
    items = [f"{name} {units.count(-negative)}" for negative, name in ranked]
    text = f"{title}: {', '.join(items)}."
    shown = len(items)
    while shown > 1 and len(wrap(text, width)) > _ERROR_LINES:
        # Straight to about three lines first: there may be hundreds.
        fitting = shown * (_ERROR_LINES + 1) * width // len(text)
        shown = min(shown - 1, max(fitting, 1))
        text = f"{title}: {', '.join(items[:shown])}, and {len(items) - shown} more."
    return text


def _times(report: Report) -> str:
    estimated = {call.times.estimated for call in report.calls if call.times is not None}
    if estimated == {True}:
        return "Times marked ~ are estimated."
    if not estimated:
        return ""
    text = "Times are wall clock, waiting included, summed over threads"
    started = sum(call.count for call in report.calls if call.name in _STARTS)
    if report.command and started > 1 and report.probes.vdso not in _NONE_STAYED:
        text += "; where a program is started, with systrace's preparing of it"
    return text + ("; ~ is estimated." if True in estimated else ".")


def _calls(number: int) -> str:
    return plural(number, "call") if number else "No call"


def _none_or(number: int) -> str:
    return units.count(number) if number else "none"


def _seconds(elapsed_ns: int) -> str:
    return f"{elapsed_ns / 1_000_000_000:,.1f} s"
