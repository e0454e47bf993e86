"""How systrace ends: with the target's own status, or by the target's own signal."""

import ctypes
import os
import resource
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from systrace.report import Exit

_PR_SET_DUMPABLE = 4  # include/uapi/linux/prctl.h


def as_target(exit_: "Exit") -> NoReturn:
    """End as the target did: exit with its status, or die by its signal without a core dump."""
    if exit_.signal is not None:
        by_signal(exit_.signal)
    raise SystemExit(exit_.code or 0)


def by_signal(number: int) -> NoReturn:
    """Die by this signal, so that a shell sees what it would have seen without systrace."""
    _forbid_core()
    # SIGKILL can be neither handled nor blocked, nor can the two that glibc keeps for itself.
    with suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    with suppress(OSError):
        os.kill(os.getpid(), number)
    # Still here: init of a pid namespace survives its own signals (pid_namespaces(7)).
    raise SystemExit(128 + number)


def _forbid_core() -> None:
    """Leave no core: it would be ours, of no use to anybody and in the way of the target's."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # core(5): a core_pattern that is a pipe disregards the limit, but not this.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
