"""What ``compare`` does, step by step, once click has read its options."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from systrace import diff, privilege
from systrace.cli import ending, limits, programs, sides, streams, tracing
from systrace.cli.line import split
from systrace.cli.sides import Named
from systrace.cli.writing import destinations, write_all
from systrace.comparison import Comparison, Side
from systrace.options import Format, RunOptions, TableOptions, TraceOptions
from systrace.output import Output
from systrace.target import user
from systrace.trials import Plan, StoppedError, Trial, run

if TYPE_CHECKING:
    # A comparison without limits does without their modules.
    from systrace.limits.grammar import Limit

_RUNS: Final = 10  # enough to tell a difference in one of 90 quantities from noise


def compare(command: click.Command, arguments: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Find out what A and B are, run what is to be run, write the comparison.

    Raises SystraceError; does not return where a signal ends it.
    """
    tracing.refuse_habits(command, arguments)
    line = split(command, arguments[0], arguments[1:])
    if asked["without_vdso"]:
        named = sides.alone(line, by_shell=asked["shell"])
    else:
        named = sides.read(line, command, by_shell=asked["shell"])
    if hint := sides.swapped(*named, line):
        streams.say(hint)
    held = _limits(named, asked)
    if any(side.report is None for side in named):
        privilege.require(arguments)
        user.resolve(asked["user"])
    try:
        with destinations(asked, _inputs(named, asked)) as outputs:
            comparison = _compared(named, asked)
            if held:
                comparison = replace(comparison, limits=limits.compared(held, comparison))
            try:
                _write(comparison, outputs, asked)
            finally:
                violated = _tell(comparison, asked)
    except StoppedError as stopped:
        ending.by_signal(stopped.number)
    if violated:
        raise SystemExit(limits.VIOLATED)


def _inputs(named: Sequence[Named], asked: Mapping[str, Any]) -> tuple[str, ...]:
    reports = [side.label for side in named if side.report is not None]
    commands = [side.command for side in named if side.report is None]
    return (*reports, *asked["budgets"], *programs.files(commands, asked["user"]))


def _limits(named: Sequence[Named], asked: Mapping[str, Any]) -> Sequence["Limit"]:
    """Read the limits, and refuse what the options leave out. Raises UsageError, InputError."""
    reports = [side.report for side in named if side.report is not None]
    found = limits.parse(asked, {call.name for report in reports for call in report.calls})
    a, b = named
    options = _traces(asked)
    if b.report is None:
        limits.refuse_unknowable(found, options[1])
    if a.report is None:
        changes = [limit for limit in found if limit.needs_baseline]
        limits.refuse_unknowable(changes, options[0])
    return found


def _traces(asked: Mapping[str, Any]) -> tuple[TraceOptions, TraceOptions]:
    """How A and B are traced, where they are commands. Raises UsageError."""
    trace = TraceOptions(
        vdso=asked["vdso"],
        counts_only=asked["counts_only"],
        selection=tracing.selected(asked["expressions"]),
        follow=asked["follow"],
    )
    if not asked["without_vdso"]:
        return trace, trace
    return trace, replace(trace, vdso="auto", without_vdso=True)


def _compared(named: Sequence[Named], asked: Mapping[str, Any]) -> Comparison:
    traces = _traces(asked)
    commands = [
        RunOptions(side.command, asked["user"], trace)
        for side, trace in zip(named, traces, strict=True)
        if side.report is None
    ]
    trials = iter(_run(commands, asked))
    found = []
    for side in named:
        if side.report is None:
            trial = next(trials)
            found.append(Side(side.label, trial.reports, "command", trial.unprobed_ns))
        else:
            report = diff.selected(side.report, traces[0].selection)
            found.append(Side(side.label, (replace(report, processes=()),)))
    return diff.series(*found)


def _run(commands: Sequence[RunOptions], asked: Mapping[str, Any]) -> Sequence[Trial]:
    if not commands:
        return ()
    plan = Plan(
        runs=asked["runs"] or _RUNS,
        warmup=asked["warmup"],
        ignore_failure=asked["ignore_failure"],
        unprobed=asked["without_vdso"],
    )
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        output = streams.STDERR if asked["show_output"] else null
        redirected = [replace(command, streams=(null, output, output)) for command in commands]
        # The commands' output would share the terminal with the bar.
        visible = not asked["show_output"] and not asked["quiet"]
        with _progress(plan.steps * len(commands), visible=visible) as done:
            return run(redirected, plan, done)
    finally:
        os.close(null)


@contextmanager
def _progress(steps: int, *, visible: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, one step a run."""
    if not (visible and os.isatty(streams.STDERR)):
        yield lambda: None
        return
    with click.progressbar(length=steps, label="comparing", file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def _tell(comparison: Comparison, asked: Mapping[str, Any]) -> bool:
    """Say on standard error which limits do not hold; whether there are any."""
    warned = list[str]()
    if asked["quiet"]:
        reports = (*comparison.a.reports, *comparison.b.reports)
        texts = (text for report in reports for text in limits.warnings(report))
        warned = list(dict.fromkeys(texts))
    return limits.say(comparison.limits, warned)


def _write(comparison: Comparison, outputs: Sequence[Output], asked: Mapping[str, Any]) -> None:
    """Write it everywhere. Raises the first OutputError, when all others have theirs."""

    def render(wanted: Format, table: TableOptions) -> str:
        # A format is a file in systrace/render/ of that name.
        renderer = import_module(f"systrace.render.comparison_{wanted}")
        rendered: str = renderer.render(comparison, table)
        return rendered

    write_all(outputs, TableOptions(unchanged=asked["unchanged"]), render)
