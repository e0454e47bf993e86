"""The target's tree under ptrace: every new image is prepared before its first instruction.

ptrace(2) with PTRACE_SEIZE: parents and shells see no stop, no SIGCHLD and no EINTR of ours.
Children and threads are attached by the kernel as they are born. If systrace dies, the kernel
lets all of them go; only while a process is being prepared does PTRACE_O_EXITKILL take it along.
"""

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from errno import EINTR
from typing import Final

from systrace import ptrace
from systrace.again import RESTART_BLOCK, RESTARTS, Rerun
from systrace.target.images import Images, arrive, moved, prepare
from systrace.target.inject import TargetDiedError, is_our_stop
from systrace.target.status import ignores, parent_of, tgid_of, waits

_FOLLOW: Final = (
    ptrace.O_TRACESYSGOOD
    | ptrace.O_TRACEEXEC
    | ptrace.O_TRACECLONE
    | ptrace.O_TRACEFORK
    | ptrace.O_TRACEVFORK
)
_FORKS: Final = ptrace.O_TRACEFORK | ptrace.O_TRACEVFORK
_BIRTHS: Final = frozenset({ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE})
_AGAIN: Final = {2**64 - number: number for number in (EINTR, *RESTARTS)}
_INTERRUPTED: Final = 2**64 - EINTR
_RESTART: Final = 2**64 - 513  # -ERESTARTNOINTR: the kernel runs the call again
_NO_CALL: Final = 2**63  # orig_rax is -1 where the task is in no call
_RELEASE_S: Final = 1.0
_POLL_S: Final = 0.001


