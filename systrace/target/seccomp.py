"""Seccomp filters and what we inject: a filter may kill a program for a call it never made."""

from typing import Final

from systrace import proc

_FILTER: Final = "2"  # SECCOMP_MODE_FILTER, as /proc/PID/status writes it


def _fields(pid: int | str) -> tuple[str, str]:
    """Return ``Seccomp`` and ``Seccomp_filters`` (Linux 5.9) of proc(5)."""
    found = proc.status(pid)
    return found.get("Seccomp", "0"), found.get("Seccomp_filters", "0")


def filters_more_than_ours(pid: int) -> bool:
    """Whether a process has filters that we do not have, so that they may forbid what we may."""
    theirs = _fields(pid)
    return theirs[0] == _FILTER and theirs != _fields("self")
