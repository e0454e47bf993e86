"""What the probes of a session are compiled with: sources, and what is defined for them.

It imports little, so that at a first start the compiler is at work while the rest is loaded.
"""

import mmap
from collections.abc import Sequence
from typing import Final

from systrace import kernel, machine, probe
from systrace.layout import REF_SKIP
from systrace.options import TraceOptions
from systrace.vdso.image import own_bytes

MOST_PROCESSES: Final = 32768  # alive, or ended since the last collection
HOLD_BYTES: Final = 1 << 17  # of records of tasks that wait for systrace at the same time
_CALLS: Final = ("sys_exit", "sys_enter")
_SLOT_BITS: Final = 14
_MOST_THREADS: Final = 32768
_ROWS_A_PROCESS: Final = 16  # kinds of calls and errors, on average over that many


def tracepoints() -> str:
    """Say which ones system calls are counted by, as a report says it.

    Typed ones hand over the registers as what they are, raw ones as a number.
    """
    typed = all(kernel.tracepoint(name) is not None for name in _CALLS)
    return "tp_btf" if typed else "raw_tracepoint"


def prepare(options: TraceOptions, more: Sequence[str] = ()) -> probe.Build:
    """Begin to build the programs, with ``more`` sources, in a process of its own if they are new.

    Raises UnsupportedError.
    """
    selection = options.selection
    skip_odd = selection is not None and not selection.admits("syscall_9999")
    definitions: dict[str, int] = {
        **kernel.offsets(),
        "SLOT_BITS": _SLOT_BITS,
        "SPILL_SIZE": machine.most_threads(_MOST_THREADS),
        "MAX_PROCESSES": machine.most_threads(MOST_PROCESSES),
        "VDSO_SIZE": len(own_bytes() or b""),
        "FOLLOW": int(options.follow),
        "ODD_FLAGS": REF_SKIP if skip_odd else 0,
    }
    if options.counts_only:
        definitions["COUNTS_ONLY"] = 1
    if options.by_signal:
        definitions["BY_SIGNAL"] = 1
        definitions["PAGE_SIZE"] = mmap.PAGESIZE
        definitions["HOLD_PAGES"] = HOLD_BYTES // mmap.PAGESIZE
    if options.per_process:
        definitions["PER_PROCESS"] = 1
        definitions["PROCESS_ROWS"] = definitions["MAX_PROCESSES"] * _ROWS_A_PROCESS
    if tracepoints() == "tp_btf":
        definitions["TYPED"] = 1
    return probe.Build((*probe.COUNTING, *more), definitions)
