"""perf_event_open(2), as far as systrace needs it: breakpoints and uprobes that run a program.

Every call raises OSError with the kernel's errno. Layouts: include/uapi/linux/perf_event.h.
"""

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

_NR_PERF_EVENT_OPEN: Final = {"x86_64": 298, "aarch64": 241}[os.uname().machine]
_TYPE_BREAKPOINT: Final = 5
_BREAKPOINT_X: Final = 4  # include/uapi/linux/hw_breakpoint.h
_BREAKPOINT_BYTES: Final = 8  # sizeof(long), for one that fires on execution
_FLAG_FD_CLOEXEC: Final = 8
_IOC_ENABLE: Final = 0x2400
_IOC_DISABLE: Final = 0x2401
_IOC_SET_BPF: Final = 0x40042408
_IOC_MODIFY_ATTRIBUTES: Final = 0x4008240B

_PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
_MAINLINE: Final = 2  # the most that it means there

_ANY_CPU: Final = -1
_UPROBE_TYPE: Final = Path("/sys/bus/event_source/devices/uprobe/type")
_ATTR_BYTES: Final = 112  # PERF_ATTR_SIZE_VER5
_ATTR_FORMAT: Final = "=IIQQQQQIIQQ"  # up to and with bp_len, config2
_DISABLED: Final = 1 << 0
_INHERIT: Final = 1 << 1
_EXCLUDE_KERNEL: Final = 1 << 5
_EXCLUDE_HV: Final = 1 << 6
_INHERIT_THREAD: Final = 1 << 35  # Linux 5.13, and so is the next one
_REMOVE_ON_EXEC: Final = 1 << 36
_THREADS: Final = _INHERIT | _INHERIT_THREAD

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def open_breakpoint(tid: int, address: int, program_fd: int, *, threads: bool) -> int:
    """Run a program whenever ``tid`` executes the instruction at an address; returns a descriptor.

    ``threads`` takes in the threads that it starts later. It ends with an exec, or when the
    descriptor is closed. Tid 0 is the calling thread. Every hit is a sample (a period of 1), and
    the program sees it before perf could throttle it.

    Processes are not taken in: the kernel swaps the events of a parent and its child when it
    switches between the two, but not what it remembers of their debug registers, so that a child
    that execs would sometimes find all of them taken.
    """
    return _open(_breakpoint(address, threads=threads), tid, _ANY_CPU, program_fd)


def open_uprobe(path: str, offset: int, program_fd: int) -> int:
    """Run a program in every process that reaches this offset of a file; returns a descriptor."""
    kind = int(_UPROBE_TYPE.read_text(encoding="ascii"))
    name = ctypes.create_string_buffer(path.encode("ascii"))
    event = _Event(kind, 0, 0, ctypes.addressof(name), offset)
    # of no process in particular: the CPU says only where the event is accounted
    return _open(event, -1, 0, program_fd)


def reason(error: OSError) -> str:
    """Say why the kernel opened no event.

    Debian's kernels keep events from whoever lacks CAP_SYS_ADMIN where kernel.perf_event_paranoid
    is above 2, as it is by default there; CAP_PERFMON is then not enough.
    """
    said = error.strerror or str(error)
    if error.errno not in (errno.EACCES, errno.EPERM):
        return said
    paranoid = int(_PARANOID.read_text(encoding="ascii"))
    if paranoid <= _MAINLINE:
        return said
    return f"{said} (it takes CAP_SYS_ADMIN, for kernel.perf_event_paranoid is {paranoid})"


class _Event(NamedTuple):
    """struct perf_event_attr, as far as it is not 0; the last two are unions."""

    kind: int
    flags: int
    breakpoint_kind: int
    config1: int
    config2: int


def _breakpoint(address: int, *, threads: bool) -> _Event:
    flags = _EXCLUDE_KERNEL | _EXCLUDE_HV | _REMOVE_ON_EXEC | (_THREADS if threads else 0)
    return _Event(_TYPE_BREAKPOINT, flags, _BREAKPOINT_X, address, _BREAKPOINT_BYTES)


def _open(event: _Event, tid: int, cpu: int, program_fd: int) -> int:
    fd: int = _libc.syscall(
        ctypes.c_long(_NR_PERF_EVENT_OPEN),
        _attributes(event._replace(flags=event.flags | _DISABLED)),
        ctypes.c_long(tid),
        ctypes.c_long(cpu),
        ctypes.c_long(-1),  # of no group
        ctypes.c_long(_FLAG_FD_CLOEXEC),
    )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    try:
        fcntl.ioctl(fd, _IOC_SET_BPF, program_fd)
        fcntl.ioctl(fd, _IOC_ENABLE, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def _attributes(event: _Event) -> ctypes.Array[ctypes.c_char]:
    packed = struct.pack(
        _ATTR_FORMAT,
        event.kind,
        _ATTR_BYTES,
        *(0, 1, 0, 0),  # config, sample_period, sample_type, read_format
        event.flags,
        0,  # wakeup_events
        event.breakpoint_kind,
        event.config1,
        event.config2,
    )
    return ctypes.create_string_buffer(packed, _ATTR_BYTES)


def move_breakpoint(fd: int, address: int) -> None:
    """Set one that was opened with ``threads`` elsewhere, with all that inherited it."""
    fcntl.ioctl(fd, _IOC_MODIFY_ATTRIBUTES, _attributes(_breakpoint(address, threads=True)))


def read_count(fd: int) -> int:
    """Return how often it was hit, by the kernel's own count; what inherited it is included."""
    return int(struct.unpack("=Q", os.read(fd, 8))[0])


def disable(fd: int) -> None:
    """Let it fire no more, nor what inherited it; its count stays."""
    fcntl.ioctl(fd, _IOC_DISABLE, 0)
