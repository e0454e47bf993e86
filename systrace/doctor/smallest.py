"""The smallest eBPF program, which does nothing: what the kernel lets us attach, tried for real."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from systrace import bpf

RAW_TRACEPOINT: Final = 17  # enum bpf_prog_type
PERF_EVENT: Final = 7
_NOTHING: Final = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit


@contextlib.contextmanager
def loaded(kind: int) -> Iterator[int]:
    """Load it for a while, and yield its descriptor. Raises OSError."""
    program = bpf.load_program("systrace_trial", kind, _NOTHING)
    try:
        yield program
    finally:
        os.close(program)


def attached(tracepoint: str) -> int:
    """Attach it to a raw tracepoint and take it off again; returns an errno, 0 where it went."""
    try:
        with loaded(RAW_TRACEPOINT) as program:
            os.close(bpf.open_tracepoint(tracepoint, program))
    except OSError as error:
        return error.errno or 0
    return 0
