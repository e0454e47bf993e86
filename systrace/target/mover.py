"""A thread that eBPF holds because it moved or unmapped its vDSO, where nobody traces it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from systrace.layout import Hold
from systrace.target.captive import Captive
from systrace.target.images import Moved, moved
from systrace.target.status import tgid_of


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
