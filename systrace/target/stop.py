"""All threads of a running process, stopped for a moment and let go as if nothing had happened.

ptrace(2) with PTRACE_SEIZE and PTRACE_INTERRUPT: no SIGSTOP, which a parent would see. Every wait
has an end; a thread that does not stop in time is let go as soon as it does.
"""

import contextlib
import ctypes
import os
import re
import signal
import struct
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from systrace import launcher, proc, ptrace
from systrace.errors import SystraceError
from systrace.ptrace import Registers
from systrace.target.inject import Injector, TargetDiedError
from systrace.target.job import STOPS

_DEADLINE_S: Final = 0.1
_POLL_S: Final = 0.0001
_RETRY_S: Final = 0.02
_TRIES: Final = 15

_INTERRUPTED: Final = 2**64 - 4  # -EINTR
_RESTART: Final = 2**64 - 513  # -ERESTARTNOINTR: the kernel makes the call again
_NO_CALL: Final = 2**63  # orig_rax is -1 where the task is in no call
_NR_CLOSE: Final = 3  # close(2): after EINTR the descriptor is gone, and may be another's

_NR_KCMP: Final = 312
_KCMP_VM: Final = 1  # include/uapi/linux/kcmp.h
_RED_ZONE: Final = 128  # below rsp, System V ABI
_SCANNED: Final = 2**20  # of each stack; a signal frame lies deeper only below 1 MiB of locals
_DIFFERING: Final = 2  # lower bytes of addresses in one image
_ANONYMOUS: Final = "00:00"  # a device in maps
_MAPS_LINE: Final = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+) ", re.MULTILINE)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class HoldError(SystraceError):
    """It could not be held; the reason completes 'not counted: '."""


class AgainError(HoldError):
    """It could not be held now, and the next try may succeed."""


