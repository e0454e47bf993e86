"""A process beside systrace that lets go what systrace has left stopped, should it be killed."""

import os
import signal
import time
from contextlib import suppress
from typing import Final, NoReturn

from systrace import beside, proc
from systrace.layout import Hold
from systrace.ring import Ring

_WHOLE: Final = b"."
_WATCH_S: Final = 1.0  # the kernel detaches a dead systrace's programs when it gets round to it
_POLL_S: Final = 0.005
_MOST_FDS: Final = 1 << 16


class Waker:
    """It knows who is held by the ring's records that systrace has not seen to."""

    def __init__(self, holds: Ring[Hold]) -> None:
        """Fork it; it keeps nothing open but the ring."""
        theirs, self._systrace = os.pipe2(os.O_CLOEXEC)
        self._pid = os.fork()
        if self._pid == 0:
            _watch(theirs, holds)
        os.close(theirs)

    def dismiss(self) -> None:
        """End it: nobody is held any more."""
        with suppress(BrokenPipeError):
            os.write(self._systrace, _WHOLE)
        os.close(self._systrace)
        os.waitpid(self._pid, 0)

    def abandon(self) -> None:
        """Leave to it whoever is held."""
        os.close(self._systrace)


def _watch(systrace: int, holds: Ring[Hold]) -> NoReturn:
    """In the child: wait for systrace to end; where it did not say so, wake what it held."""
    try:
        beside.settle(b"systrace-waker")
        os.closerange(3, systrace)
        os.closerange(systrace + 1, _MOST_FDS)
        if os.read(systrace, 1) != _WHOLE:
            deadline = time.monotonic() + _WATCH_S
            while time.monotonic() < deadline:
                for hold in holds.waiting():
                    if hold.tid and _is_stopped(hold.tid):
                        with suppress(ProcessLookupError):
                            os.kill(hold.tid, signal.SIGCONT)
                time.sleep(_POLL_S)
    finally:
        os._exit(0)


def _is_stopped(tid: int) -> bool:
    try:
        stat = proc.read(tid, "stat")
    except OSError:
        return False
    return proc.stat_field(stat, proc.STATE) == b"T"
