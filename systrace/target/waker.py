"""A process beside systrace that lets go what systrace has left stopped, should it be killed."""

import os
import select
import signal
import time
from contextlib import suppress
from typing import Final, NoReturn

from systrace import beside, bpf, proc
from systrace.layout import Hold
from systrace.ring import Ring
from systrace.target.status import waits

_WHOLE: Final = b"."
_POLL_MS: Final = 5
_LAST_POLLS: Final = 200
_MOST_FDS: Final = 1 << 16


class Waker:
    """It knows who is held by the ring's records that systrace has not seen to."""

    def __init__(self, holds: Ring[Hold]) -> None:
        """Fork it; it keeps nothing open but the ring."""
        theirs, self._systrace = os.pipe2(os.O_CLOEXEC)
        life = os.pidfd_open(os.getpid())
        self._pid = os.fork()
        if self._pid == 0:
            _watch(theirs, life, holds)
        os.close(theirs)
        os.close(life)

    def dismiss(self) -> None:
        """End it: nobody is held any more."""
        with suppress(BrokenPipeError):
            os.write(self._systrace, _WHOLE)
        os.close(self._systrace)
        os.waitpid(self._pid, 0)

    def abandon(self) -> None:
        """Leave to it whoever is held."""
        os.close(self._systrace)


def _watch(systrace: int, life: int, holds: Ring[Hold]) -> NoReturn:
    """In the child: wait for systrace to end; where it did not say so, wake what it held.

    ``life`` is a pidfd_open(2) of it: when that is over, the kernel has detached its programs.
    """
    try:
        beside.settle(b"systrace-waker")
        _close_all_but(systrace, life)
        if os.read(systrace, 1) != _WHOLE:
            poll = select.poll()
            poll.register(life, select.POLLIN)
            while not poll.poll(_POLL_MS):
                _wake(holds)
            bpf.await_programs()
            # what systrace traced in a stop goes through that anew, when it gets a CPU
            for _ in range(_LAST_POLLS):
                _wake(holds)
                time.sleep(_POLL_MS / 1000)
    finally:
        os._exit(0)


def _close_all_but(*fds: int) -> None:
    first = 3
    for fd in sorted(fds):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, _MOST_FDS)


def _wake(holds: Ring[Hold]) -> None:
    for hold in holds.waiting():
        if hold.tid and _stops(hold.tid):
            with suppress(ProcessLookupError):
                os.kill(hold.tid, signal.SIGCONT)


def _stops(tid: int) -> bool:
    """Whether it has stopped, or will when it comes to its signal: between the two it is neither.

    Asked in this order: the kernel takes the signal and stops it under one lock.
    """
    if waits(tid, signal.SIGSTOP):
        return True
    try:
        stat = proc.read(tid, "stat")
    except OSError:
        return False
    return proc.stat_field(stat, proc.STATE) == b"T"
