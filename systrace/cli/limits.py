"""``--fail-if`` and ``--budget``: read before anything starts, held when all is counted."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from systrace import launcher
from systrace.cli import streams
from systrace.errors import InputError, UsageError
from systrace.options import TraceOptions
from systrace.report import Report

if TYPE_CHECKING:
    # A run without limits does without their modules.
    from systrace.comparison import Comparison
    from systrace.limits.evaluate import Verdict
    from systrace.limits.grammar import Limit

VIOLATED = 1


def parse(asked: Mapping[str, Any], names: Collection[str] = ()) -> tuple["Limit", ...]:
    """Read all limits; ``names`` are calls of reports, known besides the kernel's.

    Raises UsageError for an expression, InputError for a budget.
    """
    if not asked["fail_if"] and not asked["budgets"]:
        return ()
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


def refuse_unknowable(limits: Sequence["Limit"], trace: TraceOptions) -> None:
    """Refuse limits on what these options leave out. Raises UsageError."""
    if limits:
        from systrace.limits import before  # noqa: PLC0415  as above

        before.refuse_unknowable(limits, trace)


def held(limits: Sequence["Limit"], report: Report, baseline: Report | None = None) -> "Verdict":
    """Hold limits against the whole run; a change is one from the ``baseline``."""
    from systrace.limits.evaluate import evaluate  # noqa: PLC0415  as above
    from systrace.limits.figures import ReportFigures  # noqa: PLC0415  as above

    before = None if baseline is None else ReportFigures(baseline)
    verdict = evaluate(limits, ReportFigures(report), before)
    return _with_remarks(verdict, [report])


def compared(limits: Sequence["Limit"], comparison: "Comparison") -> "Verdict":
    """Hold limits against the runs of B, changes against those of A."""
    from systrace.limits import series  # noqa: PLC0415  as above

    a, b = comparison.a.reports, comparison.b.reports
    return _with_remarks(series.hold(limits, a, b), b)


def say(verdict: "Verdict | None", warned: Iterable[str] = ()) -> bool:
    """Say on standard error what does not hold; whether there is anything.

    ``warned`` is what the report warns of, where nobody has been shown that.
    """
    if verdict is None:
        return False
    for remark in (*verdict.remarks, *warned):
        streams.note(remark)
    for violation in verdict.violations:
        streams.say(violation.text)
    return bool(verdict.violations)


def _with_remarks(verdict: "Verdict", reports: Sequence[Report]) -> "Verdict":
    """Say what limits that hold do not cover."""
    quantities = [limit.quantity for limit in verdict.limits]
    wide = any(quantity.call is None or quantity.is_pattern for quantity in quantities)
    if not wide or not any(report.selected for report in reports):
        return verdict
    remark = "totals and patterns are of the calls that -e selected"
    return replace(verdict, remarks=(*verdict.remarks, remark))


def warnings(report: Report) -> Iterator[str]:
    """Hand on what the report warns of."""
    for warning in report.warnings:
        yield f"the report warns: {warning}"


def _expression(text: str, names: Collection[str]) -> "Limit":
    from systrace.limits.grammar import LimitError, parse  # noqa: PLC0415  as above

    try:
        return parse(text, names)
    except LimitError as error:
        raise UsageError(f"--fail-if {launcher.quoted((text,))}, {error}") from error


def _budgets(paths: Sequence[str], names: Collection[str]) -> Iterator["Limit"]:
    from systrace.budget.read import read  # noqa: PLC0415  as above
    from systrace.target import user  # noqa: PLC0415  as above

    for path in paths:
        with user.acting_as(user.caller()):
            limits = read(path, names)
        yield from limits
