"""A task that eBPF stops, seized for a moment, and let go as if nobody had held it.

SIGSTOP makes it stop where it returns to ring 3. It is on its way there when systrace hears of
it; if we are quick, it does not even stop, and nobody sees anything. Otherwise its whole process
has stopped, and its parent was told so; then it gets a SIGCONT, which the program does not see.
"""

import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from systrace import ptrace
from systrace.target.inject import TargetDiedError, is_our_stop
from systrace.target.status import masks, masks_in, waits

_ALL_SIGNALS: Final = 2**64 - 1
_STOPS: Final = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_POLL_S: Final = 0.0001
_WAIT_S: Final = 0.05
_STATUS_BYTES: Final = 16384

_libc = ctypes.CDLL(None, use_errno=True)


class Captive:
    """It stands where the call returns at which it was held, unless somebody let it go on."""

    OPTIONS: Final = ptrace.O_TRACESYSGOOD

    def __init__(self, pid: int, tid: int) -> None:
        """Seize a task that stops, or has stopped.

        Raises ProcessLookupError or TargetDiedError if it has ended, and PermissionError if
        somebody else traces it.
        """
        self._pid = pid
        self.tid = tid
        self.has_stopped = False  # with its process, and the parent was told
        self._stopped_by_others = False
        ptrace.seize(tid, self.OPTIONS)
        try:
            self._catch()
        except ProcessLookupError:
            self.bury()

    def _catch(self) -> None:
        """Run to the stop that we asked for."""
        tid = self.tid
        ptrace.interrupt(tid)
        while True:
            _, status = os.waitpid(tid, ptrace.WALL)
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)
            number = os.WSTOPSIG(status)
            if ptrace.is_event(status, ptrace.EVENT_STOP):
                self.has_stopped = number != signal.SIGTRAP
                # then ours waits still
                self._stopped_by_others = self.has_stopped and waits(tid, signal.SIGSTOP)
                break
            if is_our_stop(tid, number):
                break
            ptrace.cont(tid, number)  # no further than to the stop that we asked for

    def see_to(self, work: Callable[[], int]) -> None:
        """Do what it was held for, which returns a signal to hand it, and let it go.

        Raises TargetDiedError, or ProcessLookupError if somebody else has waited for its end.
        """
        try:
            self.let_go(work())
        except (ProcessLookupError, FileNotFoundError):
            self.bury()

    def bury(self) -> NoReturn:
        """Wait for the end of one that SIGKILL took out of our hands; raises TargetDiedError.

        Until its tracer has, its parent is not told. Raises ProcessLookupError where nobody is left
        to wait for.
        """
        while True:
            try:
                _, status = os.waitpid(self.tid, ptrace.WALL)
            except ChildProcessError as error:
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)

    def let_go(self, pending: int = 0) -> None:
        """Detach, with a signal to hand it."""
        if self.has_stopped:
            self._wake(pending)
        elif waits(self.tid, signal.SIGSTOP):
            # it may be ours
            ptrace.cont(self.tid)
            ptrace.detach(self.tid, self._next_signal() or pending)
        else:
            ptrace.detach(self.tid, pending)

    def _next_signal(self, ours: int = signal.SIGSTOP) -> int:
        """Run to the next signal; returns it, and 0 for ours, which somebody may have taken away.

        Its number is the same, so that only SIGSTOP is looked at more closely.
        """
        deadline = time.monotonic() + _WAIT_S
        interrupted = False
        while True:
            found, status = os.waitpid(self.tid, ptrace.WALL | os.WNOHANG)
            if not found:
                late = time.monotonic() > deadline and not interrupted
                # one that waits for a CPU would stop for us first, and then for the signal
                if late and not waits(self.tid, ours):
                    ptrace.interrupt(self.tid)
                    interrupted = True
                time.sleep(_POLL_S)
                continue
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)
            number = os.WSTOPSIG(status)
            if not ptrace.is_event(status, ptrace.EVENT_STOP):
                if number == ours and number == signal.SIGSTOP:
                    return 0 if is_our_stop(self.tid, number) else number
                return 0 if number == ours else number
            if interrupted:
                return 0
            ptrace.cont(self.tid)

    def _wake(self, pending: int) -> None:
        """End the stop with a SIGCONT that the program never sees."""
        found = masks(self.tid)
        waiting = _bit(signal.SIGSTOP) if self._stopped_by_others else 0
        if pending in _STOPS:
            waiting |= _bit(pending)
            pending = 0
        with Path(f"/proc/{self.tid}/status").open("rb", buffering=0) as status:
            if (found["SigBlk"] | found["SigCgt"]) & _bit(signal.SIGCONT):
                mask = ptrace.get_signal_mask(self.tid)
                ptrace.set_signal_mask(self.tid, _ALL_SIGNALS & ~_bit(signal.SIGCONT))
                text = self._send_cont(status.fileno())
                ptrace.cont(self.tid)
                pending = self._next_signal(signal.SIGCONT) or pending
                ptrace.set_signal_mask(self.tid, mask)
                ptrace.detach(self.tid, pending)
            else:
                ptrace.detach(self.tid, pending)
                # nobody traces it now: what it ignores, it does not even get
                text = self._send_cont(status.fileno())
        for number in _STOPS:
            if (waiting | text["SigPnd"] | text["ShdPnd"]) & _bit(number):
                with suppress(ProcessLookupError):
                    os.kill(self._pid, number)

    def _send_cont(self, status: int) -> dict[str, int]:
        """Return what waited before: SIGCONT takes away stop signals, and one may be another's."""
        text = os.pread(status, _STATUS_BYTES, 0)
        _libc.tgkill(self._pid, self.tid, int(signal.SIGCONT))
        return masks_in(text)


def _bit(number: int) -> int:
    return 1 << (number - 1)
