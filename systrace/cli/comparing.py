"""What ``compare`` does, step by step, once click has read its options."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import click

from systrace import diff, privilege
from systrace.cli import ending, sides, streams, tracing
from systrace.cli.line import split
from systrace.cli.sides import Named
from systrace.cli.writing import write_all
from systrace.comparison import Comparison, Side
from systrace.options import RunOptions, TableOptions, TraceOptions
from systrace.output import Output, opened
from systrace.target import user
from systrace.trials import Plan, StoppedError, Trial, run

_STDOUT: Final = "-"
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
    if any(side.report is None for side in named):
        privilege.require(arguments)
        user.resolve(asked["user"])
    names = dict.fromkeys((*(() if asked["quiet"] else (_STDOUT,)), *asked["outputs"]))
    streams.hold_closed()
    try:
        with opened(names, user.caller(), asked["format_"]) as outputs:
            _write(_compared(named, asked), outputs, asked)
    except StoppedError as stopped:
        ending.by_signal(stopped.number)


def _compared(named: Sequence[Named], asked: Mapping[str, Any]) -> Comparison:
    trace = TraceOptions(
        vdso=asked["vdso"],
        counts_only=asked["counts_only"],
        selection=tracing.selected(asked["expressions"]),
        follow=asked["follow"],
    )
    commands = [
        RunOptions(side.command, asked["user"], trace) for side in named if side.report is None
    ]
    if asked["without_vdso"]:
        bare = replace(trace, vdso="auto", without_vdso=True)
        commands[1] = replace(commands[1], trace=bare)
    trials = iter(_run(commands, asked))
    found = []
    for side in named:
        if side.report is None:
            trial = next(trials)
            found.append(Side(side.label, trial.reports, "command", trial.unprobed_ns))
        else:
            report = diff.selected(side.report, trace.selection)
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


def _write(comparison: Comparison, outputs: Sequence[Output], asked: Mapping[str, Any]) -> None:
    """Write it everywhere. Raises the first OutputError, when all others have theirs."""
    plain = TableOptions(unchanged=asked["unchanged"])
    fd = streams.STDOUT
    seen = replace(plain, width=streams.width(fd=fd), colour=streams.colour(fd=fd))
    write_all(outputs, lambda output: _rendered(comparison, output, seen, plain))


def _rendered(
    comparison: Comparison, output: Output, seen: TableOptions, plain: TableOptions
) -> str:
    # A format is a file in systrace/render/ of that name.
    renderer = import_module(f"systrace.render.comparison_{output.format}")
    rendered: str = renderer.render(comparison, seen if output.name == _STDOUT else plain)
    return rendered
