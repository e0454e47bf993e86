"""The memory that both sides of the kernel boundary read: ``probes/shared.h`` for Python.

Each name is that of the C side without its prefix; tests/kernel/test_layout.py compares sizes,
offsets and constants.
"""

import ctypes
from enum import IntEnum

SPACE_NUMBERS = 1024

REF_ROW = 0xFFFF
REF_SKIP = 1 << 16
REF_VDSO = 1 << 17
REF_CLOCK = 1 << 18
REF_CLOCK_SET = 1 << 19
REF_MAPS = 1 << 20

HIST_SUB_BITS = 3
HIST_MAX_LOG2 = 45
HIST_BUCKETS = (HIST_MAX_LOG2 - HIST_SUB_BITS + 1) << HIST_SUB_BITS

MAX_ROWS = 384
MAX_ERRORS = 4096
UNLISTED = 0xFFFFFFFE

CLOCKS = 32


class Space(IntEnum):
    """Which table of numbers a row belongs to."""

    X86_64 = 0
    I386 = 1
    X32 = 2
    FALLBACK = 3
    VSYSCALL = 4


class Total(IntEnum):
    """Index into the ``totals`` map."""

    ROWS = 0
    PROCESSES = 1
    THREADS = 2
    EXECS = 3
    LOST_CALLS = 4
    LOST_ERRORS = 5
    LOST_TASKS = 6
    LOST_PROCESSES = 7
    ENDED = 8
    LOST_PROCESS_CALLS = 9
    LOST_PROCESS_ERRORS = 10
    SHARERS = 11


class Row(ctypes.Structure):
    """One CPU's share of a row; times in ns."""

    _fields_ = (
        ("count", ctypes.c_uint64),
        ("total_ns", ctypes.c_uint64),
        ("max_ns", ctypes.c_uint64),
        ("min_ns_inverted", ctypes.c_uint64),
        ("restarted", ctypes.c_uint64),
        ("filtered", ctypes.c_uint64),
        ("histogram", ctypes.c_uint64 * HIST_BUCKETS),
    )


class RowKey(ctypes.Structure):
    """What a row counts."""

    _fields_ = (("space", ctypes.c_uint32), ("nr", ctypes.c_int32))


class ProcessRowKey(ctypes.Structure):
    """Whose calls of which row; ``error`` 0 for all of them, or those with this errno."""

    _fields_ = (
        ("process", ctypes.c_uint32),
        ("row", ctypes.c_uint16),
        ("error", ctypes.c_uint16),
    )


class ProcessRow(ctypes.Structure):
    """How many, and how long they took in ns."""

    _fields_ = (("count", ctypes.c_uint64), ("total_ns", ctypes.c_uint64))


class ProcessRecord(ctypes.Structure):
    """One process; times in ns of CLOCK_MONOTONIC, ``end_ns`` 0 while it lives."""

    _fields_ = (
        ("pid", ctypes.c_uint32),
        ("ppid", ctypes.c_uint32),
        ("start_ns", ctypes.c_uint64),
        ("end_ns", ctypes.c_uint64),
        ("threads", ctypes.c_int64),
        ("execs", ctypes.c_uint32),
        ("exit_code", ctypes.c_int32),
        ("pid_in_namespace", ctypes.c_uint32),
        ("shares_memory", ctypes.c_uint32),
        ("comm", ctypes.c_char * 16),
    )


class Config(ctypes.Structure):
    """What the programs are told at run time."""

    _fields_ = (
        ("secret", ctypes.c_uint64),
        ("pidns_dev", ctypes.c_uint64),
        ("pidns_ino", ctypes.c_uint64),
        ("target", ctypes.c_uint32),
        ("level", ctypes.c_uint32),
        ("holder", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("hold_execs", ctypes.c_uint32),
        ("hold_births", ctypes.c_uint32),
        ("hold_nobody", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
    )


class HoldReason(IntEnum):
    """Why a task was held."""

    EXEC = 0
    BIRTH = 1
    MOVE = 2


class Hold(ctypes.Structure):
    """A task that stops, for systrace to see to it and let it go."""

    _fields_ = (
        ("tid", ctypes.c_uint32),
        ("why", ctypes.c_uint32),
        ("held", ctypes.c_uint32),
        ("process", ctypes.c_uint32),
        ("execs", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
    )


class SeedingMode(IntEnum):
    """What the task iterator does with the threads of wanted processes, or of one."""

    RUNNING = 0
    HELD = 1
    FORGET = 2


class Seeding(ctypes.Structure):
    """What the task iterator is told, and how many threads it added; ``pid`` is to be forgotten."""

    _fields_ = (
        ("mode", ctypes.c_uint32),
        ("added", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
    )


def bucket_bounds(index: int) -> tuple[int, int]:
    """Return the lowest and the first higher duration, in ns, of a histogram bucket."""
    subs = 1 << HIST_SUB_BITS
    if index < subs:
        return index, index + 1
    exponent, sub = divmod(index, subs)
    width = 1 << (exponent - 1)
    low = (subs + sub) * width
    return low, low + width
