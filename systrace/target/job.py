"""Job control: where the target stops, systrace stops too, so that a shell gets its terminal back.

A shell knows one child of the job, and that is systrace. setpgid(2), credentials(7), and the
GNU C library's manual, "Implementing a Job Control Shell".
"""

import os
import signal
from typing import Final

from systrace import proc

_PPID: Final = 4  # field of /proc/PID/stat
STOPS: Final = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


def is_controlled() -> bool:
    """Whether a shell looks after our process group: it is its child, in another group.

    Only then will somebody wake us again, with SIGCONT to the group.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        pid, group = os.getppid(), os.getpgrp()
        while pid and os.getpgid(pid) == group:
            pid = _parent(pid)
        return bool(pid) and os.getsid(pid) == os.getsid(0)
    except OSError:
        return False


def stop(number: int, target: int) -> None:
    """Stop by the signal that stopped the target; returns when we are continued.

    SIGCONT goes to our group; a target that has left it is passed it on.
    """
    os.kill(os.getpid(), number)
    kept = signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    # here we stand still
    signal.pthread_sigmask(signal.SIG_SETMASK, kept)
    try:
        group = os.getpgid(target)
        if group != os.getpgrp():
            os.killpg(group, signal.SIGCONT)
    except ProcessLookupError:
        pass  # it was killed meanwhile


def _parent(pid: int) -> int:
    return int(proc.stat_field(proc.read(pid, "stat"), _PPID))
