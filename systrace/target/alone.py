"""A target whose vDSO nobody patches: no tracer is needed once it runs."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable

from systrace import ptrace
from systrace.again import Rerun


class Alone:
    """In place of a tree: a first process that nobody traces, once it has been released."""

    missed = ""

    def __init__(self, pid: int, alive: Callable[[], int] | None = None) -> None:
        """With ``alive``, which counts processes, it is over when there is none."""
        self._pid = pid
        self._alive = alive
        self.whole = alive is not None
        self.status: int | None = None
        self.stopped_by = 0
        self.images = 0
        self.held_ns = 0
        self.let_go_ns = 0
        self.redone: Counter[Rerun] = Counter()
        self.stops_shown = 0

    @property
    def over(self) -> bool:
        """Whether it has ended and, where they are waited for, all others."""
        return self.status is not None and not self.polls

    @property
    def polls(self) -> bool:
        """Whether nothing but asking tells when it is over: others' children do not report."""
        return self.status is not None and self._alive is not None and self._alive() > 0

    def give_up(self) -> None:
        """Wait for the others no longer."""
        self._alive = None

    def start(self) -> None:
        """Release it; it stands at the exit of its exec."""
        self.let_go_ns = time.monotonic_ns()
        with contextlib.suppress(ProcessLookupError):
            ptrace.detach(self._pid)

    def step(self, until_ns: float) -> bool:  # noqa: ARG002 - as Tree
        """See whether it has ended."""
        while self.status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if not pid:
                break
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                self.stopped_by = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
            else:
                self.status = status
        return False

    def release(self) -> None:
        """Do nothing: it is free."""
