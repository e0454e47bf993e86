"""A thread that eBPF holds because it moved or unmapped its vDSO, where nobody traces it."""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from systrace.layout import Hold
from systrace.target.captive import Captive
from systrace.target.images import Moved, moved
from systrace.target.status import tgid_of

_NR_MEMBARRIER: Final = 324
_MEMBARRIER_CMD_GLOBAL: Final = 1  # include/uapi/linux/membarrier.h
_LAST_S: Final = 0.001

_libc = ctypes.CDLL(None, use_errno=True)


def await_probes() -> None:
    """Wait for whoever is being held at this moment, when nobody is to be held any more.

    Probes run with preemption disabled (include/trace/bpf_probe.h), and membarrier(2) waits for an
    RCU grace period (kernel/sched/membarrier.c), but for a single CPU, where no probe is at work
    now. Where that is refused (nohz_full, a seccomp filter) a moment has to do.
    """
    if _libc.syscall(_NR_MEMBARRIER, _MEMBARRIER_CMD_GLOBAL, 0, 0):
        time.sleep(_LAST_S)


def see_to(
    images: Moved,
    hold: Hold,
    *,
    may_call: bool,
    seize: Callable[[int, int], Captive] = Captive,
) -> None:
    """Have it told to them, and let it go on. Raises TargetDiedError.

    ``may_call``: it may be made to make calls, and dies with us while it does.
    """
    tid = int(hold.tid)
    pid = tgid_of(tid)
    if pid is None:
        return
    try:
        captive = seize(pid, tid) if hold.held else None
    except PermissionError:
        captive = None  # somebody else traces it by now
    except ProcessLookupError:
        return

    def tell() -> int:
        with suppress(OSError):
            images.moved(pid, tid, may_call=False)
        return 0

    with suppress(ProcessLookupError):
        if captive is not None:
            calls = partial(moved, images, pid, tid, Captive.OPTIONS)
            captive.see_to(calls if may_call else tell)
            return
        tell()
        if hold.held:
            os.kill(pid, signal.SIGCONT)