class Stop:
    """A process whose threads are stopped; made by ``hold``. ``threads`` maps tids to registers."""

    def __init__(self, pid: int, strays: set[int]) -> None:
        self.pid = pid
        self.threads: dict[int, Registers] = {}
        self._seized: set[int] = set()
        self._strays = strays
        self._began_ns = 0

    def gather(self) -> None:
        """Stop every thread, those that are born meanwhile too. Raises HoldError."""
        elsewhere = _elsewhere()
        self._began_ns = time.monotonic_ns()
        deadline = time.monotonic() + _DEADLINE_S
        while missing := self._tids() - self.threads.keys():
            for tid in missing - self._seized:
                self._seize(tid)
            for tid in self._seized - self.threads.keys():
                self._wait(tid)
            if time.monotonic() > deadline:
                raise AgainError("its threads do not stop in time (one may be in vfork)")
            if self._seized - self.threads.keys():
                time.sleep(_POLL_S)
        if not self.threads:
            raise HoldError("it has ended")
        for other in self._sharers(elsewhere):
            raise AgainError(f"process {other} shares its memory")

    def _sharers(self, elsewhere: Mapping[int, int]) -> list[int]:
        """Return the processes that have the same memory: a child in vfork, or of CLONE_VM."""
        tid = next(iter(self.threads))
        others = proc.pids() - {self.pid}
        return [pid for pid in sorted(others) if _same_memory(tid, elsewhere.get(pid, pid))]

    def _tids(self) -> set[int]:
        """Return the threads that have not ended."""
        try:
            tids = proc.tids(self.pid)
        except OSError:
            return set()
        return {tid for tid in tids if tid in self.threads or not has_ended(self.pid, tid)}

    def _seize(self, tid: int) -> None:
        try:
            if tid in self._strays:
                self._strays.discard(tid)
            else:
                ptrace.seize(tid, ptrace.O_TRACESYSGOOD)
            self._seized.add(tid)
            ptrace.interrupt(tid)
        except ProcessLookupError:
            self._lose(tid)
        except PermissionError as error:
            if not has_ended(self.pid, tid):
                raise HoldError(_who_traces(tid)) from error

    def _wait(self, tid: int) -> None:
        """Take what a thread reports; only the stop that we asked for holds it."""
        try:
            found, status = os.waitpid(tid, ptrace.WALL | os.WNOHANG)
            if not found:
                return
            if not os.WIFSTOPPED(status):
                self._seized.discard(tid)
            elif not ptrace.is_event(status, ptrace.EVENT_STOP):
                number = os.WSTOPSIG(status)
                ptrace.cont(tid, 0 if ptrace.is_syscall_stop(status) else number)
            elif os.WSTOPSIG(status) == signal.SIGTRAP:
                self.threads[tid] = _run_again(tid)
            else:
                self.threads[tid] = ptrace.get_registers(tid)
                raise HoldError("it is stopped; `kill -CONT` lets it run")
        except ChildProcessError:
            self._seized.discard(tid)  # another thread's exec took it away
        except ProcessLookupError:
            self._lose(tid)

    def _lose(self, tid: int) -> None:
        """Hold no longer what SIGKILL took; until we have waited for it, nobody else can."""
        if tid in self._seized:
            self._seized.discard(tid)
            self._strays.add(tid)

    def release(self) -> int:
        """Let all threads go; returns for how long, at most, one was held, ns."""
        for tid in self._seized:
            if tid not in self.threads:
                self._strays.add(tid)
                continue
            try:
                ptrace.detach(tid)
            except ProcessLookupError:
                self._strays.add(tid)  # its end is to be waited for
        self._seized.clear()
        self.threads.clear()
        return time.monotonic_ns() - self._began_ns

    def injector(self, address: int, secret: int) -> "LiveInjector":
        """Return what makes calls in one of the threads: in one that is in a call, if any is.

        Such a thread is in no restartable sequence, rseq(2), which the call would break off.
        """
        tids = sorted(self.threads, key=lambda tid: self.threads[tid].orig_rax >= _NO_CALL)
        return LiveInjector(tids[0], address, secret)

    def stands_in(self, addresses: Collection[int]) -> bool:
        """Whether a thread is at one of these, or may come back to one from a signal handler."""
        if any(registers.rip in addresses for registers in self.threads.values()):
            return True
        tid = next(iter(self.threads))
        # the first thread's memory may be gone while others run
        maps = proc.read(tid, "maps")
        found = _MAPS_LINE.findall(maps)
        ends = [(int(low, 16), int(high, 16), device.decode()) for low, high, device in found]
        words = {struct.pack("=Q", address) for address in addresses}
        with proc.memory(tid) as memory:
            for low, high in self._stacks(ends):
                memory.seek(low)
                if _holds_any(memory.read(high - low), words):
                    return True
        return False

    def _stacks(self, mappings: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
        """Yield what is to be searched, each part once: goroutines' stacks lie close together.

        A thread that uses rsp for something else than a stack is in no handler. Raises HoldError
        for a stack in a file: whose file system it is could keep us waiting for ever.
        """
        begun = 0
        memory = (_ANONYMOUS, proc.shared_memory_device())
        for registers in sorted(self.threads.values(), key=lambda registers: -registers.rsp):
            low = registers.rsp - _RED_ZONE
            around = (item for item in mappings if item[0] <= low < item[1])
            _, end, device = next(around, (0, 0, ""))
            if not end:
                continue
            if device not in memory:
                raise HoldError("a thread has its stack in a file")
            high = min(end, low + _SCANNED)
            yield low, min(high, begun) if begun > low else high
            begun = low


def _holds_any(stack: bytes, words: Collection[bytes]) -> bool:
    """Whether one of these 8-byte words lies in a stack.

    They are near each other: what few of them have in common is looked for, and then compared,
    for while this takes its time all threads stand still.
    """
    for common in {word[_DIFFERING:] for word in words}:
        at = stack.find(common)
        while at >= 0:
            if stack[max(0, at - _DIFFERING) : at + len(common)] in words:
                return True
            at = stack.find(common, at + 1)
    return False


class LiveInjector(Injector):
    """As Injector, from the stop of PTRACE_INTERRUPT, to which it comes back."""

    def __exit__(self, *of_error: object) -> None:
        """Go to another such stop: from there, and not from others, the kernel restarts a call."""
        if isinstance(of_error[1], TargetDiedError):
            return
        ptrace.interrupt(self.tid)
        ptrace.cont(self.tid)
        while True:
            _, status = os.waitpid(self.tid, ptrace.WALL)
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)
            if ptrace.is_event(status, ptrace.EVENT_STOP):
                break
            if not ptrace.is_syscall_stop(status):
                self.pending_signal = os.WSTOPSIG(status)
            ptrace.cont(self.tid)
        ptrace.set_registers(self.tid, self._registers)
        ptrace.set_signal_mask(self.tid, self._mask)
        if self.pending_signal:
            os.kill(self.tid, self.pending_signal)


