"""System calls made by a stopped task on our behalf.

The task must stand at the exit of a system call. It borrows a ``syscall`` instruction of its own
vDSO, so nothing of its memory is written, and carries a secret in rbx, by which the probes know
the call for ours and count nothing. Syscall stops, not single steps: a step's SIGTRAP would
reset a handler.
"""

import os
import signal
from types import TracebackType
from typing import Final

from systrace import ptrace
from systrace.errors import SystraceError

_ALL_SIGNALS: Final = 2**64 - 1

NR_MMAP: Final = 9
NR_CLOSE: Final = 3
NR_MADVISE: Final = 28


class TargetDiedError(SystraceError):
    """The task ended while it was held; ``status`` is its wait status."""

    def __init__(self, status: int) -> None:
        super().__init__("the target died while it was being prepared")
        self.status = status


def is_our_stop(tid: int, number: int) -> bool:
    """Whether a task is about to be stopped by the kernel, which only our eBPF asks it for."""
    return number == signal.SIGSTOP and ptrace.signal_code(tid) == ptrace.SI_KERNEL


class Injector:
    """Holds one stopped task; leaving the context puts its registers and signals back."""

    def __init__(self, tid: int, syscall_address: int, secret: int) -> None:
        self.tid = tid
        self._address = syscall_address
        self._secret = secret
        self._registers = ptrace.get_registers(tid)
        self._mask = ptrace.get_signal_mask(tid)
        self.pending_signal = 0

    def __enter__(self) -> "Injector":
        ptrace.set_signal_mask(self.tid, _ALL_SIGNALS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, TargetDiedError):
            return
        ptrace.set_registers(self.tid, self._registers)
        ptrace.set_signal_mask(self.tid, self._mask)

    def call(self, number: int, *arguments: int) -> int:
        """Make one system call and return its result; raises OSError and TargetDiedError."""
        registers = self._registers.copy()
        registers.rip = self._address
        registers.rax = number
        registers.orig_rax = 2**64 - 1  # no restart of the call that the task stands in
        registers.rbx = self._secret
        names = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
        for name, value in zip(names, arguments, strict=False):
            setattr(registers, name, value % 2**64)
        ptrace.set_registers(self.tid, registers)
        self._to_syscall_stop()
        self._to_syscall_stop()
        result: int = ptrace.get_registers(self.tid).rax
        if result > 2**64 - 4096:
            raise OSError(2**64 - result, os.strerror(2**64 - result))
        return result

    def _to_syscall_stop(self) -> None:
        while True:
            ptrace.to_syscall(self.tid)
            _, status = os.waitpid(self.tid, ptrace.WALL)
            if ptrace.is_syscall_stop(status):
                return
            if not os.WIFSTOPPED(status):
                raise TargetDiedError(status)
            # only SIGSTOP passes the mask: it waits until the task is let go, or for a SIGCONT
            stopped = os.WSTOPSIG(status)
            if stopped == signal.SIGTRAP:
                self.pending_signal = 0
            elif ptrace.is_event(status, ptrace.EVENT_STOP):
                pass  # it had stopped before
            elif not is_our_stop(self.tid, stopped):
                self.pending_signal = stopped
