"""A draft as a budget file. Comments say from what each limit was made.

Written by hand, for TOML writers leave comments out or attach none to a line of a list. All that is
quoted are limits and names of letters, digits and ``_.*? -><=!``, which TOML takes as they are;
what comes from elsewhere stands in comments, on one line and printable.
"""

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from fractions import Fraction

from systrace import __version__
from systrace.budget import SCHEMA
from systrace.budget.draft import Draft, Drafted, Kind
from systrace.render.text import clip, printable, wrap
from systrace.report import Report
from systrace.words import plural

_WIDTH = 100
_COMMANDS = 3
_TITLES: dict[Kind, str] = {
    "total": "the whole run",
    "same": "the same in every report: no head-room",
    "differs": "different from report to report",
    "runtime": "what runtimes do when they please: threads, timers, memory, readings of the clock",
}


def text(draft: Draft, reports: Sequence[Report], head_room: Fraction) -> str:
    """Write the whole file, ending with a newline."""
    lines = [
        *(clip(f"# {printable(line)}", _WIDTH) for line in _origin(reports)),
        "#",
        *(
            f"# {line}"
            for rule in _rule(draft, reports, head_room)
            for line in wrap(rule, _WIDTH - 2)
        ),
        f'schema = "{SCHEMA}"',
        "",
        "# Fail if one of these is true.",
        "fail-if = [",
        *_limits(draft),
        "]",
        "",
        '# Every call that may be made at all, by name or pattern ("open*"): a new one fails.',
        "calls = [",
        *_names(draft.calls),
        *_names(draft.runtime_calls, "in no report, and no surprise: what runtimes do"),
        *_names(draft.uncounted, "in the vDSO, where they were not counted"),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _origin(reports: Sequence[Report]) -> Iterator[str]:
    started = sorted(report.started for report in reports)
    when = started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}"
    count = plural(len(reports), "report")
    yield f"A budget of calls, written by systrace {__version__} from {count}"
    yield f"made: {when}"
    commands = dict.fromkeys(shlex.join(report.command) or "attach" for report in reports)
    for command in list(commands)[:_COMMANDS]:
        yield f"of: {command}"
    if len(commands) > _COMMANDS:
        yield f"and {len(commands) - _COMMANDS:,} other commands"
    machines = dict.fromkeys(
        f"Linux {machine.kernel}, {machine.arch}, {machine.cpus} CPUs, {machine.clocksource}"
        for machine in (report.machine for report in reports)
    )
    for machine in list(machines)[:_COMMANDS]:
        yield f"on: {machine}"
    if reports[0].selected:
        yield "Only calls that -e selected: hold it against runs with the same selection."


def _rule(draft: Draft, reports: Sequence[Report], head_room: Fraction) -> Iterator[str]:
    if len(reports) == 1:
        yield "Each limit is the figure of the one report, with no head-room: make it from ten."
    elif not draft.differs:
        yield "All reports agree, so that no limit has head-room."
    else:
        yield (
            "Each limit is the largest figure of all reports. Where they differ, head-room of "
            f"{float(head_room):g} times their spread lies above it (--head-room)."
        )
    for quantity, reason in draft.left_out.items():
        yield f"No limit on {quantity}: {reason}."


def _limits(draft: Draft) -> Iterator[str]:
    for kind, title in _TITLES.items():
        limits = [drafted for drafted in draft.limits if drafted.kind == kind]
        if limits:
            yield f"  # {title}"
        for drafted in limits:
            yield f'  "{drafted.quantity} > {drafted.limit}",{_spread(drafted)}'


def _spread(drafted: Drafted) -> str:
    if drafted.limit == drafted.largest == drafted.smallest:
        return ""
    if drafted.smallest == drafted.largest:
        return f"  # {drafted.largest:,} in every report"
    return f"  # {drafted.smallest:,} to {drafted.largest:,}"


def _names(names: Sequence[str], title: str = "") -> Iterator[str]:
    if names and title:
        yield f"  # {title}"
    listed = " ".join(f'"{name}",' for name in names)
    yield from textwrap.wrap(
        listed,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
