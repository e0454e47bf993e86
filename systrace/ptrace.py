"""ptrace(2), as far as systrace needs it. Every call raises OSError with the kernel's errno."""

import ctypes
import os
from typing import Final

_CONT: Final = 7
_GETREGS: Final = 12
_SETREGS: Final = 13
_DETACH: Final = 17
_SYSCALL: Final = 24
_SETOPTIONS: Final = 0x4200
_GETEVENTMSG: Final = 0x4201
_GETSIGINFO: Final = 0x4202
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_LISTEN: Final = 0x4208
_GETSIGMASK: Final = 0x420A
_SETSIGMASK: Final = 0x420B

O_TRACESYSGOOD: Final = 0x1
O_TRACEFORK: Final = 0x2
O_TRACEVFORK: Final = 0x4
O_TRACECLONE: Final = 0x8
O_TRACEEXEC: Final = 0x10
O_TRACEVFORKDONE: Final = 0x20
O_EXITKILL: Final = 0x100000
O_SUSPEND_SECCOMP: Final = 0x200000

EVENT_FORK: Final = 1
EVENT_VFORK: Final = 2
EVENT_CLONE: Final = 3
EVENT_EXEC: Final = 4
EVENT_VFORK_DONE: Final = 5
EVENT_STOP: Final = 128

SI_KERNEL: Final = 0x80  # include/uapi/asm-generic/siginfo.h
_SIGINFO_BYTES: Final = 128

WALL: Final = 0x40000000  # __WALL of waitpid(2): clone children too

_libc = ctypes.CDLL(None, use_errno=True)
_ptrace = _libc.ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    """struct user_regs_struct of x86_64 (arch/x86/include/asm/user_64.h)."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"),
            *("rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags"),
            *("rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
        )
    )

    def copy(self) -> "Registers":
        """Return an independent copy."""
        return Registers.from_buffer_copy(self)


def _call(request: int, tid: int, address: int = 0, data: int = 0) -> None:
    if _ptrace(request, tid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


def seize(tid: int, options: int) -> None:
    """PTRACE_SEIZE: attach without stopping."""
    _call(_SEIZE, tid, 0, options)


def set_options(tid: int, options: int) -> None:
    """PTRACE_SETOPTIONS; the task must be stopped."""
    _call(_SETOPTIONS, tid, 0, options)


def interrupt(tid: int) -> None:
    """PTRACE_INTERRUPT: stop, sooner or later, with EVENT_STOP."""
    _call(_INTERRUPT, tid)


def cont(tid: int, signal: int = 0) -> None:
    """PTRACE_CONT, delivering a signal if one is given."""
    _call(_CONT, tid, 0, signal)


def listen(tid: int) -> None:
    """PTRACE_LISTEN: leave a group-stopped task stopped, and hear of its next event."""
    _call(_LISTEN, tid)


def to_syscall(tid: int, signal: int = 0) -> None:
    """PTRACE_SYSCALL: run to the next entry to or exit from a system call."""
    _call(_SYSCALL, tid, 0, signal)


def detach(tid: int, signal: int = 0) -> None:
    """PTRACE_DETACH, delivering a signal if one is given."""
    _call(_DETACH, tid, 0, signal)


def get_registers(tid: int) -> Registers:
    """PTRACE_GETREGS."""
    registers = Registers()
    _call(_GETREGS, tid, 0, ctypes.addressof(registers))
    return registers


def set_registers(tid: int, registers: Registers) -> None:
    """PTRACE_SETREGS."""
    _call(_SETREGS, tid, 0, ctypes.addressof(registers))


def get_signal_mask(tid: int) -> int:
    """PTRACE_GETSIGMASK: bit n - 1 for signal n."""
    mask = ctypes.c_uint64()
    _call(_GETSIGMASK, tid, ctypes.sizeof(mask), ctypes.addressof(mask))
    return mask.value


def set_signal_mask(tid: int, mask: int) -> None:
    """PTRACE_SETSIGMASK."""
    value = ctypes.c_uint64(mask)
    _call(_SETSIGMASK, tid, ctypes.sizeof(value), ctypes.addressof(value))


def signal_code(tid: int) -> int:
    """PTRACE_GETSIGINFO: si_code of the signal that a task is stopped for, sigaction(2)."""
    info = (ctypes.c_int32 * (_SIGINFO_BYTES // 4))()
    _call(_GETSIGINFO, tid, 0, ctypes.addressof(info))
    return int(info[2])  # si_signo, si_errno, si_code


def event_message(tid: int) -> int:
    """PTRACE_GETEVENTMSG: for EVENT_EXEC the former tid, for a fork or its end the child's."""
    message = ctypes.c_ulong()
    _call(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    return message.value


def is_event(status: int, event: int) -> bool:
    """Whether a wait status is a stop for this PTRACE_EVENT."""
    return os.WIFSTOPPED(status) and status >> 16 == event


def is_syscall_stop(status: int) -> bool:
    """Whether a wait status is a system call stop (with O_TRACESYSGOOD)."""
    return os.WIFSTOPPED(status) and os.WSTOPSIG(status) == 0x85
