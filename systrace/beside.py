"""Processes beside systrace, forked from it, which outlive it by what they have to put right."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_NAME: Final = 15  # include/uapi/linux/prctl.h
_STANDARD: Final = (0, 1, 2)


def settle(name: bytes) -> None:
    """In the child: take no signal, be in nobody's group, hold no stream open."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.setsid()  # no signal of a terminal's, none to systrace's group
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in _STANDARD:
        os.dup2(nowhere, fd)
