"""One systrace at a time patches a process: a lock on the process's directory in /proc.

It ends with the process, or with who has taken it. flock(2), proc(5).
"""

import fcntl
import os


def taken(pid: int) -> int:
    """Take a process's lock; returns a descriptor, and who closes that gives the lock back.

    Raises BlockingIOError where another systrace has it, OSError where the process has ended.
    """
    return _locked(pid, fcntl.LOCK_EX)


def is_taken(pid: int) -> bool:
    """Whether a systrace has patched this process, and has not restored it yet."""
    try:
        os.close(_locked(pid, fcntl.LOCK_SH))
    except BlockingIOError:
        return True
    except OSError:
        pass  # it has ended
    return False


def _locked(pid: int, kind: int) -> int:
    fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
