"""What ``budget`` does, step by step, once click has read its options."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from systrace import launcher
from systrace.budget import draft as drafts
from systrace.budget import write as files
from systrace.budget.draft import Draft
from systrace.budget.read import is_json
from systrace.cli import streams
from systrace.errors import UsageError
from systrace.output import opened
from systrace.report import Report
from systrace.saved import load
from systrace.target import user

_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """Reports by the names of their files, and where the budget goes; ``-``: standard output.

    ``inputs`` are all files that were named, also those of reports that count once.
    """

    reports: Mapping[str, Report]
    head_room: Fraction
    output: str
    inputs: tuple[str, ...]


def parse(asked: Mapping[str, Any]) -> Asked:
    """Read the reports; one that was given twice counts once. Raises UsageError or InputError."""
    if not asked["reports"]:
        line = launcher.call(("budget", "-o", "budget.toml", "report.json"))
        raise UsageError(f"budget needs reports, ten or more, for example:\n  {line}")
    _refuse_to_replace_a_report(asked)
    reports: dict[str, Report] = {}
    for path in asked["reports"]:
        if is_json(path) is False:
            line = launcher.call(("check", path, "report.json"))
            raise UsageError(
                f"{path!r} is no report; a report is held against a budget by:\n  {line}"
            )
        report = load(path)
        same = next((name for name, other in reports.items() if other == report), None)
        if same is None:
            reports[path] = report
        else:
            streams.say(f"note: {path!r} is the same run as {same!r}, and counts once")
    return Asked(reports, Fraction(asked["head_room"]), asked["output"] or "-", asked["reports"])


def _refuse_to_replace_a_report(asked: Mapping[str, Any]) -> None:
    """Of ``-o ?.json`` the shell makes ``-o 0.json 1.json ...``. Raises UsageError, InputError."""
    output = asked["output"]
    if output in (None, "", "-") or not is_json(output):
        return
    room = asked["head_room"]
    options = () if Fraction(room) == drafts.HEAD_ROOM else ("--head-room", room)
    words = ("budget", *options, "-o", "budget.toml", output, *asked["reports"])
    raise UsageError(
        f"-o took {output!r} for its file, which is JSON, as reports are:\n  {launcher.call(words)}"
    )


def write(asked: Asked) -> None:
    """Write the budget, and say what its reader should know. Raises SystraceError."""
    streams.hold_closed()
    with opened((asked.output,), user.caller(), inputs=asked.inputs) as (output,):
        draft = drafts.draft(asked.reports, asked.head_room)
        output.write(files.text(draft, tuple(asked.reports.values()), asked.head_room))
    for remark in _remarks(draft, asked.reports):
        streams.say(f"warning: {remark}")


def _remarks(draft: Draft, reports: Mapping[str, Report]) -> Iterator[str]:
    if len(reports) == 1:
        yield (
            "made from one report: how much its counts vary is not known, so that no limit has "
            "head-room; give ten"
        )
    elif draft.differs and len(reports) < _ENOUGH:
        yield f"made from {len(reports)} reports, which differ: ten make limits that last"
    for quantity, reason in draft.left_out.items():
        yield f"no limit on {quantity}: {reason}"
    commands = dict.fromkeys(report.command for report in reports.values())
    if len(commands) > 1:
        first, second, *_ = (shlex.join(command) or "attach" for command in commands)
        yield f"the reports are of different commands, such as {first!r} and {second!r}"
    for name, report in reports.items():
        if report.exit.code or report.exit.signal is not None:
            yield f"{name!r} is of a command that failed: it may have called less"
