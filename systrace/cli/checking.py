"""What ``check`` does, step by step, once click has read its options."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NoReturn

from systrace import launcher
from systrace.budget.read import is_json
from systrace.cli import limits, streams
from systrace.cli.writing import destinations, write_all
from systrace.errors import UsageError
from systrace.limits.before import refuse_changes
from systrace.limits.evaluate import Verdict
from systrace.limits.grammar import Limit
from systrace.options import Format, TableOptions
from systrace.report import Report
from systrace.saved import load
from systrace.syscalls import signal_name


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked: limits, a report, and the one that it is compared with."""

    limits: tuple[Limit, ...]
    report: Report
    baseline: Report | None = None


def parse(asked: Mapping[str, Any]) -> Asked:
    """Read the files, in whichever order they are. Raises UsageError or InputError."""
    budgets, path = _files(asked)
    report = load(path)
    baseline = load(asked["baseline"]) if asked["baseline"] is not None else None
    reports = [report] if baseline is None else [report, baseline]
    names = {call.name for known in reports for call in known.calls}
    found = limits.parse({**asked, "budgets": budgets}, names)
    if baseline is None:
        refuse_changes(found, path)
    return Asked(found, report, baseline)


def check(asked: Asked, outputs: Mapping[str, Any]) -> Verdict:
    """Hold the limits against the report, and write what comes of it. Raises OutputError."""
    verdict = limits.held(asked.limits, asked.report, asked.baseline)
    verdict = replace(verdict, remarks=(*verdict.remarks, *_remarks(asked.report)))
    for remark in verdict.remarks:
        streams.note(remark)
    # A limit is violated though nobody reads it.
    unread = streams.is_closed(streams.STDOUT)
    with destinations({**outputs, "quiet": unread}, _inputs(outputs)) as opened:
        write_all(opened, TableOptions(), lambda wanted, _: _text(verdict, asked.report, wanted))
    return verdict


def end(verdict: Verdict) -> NoReturn:
    """End with 1 where a limit does not hold."""
    raise SystemExit(limits.VIOLATED if verdict.violations else 0)


def _text(verdict: Verdict, report: Report, wanted: Format) -> str:
    # A format is a file in systrace/render/ of that name.
    rendered: str = import_module(f"systrace.render.verdict_{wanted}").render(verdict, report)
    return rendered


def _remarks(report: Report) -> Iterator[str]:
    """What a report tells that its reader may not have seen."""
    ended = report.exit
    if ended.signal is not None:
        yield f"the command was killed by {signal_name(ended.signal)}: it may have called less"
    elif ended.code:
        yield f"the command ended with exit {ended.code}: it may have called less"
    yield from limits.warnings(report)


def _inputs(asked: Mapping[str, Any]) -> Iterator[str]:
    yield from (*asked["files"], *asked["budgets"])
    if asked["baseline"] is not None:
        yield asked["baseline"]


def _files(asked: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Tell budgets from the report. Raises UsageError, with the line that was meant."""
    files: tuple[str, ...] = asked["files"]
    budgets: tuple[str, ...] = asked["budgets"]
    limited = bool(budgets or asked["fail_if"])
    if not files:
        raise UsageError(_usage("check needs a budget and a report, for example:"))
    if len(files) > 2:
        raise UsageError(_usage("check takes one report, and before it one budget:"))
    expected = [True] if len(files) == 1 else [False, True]
    # what cannot be looked into beforehand is taken for what belongs there
    looked = [is_json(file) for file in files]
    are_reports = [
        there if found is None else found for found, there in zip(looked, expected, strict=True)
    ]
    match are_reports:
        case [True] if limited:
            return budgets, files[0]
        case [False, True]:
            return (*budgets, files[0]), files[1]
        case [True, False]:
            line = ("check", *_options(asked), files[1], files[0])
            raise UsageError(f"the budget comes first:\n  {launcher.call(line)}")
        case [True]:
            line = ("check", "--fail-if", "ring0_calls > 400", files[0])
            raise UsageError(f"check needs a limit, or a budget:\n  {launcher.call(line)}")
        case [False]:
            said = f"check needs a report; {files[0]!r} is none:"
            raise UsageError(_usage(said, budget=files[0]))
        case [True, True]:
            line = ("check", "--baseline", files[0], "--fail-if", "new_calls > 0", files[1])
            raise UsageError(f"both files are reports, and no budget:\n  {launcher.call(line)}")
        case _:
            raise UsageError(_usage("neither file is a report:", budget=files[0]))


def _options(asked: Mapping[str, Any]) -> Iterator[str]:
    if asked["baseline"] is not None:
        yield from ("--baseline", asked["baseline"])
    for file in asked["budgets"]:
        yield from ("--budget", file)
    for text in asked["fail_if"]:
        yield from ("--fail-if", text)


def _usage(said: str, budget: str = "budget.toml") -> str:
    return f"{said}\n  {launcher.call(('check', budget, 'report.json'))}"
