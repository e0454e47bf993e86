"""What ``attach`` does, step by step, once click has read its options."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from systrace import attach, launcher, privilege
from systrace.cli import limits, streams, tracing
from systrace.cli.presentation import Observed, Presentation
from systrace.errors import OutputError, UsageError
from systrace.options import AttachOptions, Snapshots, TraceOptions
from systrace.target.find import Found, find

_LISTED = 8


def require_privilege(arguments: Sequence[str]) -> None:
    """Refuse to trace without the right to. Raises PrivilegeError."""
    privilege.require(arguments)


def parse(asked: Mapping[str, Any]) -> tuple[AttachOptions, Presentation]:
    """Put the options that click hands over into frozen values, names into pids.

    Raises UsageError, or SystraceError for a process that cannot be counted.
    """
    traced = _traced(asked)
    presentation = tracing.presentation(asked, traced)
    words = [word for listed in asked["pids"] for word in listed.replace(",", " ").split()]
    strange = next((word for word in words if not (word.isascii() and word.isdecimal())), None)
    if strange is not None:
        raise UsageError(f"-p takes pids, as in -p 12,34, not {strange!r}; a name needs no -p")
    found = find((*words, *asked["processes"]))
    if not found:
        raise UsageError(
            "attach needs a process: a pid or a name, for example:\n  "
            + launcher.call(("attach", "-d", "10", "1234"))
        )
    _list(found)
    wanted = AttachOptions(
        pids=tuple(process.pid for process in found),
        trace=traced,
        snapshots=Snapshots(interval_s=asked["interval"], duration_s=asked["duration"]),
    )
    return wanted, presentation


def _traced(asked: Mapping[str, Any]) -> TraceOptions:
    """Take those of the options that say what is counted, and how. Raises UsageError."""
    return TraceOptions(
        vdso=asked["vdso"],
        counts_only=asked["counts_only"],
        selection=tracing.selected(asked["expressions"]),
        follow=asked["follow"],
        per_process=asked["per_process"],
    )


def _list(found: Sequence[Found]) -> None:
    """Say what a name stands for, where it is more than one."""
    for word in dict.fromkeys(process.word for process in found):
        several = [process.pid for process in found if process.word == word]
        if len(several) > 1:
            listed = ", ".join(str(pid) for pid in several[:_LISTED])
            more = f" and {len(several) - _LISTED} more" if len(several) > _LISTED else ""
            streams.say(f"{launcher.quoted((word,))} is {len(several)} processes: {listed}{more}")


def trace(wanted: AttachOptions, presentation: Presentation) -> Observed:
    """Open the outputs, attach, show the reports. Raises SystraceError."""
    files = (f"/proc/{pid}/exe" for pid in wanted.pids)
    return tracing.observe(
        replace(presentation, inputs=(*presentation.inputs, *files)),
        wanted.snapshots,
        lambda snapshots: attach.attach(replace(wanted, snapshots=snapshots), streams.say),
    )


def end(observed: Observed, *, quiet: bool) -> None:
    """End with 0; where a report was lost, with 125; where a limit does not hold, with 1."""
    violated = tracing.say(observed, quiet=quiet)
    if observed.failures:
        raise SystemExit(OutputError.exit_status)
    if violated:
        raise SystemExit(limits.VIOLATED)
