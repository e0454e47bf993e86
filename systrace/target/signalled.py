"""The target's tree without a tracer: eBPF stops each process at its exec, and it is seen to then.

Debuggers and LeakSanitizer inside the tree work; but a parent may see the stop (SIGCHLD, EINTR,
wait(2) with WUNTRACED), which under ptrace it would not: see follow.py.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol

from systrace import bpf, ptrace
from systrace.layout import Hold, HoldReason
from systrace.ring import Ring
from systrace.target import mover, signalfd
from systrace.target.alone import Alone
from systrace.target.captive import Captive
from systrace.target.images import Images, arrive, prepare
from systrace.target.inject import TargetDiedError
from systrace.target.status import tgid_of
from systrace.target.waker import Waker

_TRACED: Final = "another program traces it"
_WOKEN: Final = "it was continued before systrace had seen to it"
_CLONES: Final = (56, 57, 58, 435)  # clone, fork, vfork, clone3
_ZERO_AT_START: Final = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
)


class HeldImages(Images, Protocol):
    """As Images, where nobody hears of forks and ends."""

    def miss(self, pid: int, reason: str) -> None:
        """Note that a new image runs unprepared."""

    def stray(self, child: int, reason: str) -> None:
        """Note that a new process runs without having been held."""

    @property
    def wants_births(self) -> bool:
        """Whether forked processes have to be held, too."""

    @property
    def crowded(self) -> bool:
        """Whether there is much that nobody may need any more."""

    def sweep(self, living: Callable[[], Mapping[int, int] | None]) -> None:
        """Let go of what no living process has."""


class Holding(Protocol):
    """Who holds tasks, and knows which live: the probes of a session."""

    def holds(self) -> Ring[Hold]:
        """Return the tasks that stop."""

    def hold(self, *, births: bool) -> None:
        """Begin to hold processes that exec and, with ``births``, new ones."""

    def execs(self, process: int) -> int:
        """Return how often a process, by its key, has executed a program; 0 if it is gone."""

    def was_killed(self, process: int) -> bool:
        """Whether SIGKILL ended a process."""

    def living(self) -> Mapping[int, int] | None:
        """Return the pids that live, and when each began, ns; None if some are not known."""


class Signalled(Alone):
    """A context manager; ``rest`` waits for what ``step`` then handles."""

    missed = "not stopped in time"

    def __init__(
        self,
        first: int,
        images: HeldImages,
        holding: Holding,
        signals: Iterable[int],
        alive: Callable[[], int] | None = None,
    ) -> None:
        """Hold what the ``first`` process starts; ``signals``, blocked, end a rest."""
        super().__init__(first, alive)
        self._first = first
        self._images = images
        self._holding = holding
        self._births: bool | None = None
        self._ahead: set[tuple[int, int]] = set()  # process and execs, as a hold that is to come
        self._holds = holding.holds()
        self._waker = Waker(self._holds)
        self._poll = select.poll()
        self._signals = signalfd.opened(signals)
        self._poll.register(self._signals, select.POLLIN)
        self._poll.register(self._holds.fd, select.POLLIN)

    def __enter__(self) -> "Signalled":
        return self

    def __exit__(self, *of_error: object) -> None:
        if of_error[0] is None:
            self._waker.dismiss()
        else:
            self._waker.abandon()
        os.close(self._signals)

    def start(self) -> None:
        """Prepare and release the first process, which stands at the exit of its exec."""
        self.images = 1
        try:
            pending = prepare(self._images, self._first, Captive.OPTIONS)
            self._hold()
            self.let_go_ns = time.monotonic_ns()
            ptrace.detach(self._first, pending)
        except TargetDiedError as died:
            self.status = died.status
        except ProcessLookupError:
            pass  # its end is on its way to waitpid

    def _hold(self) -> None:
        births = self._images.wants_births
        if births != self._births:
            self._holding.hold(births=births)
            self._births = births

    def rest(self, until_ns: float) -> None:
        """Wait for a task that is held, for a signal, or until a time, ns of CLOCK_MONOTONIC."""
        timeout_ms = None
        if until_ns != float("inf"):
            timeout_ms = max(0.0, (until_ns - time.monotonic_ns()) / 1e6)
        self._poll.poll(timeout_ms)

    def step(self, until_ns: float) -> bool:
        """See to what is held, and whether the first process has ended."""
        super().step(until_ns)
        for hold in self._holds.take():
            self._see_to(hold)
            if time.monotonic_ns() >= until_ns:
                return True
        if self._images.crowded:
            self._images.sweep(self._holding.living)
        return False

    def _see_to(self, hold: Hold) -> None:
        began_ns = time.monotonic_ns()
        tid, why = int(hold.tid), HoldReason(hold.why)
        pid = tid if why == HoldReason.EXEC else tgid_of(tid)
        if why == HoldReason.MOVE:
            try:
                mover.see_to(self._images, hold, may_call=True, seize=self._seize)
            except TargetDiedError as died:
                self._died(tid, died)
        else:
            self._see_to_new(hold, pid, tid, why)
        if pid == self._first:
            self.stopped_by = 0  # that was we
        self.held_ns += time.monotonic_ns() - began_ns

    def _see_to_new(self, hold: Hold, pid: int | None, tid: int, why: HoldReason) -> None:
        if why == HoldReason.EXEC:
            self.images += 1
            if self._is_past(hold):
                return
        if not hold.held or pid is None:
            self._unheld(tid, why, _TRACED)
            return
        captive = self._capture(hold, pid, why)
        if captive is not None:
            try:
                captive.see_to(partial(self._handle, captive, pid, why))
            except TargetDiedError as died:
                self._died(tid, died)
            except ProcessLookupError:
                pass

    def _is_past(self, hold: Hold) -> bool:
        """Whether a program was seen to before its turn, or a later one of its process was."""
        execs = self._holding.execs(hold.process)
        if (hold.process, hold.execs) in self._ahead:
            self._ahead.discard((hold.process, hold.execs))
            return True
        if execs > hold.execs and (hold.process, execs) in self._ahead:
            self._images.miss(hold.tid, _WOKEN)
            return True
        return False

    def _capture(self, hold: Hold, pid: int, why: HoldReason) -> Captive | None:
        """Seize it; None if that cannot be done, and what that means has been noted."""
        try:
            captive = self._seize(pid, hold.tid)
        except PermissionError:
            self._unheld(hold.tid, why, _TRACED)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            return None
        except (ProcessLookupError, TargetDiedError) as error:
            if isinstance(error, TargetDiedError):
                self._died(hold.tid, error)
            if why == HoldReason.EXEC and not self._holding.was_killed(hold.process):
                self._images.miss(pid, _WOKEN)
            return None
        if why == HoldReason.EXEC:
            execs = self._holding.execs(hold.process)
            if execs > hold.execs:  # it has execed again, and that program is seen to now
                self._images.miss(pid, _WOKEN)
                self._ahead.add((hold.process, execs))
        return captive

    def _seize(self, pid: int, tid: int) -> Captive:
        captive = Captive(pid, tid)
        if pid != self._first:  # whose parent is systrace
            self.stops_shown += captive.has_stopped
        return captive

    def _died(self, tid: int, died: TargetDiedError) -> None:
        if tid == self._first:
            self.status = died.status

    def _handle(self, captive: Captive, pid: int, why: HoldReason) -> int:
        """Do what it was held for; returns a signal for it."""
        pending = self._prepare(captive, pid, why)
        self._hold()  # before it can fork
        return pending

    def _prepare(self, captive: Captive, pid: int, why: HoldReason) -> int:
        if not _has_just_begun(ptrace.get_registers(captive.tid), why):
            self._unheld(captive.tid, why, _WOKEN)
            return 0
        if why == HoldReason.EXEC:
            return prepare(self._images, pid, Captive.OPTIONS)
        self._images.forget(pid)  # another process had this number before
        return arrive(self._images, pid, Captive.OPTIONS)

    def _unheld(self, tid: int, why: HoldReason, reason: str) -> None:
        """Do what can be done for a task that is not held."""
        if why == HoldReason.EXEC:
            self._images.miss(tid, reason)
        else:
            self._images.stray(tid, reason)

    def release(self) -> None:
        """See to what is held still, once the probes are gone."""
        self.step(float("inf"))
        bpf.await_programs()
        self.step(float("inf"))


def _has_just_begun(registers: ptrace.Registers, why: HoldReason) -> bool:
    """Whether not one instruction was executed since (x86_64)."""
    if why == HoldReason.BIRTH:
        return registers.rax == 0 and registers.orig_rax in _CLONES
    # arch/x86/include/asm/elf.h, ELF_PLAT_INIT
    return not any(getattr(registers, name) for name in _ZERO_AT_START)
