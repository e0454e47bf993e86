"""What ``run`` does, step by step, once click has read its options."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from systrace import early, privilege
from systrace.cli import ending, limits, needless, programs, streams
from systrace.cli.line import split
from systrace.cli.live import Live
from systrace.cli.presentation import Observed, Presentation, present
from systrace.errors import OutputError, UsageError
from systrace.options import (
    FORMATS,
    TIMES,
    RunOptions,
    Selection,
    Snapshots,
    TableOptions,
    TraceOptions,
)
from systrace.output import opened
from systrace.target import user

if TYPE_CHECKING:
    from systrace.watch import Snapshot

_PROGRESS_S = 1.0
_MEANT = frozenset((*FORMATS, "signal"))  # as values of -f and --follow, which take none


def refuse_habits(command: click.Command, arguments: Sequence[str]) -> None:
    """Refuse what click accepts and nobody means. Raises UsageError."""
    if not _MEANT.isdisjoint(arguments):
        from systrace.cli import habits  # noqa: PLC0415 - few lines have such a word

        habits.refuse_meant_value(command, split(command, arguments[0], arguments[1:]))


def parse(asked: Mapping[str, Any]) -> tuple[RunOptions, Presentation]:
    """Put the options that click hands over into frozen values. Raises UsageError."""
    if asked["by_signal"] and not asked["follow"]:
        raise UsageError("--no-follow leaves --follow=signal nothing to follow: give one of them")
    wanted = RunOptions(
        command=asked["command"],
        user=asked["user"],
        trace=TraceOptions(
            vdso=asked["vdso"],
            counts_only=asked["counts_only"],
            selection=selected(asked["expressions"]),
            follow=asked["follow"],
            by_signal=asked["by_signal"],
            per_process=asked["per_process"],
            without_vdso=asked["without_vdso"],
        ),
        snapshots=Snapshots(interval_s=asked["interval"]),
        wait_all=asked["wait_all"],
    )
    return wanted, presentation(asked, wanted.trace)


def presentation(asked: Mapping[str, Any], trace: TraceOptions) -> Presentation:
    """Take those of the options that say where reports go, how they look, what fails them.

    Raises UsageError.
    """
    if asked["format_"] == "prometheus" and asked["interval"] and not asked["quiet"]:
        raise UsageError(
            "-i makes many reports, and Prometheus reads one; -o FILE.prom gets the whole run"
        )
    if trace.counts_only and asked["sort"] in TIMES:
        key = asked["sort"]
        raise UsageError(f"--counts-only takes no times, and -S {key} sorts by them: give one")
    needless.refuse(asked)
    table = TableOptions(
        asked["sort"],
        asked["top"],
        streams.width(),
        streams.colour(),
        overhead=asked["overhead"],
    )
    held = limits.before(asked, trace)
    return Presentation(
        asked["outputs"], asked["format_"], asked["quiet"], table, held, asked["budgets"]
    )


def require_privilege(arguments: Sequence[str], wanted: RunOptions) -> None:
    """Refuse to trace or to run as that user without the right to. Raises SystraceError."""
    privilege.require(arguments)
    user.resolve(wanted.user)


def trace(wanted: RunOptions, how: Presentation) -> Observed:
    """Open the outputs, run the command, show its reports. Raises SystraceError."""
    program = programs.files((wanted.command,), wanted.user) if how.outputs else ()
    return observe(
        replace(how, inputs=(*how.inputs, *program)),
        wanted.snapshots,
        lambda snapshots: early.run(replace(wanted, snapshots=snapshots)),
    )


def observe(
    how: Presentation, asked: Snapshots, begin: "Callable[[Snapshots], Iterator[Snapshot]]"
) -> Observed:
    """Open the outputs, begin a session, show its reports. Raises SystraceError.

    ``begin`` is told which reports are ``asked`` for, and what these outputs need of them.
    """
    streams.hold_closed()
    author = user.caller()
    with (
        opened(how.outputs, author, how.format, how.inputs) as outputs,
        Live(wanted=not how.quiet) as live,
    ):
        needed = replace(
            asked,
            progress_s=_PROGRESS_S if live.visible else None,
            costs=how.shows_costs or any(output.format == "json" for output in outputs),
        )
        return present(begin(needed), how, outputs, live)


def end(observed: Observed, *, quiet: bool) -> NoReturn:
    """End as the target ended.

    Where it succeeded and a report was lost, with 125; and where a limit does not hold, with 1.
    """
    violated = say(observed, quiet=quiet)
    if observed.report.exit.code == 0:
        if observed.failures:
            raise SystemExit(OutputError.exit_status)
        if violated:
            raise SystemExit(limits.VIOLATED)
    ending.as_target(observed.report.exit)


def say(observed: Observed, *, quiet: bool) -> bool:
    """Say on standard error what could not be written, and which limits do not hold, if any.

    ``quiet``: nobody has been shown the report, and what it warns of.
    """
    for failure in observed.failures:
        streams.say(str(failure))
    return limits.say(observed.verdict, limits.warnings(observed.report) if quiet else ())


def selected(expressions: Sequence[str]) -> Selection | None:
    """Parse what ``-e`` gave; None for everything. Raises UsageError."""
    if not expressions:
        return None
    # The syscall tables are read only where there is something to look up.
    from systrace import selection  # noqa: PLC0415

    return selection.narrowing(expressions)
