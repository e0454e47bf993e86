"""``--fail-if`` and ``--budget``: read before anything starts, held when all is counted."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from systrace.cli import streams
from systrace.errors import InputError, UsageError
from systrace.options import TraceOptions
from systrace.report import Report

if TYPE_CHECKING:
    # A run without limits does without their modules.
    from systrace.limits.grammar import Limit

VIOLATED = 1


def parse(asked: Mapping[str, Any], names: Collection[str] = ()) -> tuple["Limit", ...]:
    """Read all limits; ``names`` are calls of reports, known besides the kernel's.

    Raises UsageError for an expression, InputError for a budget.
    """
    expressions = (_expression(text, names) for text in asked["fail_if"])
    return (*expressions, *_budgets(asked["budgets"], names))


def before(asked: Mapping[str, Any], trace: TraceOptions) -> tuple["Limit", ...]:
    """Read the limits of a trace, and refuse what could not be held.

    Raises UsageError.
    """
    if not asked["fail_if"] and not asked["budgets"]:
        return ()
    from systrace.limits import before  # noqa: PLC0415  the tables of calls, for limits alone

    try:
        limits = parse(asked)
    except InputError as error:
        # Of its own it would end with 2, which here may be the target's.
        raise UsageError(str(error)) from error
    before.refuse_changes(limits)
    before.refuse_unknowable(limits, trace)
    return limits


def violated(limits: Sequence["Limit"], report: Report, *, quiet: bool) -> bool:
    """Hold the limits against the whole run, and say on standard error what does not hold.

    ``quiet``: nobody has been shown the report, and what it warns of.
    """
    if not limits:
        return False
    from systrace.limits.evaluate import evaluate  # noqa: PLC0415  as above
    from systrace.limits.figures import ReportFigures  # noqa: PLC0415  as above

    verdict = evaluate(limits, ReportFigures(report))
    warned = warnings(report) if quiet else ()
    for remark in (*verdict.remarks, *remarks(limits, report), *warned):
        streams.say(f"note: {remark}")
    for violation in verdict.violations:
        streams.say(violation.text)
    return bool(verdict.violations)


def remarks(limits: Sequence["Limit"], report: Report) -> Iterator[str]:
    """Say what limits that hold do not cover."""
    wide = any(limit.quantity.call is None or limit.quantity.is_pattern for limit in limits)
    if report.selected and wide:
        yield "totals and patterns are of the calls that -e selected"


def warnings(report: Report) -> Iterator[str]:
    """Hand on what the report warns of."""
    for warning in report.warnings:
        yield f"the report warns: {warning}"


def _expression(text: str, names: Collection[str]) -> "Limit":
    from systrace.limits.grammar import LimitError, parse  # noqa: PLC0415  as above

    try:
        return parse(text, names)
    except LimitError as error:
        raise UsageError(f"--fail-if {shlex.quote(text)}, {error}") from error


def _budgets(paths: Sequence[str], names: Collection[str]) -> Iterator["Limit"]:
    from systrace.budget.read import read  # noqa: PLC0415  as above
    from systrace.target import user  # noqa: PLC0415  as above

    for path in paths:
        with user.acting_as(user.caller()):
            limits = read(path, names)
        yield from limits
