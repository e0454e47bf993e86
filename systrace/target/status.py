"""A task, as proc(5) shows it."""

import signal
from pathlib import Path
from typing import Final

_IGNORED_BY_DEFAULT: Final = frozenset(
    {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
)


def ignores(tid: int, number: int) -> bool:
    """Whether a task ignores a signal, by choice or, as signal(7) has it, by default."""
    found = masks(tid)
    bit = 1 << (number - 1)
    by_default = number in _IGNORED_BY_DEFAULT and not found["SigCgt"] & bit
    return bool(found["SigIgn"] & bit) or by_default


def masks(tid: int) -> dict[str, int]:
    """Return a task's signal masks as proc(5) names them; no bit is set in one that is gone."""
    try:
        return masks_in(Path(f"/proc/{tid}/status").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return masks_in("")


def masks_in(status: str) -> dict[str, int]:
    """Return the signal masks in the text of /proc/PID/status."""
    found = dict.fromkeys(("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"), 0)
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value, 16)
    return found


def tgid_of(tid: int) -> int | None:
    """The process a thread belongs to; None if it is gone already."""
    try:
        text = Path(f"/proc/{tid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    return None
