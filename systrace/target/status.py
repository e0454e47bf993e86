"""A task, as proc(5) shows it."""

import signal
from collections.abc import Mapping
from typing import Final

from systrace import proc

_MASKS: Final = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
_IGNORED_BY_DEFAULT: Final = frozenset(
    {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
)


def ignores(tid: int, number: int) -> bool:
    """Whether a task ignores a signal, by choice or, as signal(7) has it, by default."""
    found = masks(tid)
    bit = 1 << (number - 1)
    by_default = number in _IGNORED_BY_DEFAULT and not found["SigCgt"] & bit
    return bool(found["SigIgn"] & bit) or by_default


def waits(tid: int, number: int) -> bool:
    """Whether a signal waits that was sent to this very task."""
    return bool(masks(tid)["SigPnd"] >> (number - 1) & 1)


def masks(tid: int) -> dict[str, int]:
    """Return a task's signal masks as proc(5) names them; no bit is set in one that is gone."""
    try:
        return _masks_of(proc.status(tid))
    except OSError:
        return _masks_of({})


def masks_in(status: bytes) -> dict[str, int]:
    """Return the signal masks in the text of /proc/PID/status."""
    return _masks_of(proc.status_fields(status))


def _masks_of(fields: Mapping[str, str]) -> dict[str, int]:
    return {name: int(fields.get(name, "0"), 16) for name in _MASKS}


def parent_of(pid: int) -> int | None:
    """A process's parent; None if it is gone already."""
    try:
        return int(proc.status(pid)["PPid"])
    except OSError:
        return None


def tgid_of(tid: int) -> int | None:
    """The process a thread belongs to; None if it is gone already."""
    try:
        return int(proc.status(tid)["Tgid"])
    except OSError:
        return None
