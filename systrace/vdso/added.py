"""What a trampoline adds to a vDSO call on this machine: tried on our own vDSO, which stays as is.

Its code is mapped near it as in a target, and called in place of the function that it is for.
"""

import ctypes
import os
from typing import Final

from systrace import proc
from systrace.vdso import place, x86_64
from systrace.vdso.calibrate import Calibration
from systrace.vdso.image import own_address
from systrace.vdso.patch import start_brk
from systrace.vdso.x86_64 import Plan

_TRIED: Final = "clock_gettime"
_CLOCK_REALTIME: Final = 0
_READ_WRITE_EXECUTE: Final = 7
_PRIVATE_ANONYMOUS_FIXED_NOREPLACE: Final = 0x100022  # include/uapi/linux/mman.h
_FAILED: Final = 2**64 - 1


def trampoline_ns(plan: Plan, calibration: Calibration) -> float | None:
    """Return the ns that counting adds to one call; None where it cannot be tried."""
    found = [item for item in plan.trampolines if item.function.name == _TRIED]
    plain_ns = calibration.call_ns(_TRIED, _CLOCK_REALTIME)
    vdso = own_address()
    maps = place.parse_maps(proc.maps("self"))
    block = place.choose(maps, vdso, x86_64.BLOCK_BYTES, start_brk(os.getpid()))
    if not found or plain_ns is None or block is None:
        return None
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_size_t
    libc.mmap.argtypes = (ctypes.c_size_t, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
    flags = _PRIVATE_ANONYMOUS_FIXED_NOREPLACE
    mapped = libc.mmap(block, x86_64.BLOCK_BYTES, _READ_WRITE_EXECUTE, flags, -1, 0)
    if mapped == _FAILED:
        return None
    try:
        code = plan.code_page(block, vdso)
        ctypes.memmove(block, code, len(code))
        ctypes.memmove(block + x86_64.MARK_AT, x86_64.MARK, len(x86_64.MARK))
        counted_ns = calibration.entered_ns(block + found[0].position, _CLOCK_REALTIME)
    finally:
        libc.munmap(mapped, x86_64.BLOCK_BYTES)
    return max(0.0, counted_ns - plain_ns)
