"""signalfd(2): a descriptor that is readable while a signal waits that is blocked."""

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final

_SIGINFO_BYTES: Final = 128  # struct signalfd_siginfo
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK
_SET_BYTES: Final = 128  # glibc's sigset_t


def opened(signals: Iterable[int]) -> int:
    """Return a descriptor for these; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    mask = ctypes.create_string_buffer(_SET_BYTES)
    libc.sigemptyset(mask)
    for number in signals:
        libc.sigaddset(mask, int(number))
    fd: int = libc.signalfd(-1, mask, _FLAGS)
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


def take(fd: int) -> int:
    """Take a signal that waits, and return its number."""
    (number,) = struct.unpack_from("=I", os.read(fd, _SIGINFO_BYTES))
    return int(number)
