"""A thread that eBPF holds because it moved or unmapped its vDSO, where nobody traces it."""

import os
import signal
from contextlib import suppress

from systrace.layout import Hold
from systrace.target.captive import Captive
from systrace.target.images import Moved, moved
from systrace.target.status import tgid_of


def see_to(images: Moved, hold: Hold, *, may_call: bool) -> None:
    """Have it told to them, and let it go on. Raises TargetDiedError.

    ``may_call``: it may be made to make calls, and dies with us while it does.
    """
    tid = int(hold.tid)
    pid = tgid_of(tid)
    if pid is None:
        return
    try:
        captive = Captive(pid, tid) if hold.held else None
    except PermissionError:
        captive = None  # somebody else traces it by now
    except ProcessLookupError:
        return
    with suppress(ProcessLookupError, FileNotFoundError):
        if captive is not None and may_call:
            captive.let_go(moved(images, pid, tid, Captive.OPTIONS))
            return
        with suppress(OSError):
            images.moved(pid, tid, may_call=False)
        if captive is not None:
            captive.let_go()
        elif hold.held:
            os.kill(pid, signal.SIGCONT)
