"""A diagnosis as text of at most 80 columns, and as JSON for machines."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from systrace import __version__
from systrace.doctor.findings import SCHEMA, Costs, Diagnosis, Finding, Level, Outcome, Trial
from systrace.doctor.self_test import FIRST, SECOND
from systrace.render import units
from systrace.render.text import printable, wrap

_WIDTH: Final = 80
_MARK: Final[dict[Level, str]] = {
    "good": "ok",
    "limited": "limited",
    "bad": "BAD",
    "unknown": "?",
}
_OUTCOME: Final[dict[Outcome, str]] = {
    "exact": "exact",
    "wrong": "WRONG",
    "refused": "refused",
    "untried": "not tried",
}
_SUBJECT_AT: Final = 10
_SAYS_AT: Final = 27
_MODE_AT: Final = 2
_OUTCOME_AT: Final = 22


def text(diagnosis: Diagnosis) -> str:
    """Write it for people: findings, costs, the self-test, and the verdict last."""
    return "\n".join((*_lines(diagnosis), ""))


def document(diagnosis: Diagnosis) -> str:
    """Write it as ``systrace.doctor/1``, in ASCII, two spaces a level."""
    whole: dict[str, Any] = {
        "schema": SCHEMA,
        "systrace": __version__,
        "exact": diagnosis.exact,
        "machine": asdict(diagnosis.machine),
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "vdso": [
            {"name": name, "patchable": not reason, "reason": reason or None}
            for name, reason in diagnosis.functions.items()
        ],
        "costs": {
            "vdso_call_ns": _tenths(diagnosis.costs.vdso_call_ns),
            "system_call_ns": _tenths(diagnosis.costs.system_call_ns),
            "breakpoint_hit_ns": _tenths(diagnosis.costs.breakpoint_hit_ns),
        },
        "self_test": [_trial(trial) for trial in diagnosis.trials],
    }
    return json.dumps(whole, indent=2) + "\n"


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    machine = diagnosis.machine
    cpus = "1 CPU" if machine.cpus == 1 else f"{machine.cpus} CPUs"
    kernel, arch = printable(machine.kernel), printable(machine.arch)
    yield from wrap(f"systrace {__version__} on Linux {kernel}, {arch}, {cpus}", _WIDTH)
    yield ""
    for finding in diagnosis.findings:
        yield from _about(finding)
    yield ""
    yield from _costs(diagnosis.costs)
    yield ""
    system, vdso = (first + second for first, second in zip(FIRST, SECOND, strict=True))
    yield f"self-test: {system:,} system calls and {vdso:,} vDSO calls of two programs"
    for trial in diagnosis.trials:
        yield from _tried(trial)
    yield ""
    yield _verdict(diagnosis)


def _about(finding: Finding) -> Iterator[str]:
    mark = _MARK[finding.level]
    head = f"{mark:<{_SUBJECT_AT}}{finding.subject.replace('_', ' ')}"
    yield from _hanging(head, _SAYS_AT, finding.says)
    if finding.consequence:
        yield from _hanging("", _SAYS_AT, f"so: {finding.consequence}")
    if finding.remedy:
        said, *pasted = finding.remedy.splitlines()
        yield from _hanging("", _SAYS_AT, f"do: {said}")
        yield from (f"  {printable(line.strip())}" for line in pasted)


def _costs(costs: Costs) -> Iterator[str]:
    known = (
        ("a vDSO call (clock_gettime)", costs.vdso_call_ns),
        ("a system call (getppid)", costs.system_call_ns),
        ("a breakpoint hit, added to a call", costs.breakpoint_hit_ns),
    )
    yield "measured here, with nothing traced:"
    for name, ns in known:
        yield f"  {name:<34} {'not measured' if ns is None else units.duration(ns):>12}"


def _tried(trial: Trial) -> Iterator[str]:
    head = f"{'':<{_MODE_AT}}--vdso {trial.mode}"
    said = _OUTCOME[trial.outcome]
    if trial.counted_by not in (None, trial.mode):
        said += f" ({_how(str(trial.counted_by))})"
    if trial.says:
        said += f": {trial.says}"
    yield from _hanging(head, _OUTCOME_AT, said)


def _how(counted_by: str) -> str:
    if counted_by == "none":
        return "there is no vDSO"
    return "vDSO calls not counted" if counted_by == "uncounted" else f"by {counted_by}"


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.exact:
        return "systrace run is exact here."
    bad = sum(finding.level == "bad" for finding in diagnosis.findings)
    if bad:
        return f"systrace run would NOT be exact here: see what is BAD above ({bad})."
    return "systrace run is NOT exact here: see the self-test."


def _hanging(head: str, at: int, said: str) -> Iterator[str]:
    """Wrap a text in a column of its own, ``head`` before its first line."""
    lines = wrap(printable(said), _WIDTH - at)
    for number, line in enumerate(lines):
        yield f"{head if number == 0 else '':<{at}}{line}"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "level": finding.level,
        "value": finding.value,
        "says": finding.says,
        "consequence": finding.consequence or None,
        "remedy": finding.remedy or None,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "mode": trial.mode,
        "outcome": trial.outcome,
        "counted_by": trial.counted_by,
        "expected": dict(trial.expected),
        "counted": dict(trial.counted),
        "says": trial.says or None,
    }


def _tenths(ns: float | None) -> float | None:
    return None if ns is None else round(ns, 1)
