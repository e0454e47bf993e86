"""The report as annotations of a GitHub Actions workflow: a notice, and each warning as one.

A line ``::level title=...::message`` becomes an annotation on the run, wherever a step prints it.
GitHub shows ten of a level a step, so that all rows stand in the one notice.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from systrace.options import TableOptions
from systrace.render import wording
from systrace.render.rows import cells, notes, ordered
from systrace.render.text import clip, printable
from systrace.report import Call, Report

if TYPE_CHECKING:
    # A report without limits does without their modules.
    from systrace.limits.evaluate import Verdict

Level = Literal["notice", "warning", "error"]

# escapeData and escapeProperty of github.com/actions/toolkit, packages/core/src/command.ts
_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_MESSAGE, **str.maketrans({":": "%3A", ",": "%2C"})}

_LONGEST_TITLE = 120
_SHOWN: Final = 10  # of a level a step
NOTE_WIDTH = 160


def render(report: Report, table: TableOptions, verdict: "Verdict | None" = None) -> str:
    """Write the annotations, with rows in the order and number that ``table`` asks for.

    What limits are violated, if there were any limits, comes first.
    """
    title = title_of(wording.subject(report))
    lines = list(errors(verdict, title)) if verdict is not None else []
    lines += [annotation("notice", "\n".join(_notice(report, table)), title=title)]
    lines += [
        annotation("warning", printable(text), title=title)
        for text in (wording.lost(report), *report.warnings)
        if text
    ]
    return "\n".join(lines) + "\n"


def errors(verdict: "Verdict", title: str) -> Iterator[str]:
    """Write each violation as an error; the tenth has all those that would not be shown."""
    violations = verdict.violations
    alone = len(violations) if len(violations) <= _SHOWN else _SHOWN - 1
    for violation in violations[:alone]:
        # shown at the budget, where the limit stands in one
        at = {"file": printable(violation.limit.file)} if violation.limit.file else {}
        yield annotation("error", printable(violation.text), **at, title=title)
    if rest := [printable(violation.text) for violation in violations[alone:]]:
        yield annotation("error", "\n".join(rest), title=title)


def title_of(subject: str) -> str:
    """Make a title of what ran, printable already."""
    return f"systrace: {clip(subject, _LONGEST_TITLE)}"


def annotation(level: Level, message: str, **properties: str) -> str:
    r"""Write one annotation, a line; ``message`` may have lines of its own, parted by ``\n``.

    Text from outside has to be printable already (``text.printable``).
    """
    named = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{level} {named}::{message.translate(_MESSAGE)}"


def _notice(report: Report, table: TableOptions) -> Iterator[str]:
    yield wording.verdict(report)
    about = "" if report.since_ns is None else f"{wording.part(report)}: "
    yield about + wording.facts(report)
    for call in ordered(report.calls, table)[: table.top]:
        yield _row(call, report)
    yield from notes(report, table, NOTE_WIDTH, warnings=False)


def _row(call: Call, report: Report) -> str:
    """Write a row in words: columns would not align."""
    row = cells(call, report)
    said = [f"{wording.label(call, report)}: {row['calls']} {row['via']}, ring {row['ring']}"]
    if row["errs"] not in ("-", "0"):
        said.append(f"errors {row['errs']}")
    said += [f"{key} {row[key]}" for key in ("total", "mean", "p99") if row[key] != "-"]
    return ", ".join(said)
