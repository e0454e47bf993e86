"""Processes that run already: their ends, and the signals that end the observation of them."""

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from systrace.again import Rerun
from systrace.errors import SystraceError
from systrace.target import signalfd
from systrace.target.find import Found

# To us, and never to the target: they end the observation. A terminal sends the first and third.
_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
AWAITED: Final = _ENDING | {signal.SIGUSR1}
_SETTLE_NS: Final = 5_000_000


class Attached:
    """The processes of one attach; a context manager. Nothing here touches them."""

    status: int | None = None  # how they ended is their parents' business
    missed = "they were started after systrace attached"
    stops_shown = 0
    whole = True  # it ends with the last of them
    images = 1  # what runs already; each later program is one too many

    def __init__(self, found: Sequence[Found], duration_s: float | None) -> None:
        """Keep hold of these processes, not of their numbers; ``AWAITED`` must be blocked.

        Raises SystraceError if one has ended meanwhile.
        """
        self._processes: dict[int, int] = {}
        self._poll = select.poll()
        self._ended = False
        self._deadline_ns = float("inf")
        self._duration_s = duration_s
        self._settle: Callable[[], bool] | None = None
        self._settling = False
        self._holds = -1
        self._see_to_moves: Callable[[], None] | None = None
        self.redone: Counter[Rerun] = Counter()
        self._signals = signalfd.opened(AWAITED)
        self._poll.register(self._signals, select.POLLIN)
        for process in found:
            try:
                fd = os.pidfd_open(process.pid)
            except OSError as error:
                self.close()
                raise SystraceError(
                    f"cannot attach to {process}: {error.strerror}; has it just ended?"
                ) from error
            self._processes[fd] = process.pid
            self._poll.register(fd, select.POLLIN)

    def __enter__(self) -> "Attached":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all."""
        for fd in (self._signals, *self._processes):
            os.close(fd)
        self._processes.clear()

    @property
    def alive(self) -> tuple[int, ...]:
        """Pids of those that have not ended."""
        return tuple(self._processes.values())

    @property
    def over(self) -> bool:
        """Whether the time is up, a signal said so, or all processes have ended."""
        if self._ended or not self._processes:
            return True
        return time.monotonic_ns() >= self._deadline_ns

    def begin(
        self, settle: Callable[[], bool], holds: int, see_to_moves: Callable[[], None]
    ) -> None:
        """Let the duration begin.

        ``settle`` says whether it wants to be called again soon; ``see_to_moves`` is called when
        the descriptor ``holds`` is readable.
        """
        self._settle = settle
        self._holds, self._see_to_moves = holds, see_to_moves
        self._poll.register(holds, select.POLLIN)
        self._settling = settle()
        if self._duration_s is not None:
            self._deadline_ns = time.monotonic_ns() + self._duration_s * 1e9

    def next_signal(self, until_ns: float) -> int:
        """Wait for a signal, the end of a process or a time; returns the signal's number or 0."""
        until_ns = min(until_ns, self._deadline_ns)
        if self._settling:
            until_ns = min(until_ns, time.monotonic_ns() + _SETTLE_NS)
        timeout_ms = None
        if until_ns != float("inf"):
            timeout_ms = max(0.0, (until_ns - time.monotonic_ns()) / 1e6 + 1)
        number = 0
        for fd, _ in self._poll.poll(timeout_ms):
            if fd == self._signals:
                number = signalfd.take(fd)
                self._ended = self._ended or number in _ENDING
            elif fd == self._holds and self._see_to_moves is not None:
                self._see_to_moves()
            else:
                self._poll.unregister(fd)
                del self._processes[fd]
                os.close(fd)
        if self._settling and self._settle is not None:
            self._settling = self._settle()
        return number

    def step(self, until_ns: float) -> bool:  # noqa: ARG002 - as a tree under ptrace
        """Do nothing: they are not traced."""
        return False
