"""Whether we may load BPF programs and trace another process: capabilities(7)."""

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from systrace import launcher
from systrace.errors import PrivilegeError

# include/uapi/linux/capability.h
_NUMBER: Final = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
    "CAP_CHECKPOINT_RESTORE": 40,
}
# What Linux 5.9 has in place of CAP_SYS_ADMIN, and what we do with it. The last one opens
# /proc/PID/map_files (fs/proc/base.c, proc_map_files_get_link).
_FINE_GRAINED: Final = {
    "CAP_BPF": "load eBPF programs",
    "CAP_PERFMON": "let eBPF programs read what they count",
    "CAP_SYS_PTRACE": "hold a program until the counters are there",
    "CAP_CHECKPOINT_RESTORE": "open the counters in a program",
}
# What a few things take besides: SECURITY.md has the table.
_BESIDES: Final = {
    "CAP_DAC_OVERRIDE": "programs of other users get breakpoints and no trampolines",
    "CAP_SYS_ADMIN": "programs with a seccomp filter get none either, and --vdso uprobe is refused",
}
_PR_CAP_AMBIENT: Final = 47  # include/uapi/linux/prctl.h
_PR_CAP_AMBIENT_LOWER: Final = 3


def effective(status: Path = Path("/proc/self/status")) -> int:
    """Our effective capabilities, one bit each (``CapEff`` of proc(5))."""
    for line in status.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff":
            return int(value, 16)
    return 0


def suffices(capabilities: int) -> bool:
    """CAP_SYS_ADMIN, or everything that Linux 5.9 split off it and that we use."""
    return _has(capabilities, "CAP_SYS_ADMIN") or not _missing(capabilities, _FINE_GRAINED)


def lacking(capabilities: int) -> dict[str, str]:
    """Return what is not there of the capabilities that a few things take, and what follows."""
    return {name: _BESIDES[name] for name in _missing(capabilities, _BESIDES)}


def keep_from_target() -> None:
    """In the forked target: give up what systrace was given to trace with.

    A script can be given capabilities in its ambient set only, which every program inherits. Root
    is root with or without that set.
    """
    if os.geteuid() == 0:
        return
    for name in (*_FINE_GRAINED, *_BESIDES):
        # EINVAL where the kernel does not know it yet, and so nobody has it
        ctypes.CDLL(None).prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, _NUMBER[name], 0, 0)


def require(arguments: Sequence[str], program: Sequence[str] | None = None) -> None:
    """Refuse early, with the line to paste: ``program``, which is systrace, and its arguments.

    Raises PrivilegeError.
    """
    capabilities = effective()
    if suffices(capabilities):
        return
    if os.geteuid() == 0:
        raise PrivilegeError(
            "root here lacks CAP_SYS_ADMIN, so it cannot load BPF programs; if this is a container,"
            " start it with:\n"
            "  --cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined"
        )
    missing = _missing(capabilities, _FINE_GRAINED)
    what = "needs root to load BPF programs; try:"
    if len(missing) < len(_FINE_GRAINED):
        what = f"lacks {missing[0]}, to {_FINE_GRAINED[missing[0]]}; give it that, or root:"
        if len(missing) > 1:
            what = f"lacks {', '.join(missing)}; give it these, or root:"
    # sudo replaces PATH, and -E alone does not keep it: the shell has to put ours back.
    words = launcher.quoted((*(program or launcher.path()), *arguments))
    raise PrivilegeError(f'{what}\n  sudo -E env "PATH=$PATH" {words}')


def _missing(capabilities: int, names: Mapping[str, str]) -> list[str]:
    return [name for name in names if not _has(capabilities, name)]


def _has(capabilities: int, name: str) -> bool:
    return bool(capabilities >> _NUMBER[name] & 1)
