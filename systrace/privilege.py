"""Whether we may load BPF programs and trace another process: capabilities(7)."""

import os
from collections.abc import Sequence
from pathlib import Path

from systrace import launcher
from systrace.errors import PrivilegeError

# include/uapi/linux/capability.h
_NUMBER = {
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
    "CAP_CHECKPOINT_RESTORE": 40,
}
# CAP_CHECKPOINT_RESTORE opens /proc/PID/map_files (fs/proc/base.c, proc_map_files_get_link).
_FINE_GRAINED = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_CHECKPOINT_RESTORE")


def effective(status: Path = Path("/proc/self/status")) -> int:
    """Our effective capabilities, one bit each (``CapEff`` of proc(5))."""
    for line in status.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff":
            return int(value, 16)
    return 0


def suffices(capabilities: int) -> bool:
    """CAP_SYS_ADMIN, or everything that Linux 5.9 split off it and that we use."""
    return _has(capabilities, "CAP_SYS_ADMIN") or all(
        _has(capabilities, name) for name in _FINE_GRAINED
    )


def require(arguments: Sequence[str], program: Sequence[str] | None = None) -> None:
    """Refuse early, with the line to paste: ``program``, which is systrace, and its arguments.

    Raises PrivilegeError.
    """
    if suffices(effective()):
        return
    if os.geteuid() == 0:
        raise PrivilegeError(
            "root here lacks CAP_SYS_ADMIN, so it cannot load BPF programs; if this is a container,"
            "\nstart it with: --cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt"
            " seccomp=unconfined"
        )
    # sudo replaces PATH, and -E alone does not keep it: the shell has to put ours back.
    words = launcher.quoted((*(program or launcher.path()), *arguments))
    raise PrivilegeError(
        f'needs root to load BPF programs; try:\n  sudo -E env "PATH=$PATH" {words}'
    )


def _has(capabilities: int, name: str) -> bool:
    return bool(capabilities >> _NUMBER[name] & 1)