class Holder:
    """Holds processes for a moment each; ``longest_ns`` is for how long, at most, so far."""

    def __init__(self) -> None:
        self.longest_ns: int | None = None
        self._strays: set[int] = set()

    def hold(self, pid: int, then: Callable[[Stop], None]) -> None:
        """Stop all threads of a process, do something, let them go.

        An AgainError, from us or from ``then``, means another try; the last one is raised, and
        any HoldError at once.
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(AgainError):
                self._once(pid, then)
                return
            time.sleep(_RETRY_S)
            self.settle()
        self._once(pid, then)

    def _once(self, pid: int, then: Callable[[Stop], None]) -> None:
        # nobody may stop us while we stop others
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            self._held(pid, then)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _held(self, pid: int, then: Callable[[Stop], None]) -> None:
        stop = Stop(pid, self._strays)
        try:
            stop.gather()
            then(stop)
        except ProcessLookupError as error:
            raise AgainError("its threads come and go too fast") from error
        finally:
            self.longest_ns = max(self.longest_ns or 0, stop.release())

    def settle(self) -> bool:
        """Let go of threads that have stopped too late; returns whether some have not yet."""
        for tid in list(self._strays):
            try:
                found, status = os.waitpid(tid, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                self._strays.discard(tid)
                continue
            if not found:
                continue
            with contextlib.suppress(ProcessLookupError):
                if not os.WIFSTOPPED(status):
                    self._strays.discard(tid)
                elif ptrace.is_event(status, ptrace.EVENT_STOP):
                    if os.WSTOPSIG(status) == signal.SIGTRAP:
                        _run_again(tid)
                    ptrace.detach(tid)
                    self._strays.discard(tid)
                else:
                    ptrace.cont(tid, os.WSTOPSIG(status))
        return bool(self._strays)


def _run_again(tid: int) -> Registers:
    """Let a call that is never restarted, signal(7), run again: no signal ended it, we did."""
    registers = ptrace.get_registers(tid)
    in_call = registers.orig_rax < _NO_CALL and registers.orig_rax != _NR_CLOSE
    if registers.rax == _INTERRUPTED and in_call:
        registers.rax = _RESTART
        ptrace.set_registers(tid, registers)
    return registers


def has_ended(pid: int, tid: int) -> bool:
    """Whether a thread has, though /proc may list it still: the first one, or a traced one."""
    try:
        stat = proc.read(pid, f"task/{tid}/stat")
    except OSError:
        return True
    return proc.stat_field(stat, proc.STATE) in (b"Z", b"X")


def _who_traces(tid: int) -> str:
    from systrace.target.find import fields  # noqa: PLC0415 - only for a refusal

    tracer = fields(tid).get("TracerPid", "0")
    if tracer == "0":
        return "the kernel does not let us trace it"
    name = fields(tracer).get("Name", "?")
    return f"{launcher.quoted((name,))} ({tracer}) traces it already"


def _elsewhere() -> dict[int, int]:
    """Return, of each process whose first thread has ended, one that has its memory."""
    found = {pid: proc.with_memory(pid) for pid in proc.pids()}
    return {pid: tid for pid, tid in found.items() if tid is not None and tid != pid}


def same_memory(pid: int, other: int) -> bool:
    """Whether two processes have one memory; one that has ended has none."""
    one, two = proc.with_memory(pid), proc.with_memory(other)
    return one is not None and two is not None and _same_memory(one, two)


def _same_memory(tid: int, other: int) -> bool:
    """As kcmp(2): all threads that have ended, and the kernel's, have the same, that is, none."""
    compared: int = _libc.syscall(
        *(ctypes.c_long(value) for value in (_NR_KCMP, tid, other, _KCMP_VM, 0, 0))
    )
    return compared == 0