class Tree:
    """All tracees, by tid. One thread must make, step and release it: ptrace wants one tracer.

    ``stopped_by`` is the signal that stopped the first process, 0 while it runs; ``let_go_ns`` is
    when that was released, on CLOCK_MONOTONIC.
    """

    missed = "not stopped in time"
    stops_shown = 0
    polls = False

    def __init__(
        self, first: int, images: Images, *, children: bool, wait_all: bool = False
    ) -> None:
        """Take over a seized first process; without ``children`` only its threads are followed.

        With ``wait_all`` it is over when the last process has ended.
        """
        self.whole = self._waits = wait_all
        self._first = first
        self._images = images
        self._children = children
        self._processes: dict[int, int] = {}  # tid: tgid
        self._unborn: set[int] = set()  # announced, and not seen at their first stop
        self._options = _FOLLOW if children else _FOLLOW & ~_FORKS
        if not children and images.lends:
            self._options |= ptrace.O_TRACEVFORK | ptrace.O_TRACEVFORKDONE
        self._redo: dict[int, Rerun] = {}  # tid: the call that is to run again
        self._halted: set[int] = set()  # processes that a signal has stopped, until SIGCONT
        self.status: int | None = None
        self.stopped_by = 0
        self.images = 0
        self.held_ns = 0  # all in all, programs that were started
        self.let_go_ns = 0  # when the first one was
        self.redone: Counter[Rerun] = Counter()

    @property
    def over(self) -> bool:
        """Whether the first process has ended and, where they are waited for, all others."""
        return self.status is not None and not (self._waits and self._processes)

    def give_up(self) -> None:
        """Wait for the others no longer."""
        self._waits = False

    def start(self) -> None:
        """Prepare and release the first process, which stands at the exit of its exec."""
        self._processes[self._first] = self._first
        with self._death_noted(self._first):
            pending = self._prepare(self._first)
            self.let_go_ns = time.monotonic_ns()
            self._go_on(self._first, pending)

    def step(self, until_ns: float) -> bool:
        """Handle what has happened, until nothing is left or ``until_ns`` has passed.

        Returns whether something may be left.
        """
        while True:
            try:
                tid, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                self._processes.clear()
                return False
            if not tid:
                return False
            with self._death_noted(tid):
                self._handle(tid, status)
            if time.monotonic_ns() >= until_ns:
                return True

    @contextlib.contextmanager
    def _death_noted(self, tid: int) -> Iterator[None]:
        """A tracee may be killed between any two requests: its end is then waited for."""
        try:
            yield
        except TargetDiedError as died:
            self._ended(tid, died.status)
        except ProcessLookupError:
            pass  # its end is on its way to waitpid

    def _handle(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._ended(tid, status)
            return
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == ptrace.EVENT_EXEC:
            self._exec(tid)
        elif event in _BIRTHS:
            self._born(tid, event)
            ptrace.cont(tid)
        elif event == ptrace.EVENT_VFORK_DONE:
            self._images.regain(ptrace.event_message(tid))
            ptrace.cont(tid)
        elif event == ptrace.EVENT_STOP:
            self._stopped(tid, number)
        elif ptrace.is_syscall_stop(status):
            ptrace.cont(tid)
        elif is_our_stop(tid, number):
            pending = self._moved(tid)
            ptrace.interrupt(tid)  # another thread may have stopped the process meanwhile
            self._go_on(tid, pending)
        else:
            self._signalled(tid, number)
            ptrace.cont(tid, number)

    def _signalled(self, tid: int, number: int) -> None:
        """Undo what a signal does only because somebody traces.

        A tracee hears of signals that it ignores, and they interrupt its calls: those that
        signal(7) lists as never restarted (epoll_wait, semop, sigtimedwait) end with EINTR, and
        run again instead; others run again anyway. Each is noted, for it was one call. But where a
        SIGCONT ends a stop it was the stop that interrupted the call, and would have untraced.
        """
        ends_stop = number == signal.SIGCONT and self._tgid(tid) in self._halted
        if ends_stop:
            self._halted.discard(self._tgid(tid))
        registers = ptrace.get_registers(tid)
        redone = self._redo.pop(tid, None)
        if redone is not None and registers.rax == _RESTART:
            # a second signal at the same stop: if that one is caught, the interruption is its own
            registers.rax = 2**64 - redone.errno
            self.redone[redone] -= 1
        errno = _AGAIN.get(registers.rax)
        interrupted = errno is not None and registers.orig_rax < _NO_CALL and not ends_stop
        if errno is not None and interrupted and ignores(tid, number):
            rerun = Rerun(self._tgid(tid), registers.orig_rax, errno)
            self.redone[rerun] += 1
            if errno != RESTART_BLOCK:
                registers.rax = _RESTART
                self._redo[tid] = rerun
        elif redone is None:
            return
        ptrace.set_registers(tid, registers)

    def _stopped(self, tid: int, number: int) -> None:
        if tid == self._first:
            self.stopped_by = 0 if number == signal.SIGTRAP else number
        if number != signal.SIGTRAP:
            self._halted.add(self._tgid(tid))
            ptrace.listen(tid)
        elif self._children or self._tgid(tid) == self._first:
            self._go_on(tid, arrive(self._images, tid, self._options) if self._is_new(tid) else 0)
        else:
            parent = parent_of(tid)  # which may not have announced it yet
            if parent is not None:
                self._images.lend(parent, tid)
            ptrace.detach(tid)
            self._processes.pop(tid, None)

    def _born(self, parent: int, event: int) -> None:
        child = ptrace.event_message(parent)
        tgid = self._processes.get(child) or tgid_of(child)
        if event == ptrace.EVENT_CLONE and tgid not in (None, child):
            return
        if not self._children:
            self._images.lend(self._tgid(parent), child)
            return
        if tgid is not None and child not in self._processes:
            self._processes[child] = child
            self._unborn.add(child)
        self._images.inherit(self._tgid(parent), child)

    def _is_new(self, tid: int) -> bool:
        """Whether this is a process's first stop, as far as we have seen it."""
        if tid in self._unborn:
            self._unborn.discard(tid)
            return True
        return tid not in self._processes and self._tgid(tid) == tid

    def _moved(self, tid: int) -> int:
        return moved(self._images, self._tgid(tid), tid, self._options)

    def _tgid(self, tid: int) -> int:
        if tid not in self._processes:
            self._processes[tid] = tgid_of(tid) or tid
        return self._processes[tid]

    def _exec(self, pid: int) -> None:
        """Prepare a new image; the other threads are gone, and report nothing more."""
        for tid in [tid for tid, tgid in self._processes.items() if tgid == pid and tid != pid]:
            del self._processes[tid]
        self._processes[pid] = pid
        self._redo.pop(pid, None)
        began_ns = time.monotonic_ns()
        ptrace.to_syscall(pid)
        pending = 0
        while True:
            _, status = os.waitpid(pid, ptrace.WALL)
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)
            if ptrace.is_syscall_stop(status):
                break
            pending = os.WSTOPSIG(status)
            ptrace.to_syscall(pid)
        self._go_on(pid, self._prepare(pid) or pending)
        self.held_ns += time.monotonic_ns() - began_ns

    def _prepare(self, pid: int) -> int:
        self.images += 1
        return prepare(self._images, pid, self._options)

    def _go_on(self, tid: int, pending: int) -> None:
        """Let a thread run on that made calls for us, with a signal that it met there.

        It is sent anew: as PTRACE_CONT's, at a system call stop, it would be SI_KERNEL, as our
        eBPF's are.
        """
        if pending:
            os.kill(self._tgid(tid), pending)
        ptrace.cont(tid)

    def _ended(self, tid: int, status: int) -> None:
        tgid = self._processes.pop(tid, tid)
        self._unborn.discard(tid)
        if tid == self._first:
            self.status = status
        if tid == tgid:
            self._images.forget(tid)
            self._halted.discard(tid)

    def release(self) -> None:
        """Let all that is left go, untouched; what does not stop in time goes when we end."""
        for tid in list(self._processes):
            with contextlib.suppress(OSError):
                ptrace.interrupt(tid)
        deadline = time.monotonic() + _RELEASE_S
        while self._processes and time.monotonic() < deadline:
            try:
                tid, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                return
            if not tid:
                time.sleep(_POLL_S)
            elif os.WIFSTOPPED(status):
                with self._death_noted(tid):
                    self._detach(tid, status)
            else:
                self._ended(tid, status)

    def _detach(self, tid: int, status: int) -> None:
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == ptrace.EVENT_STOP and number == signal.SIGTRAP:
            if waits(tid, signal.SIGSTOP):
                ptrace.cont(tid)  # it may be ours, and then nobody would let it go on
                return
            self._run_again(tid)
        if event in _BIRTHS:
            self._born(tid, event)
        pending = number if not event and number != signal.SIGTRAP else 0
        if not event and is_our_stop(tid, number):
            pending = self._moved(tid)
        self._processes.pop(tid, None)
        ptrace.detach(tid, pending)

    @staticmethod
    def _run_again(tid: int) -> None:
        """Our interrupt, no signal, ended a call that is never restarted: let it run again."""
        registers = ptrace.get_registers(tid)
        if registers.rax == _INTERRUPTED and registers.orig_rax < _NO_CALL:
            registers.rax = _RESTART
            ptrace.set_registers(tid, registers)
