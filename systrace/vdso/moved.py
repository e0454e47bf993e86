"""A patched vDSO that its program has moved: jumps and trampolines know each other by distance.

Whoever calls has the thread that moved it, at the return of its mremap(2). Another thread that is
inside the vDSO or calls it meanwhile would crash without us, too.
"""

import io

from systrace.target.inject import Injector
from systrace.vdso import place
from systrace.vdso.images import CounterSet
from systrace.vdso.patch import (
    CounterPages,
    UnpatchableError,
    has_jumps,
    open_memory,
    patch,
    restore,
    write_jumps,
)
from systrace.vdso.x86_64 import PAGE, Plan


def follow(
    tid: int, plan: Plan, counters: CounterSet, vdso: int, secret: int | None
) -> tuple[CounterPages, int]:
    """Lead a vDSO, which is at ``vdso`` now, through trampolines again.

    Returns the counters that it counts in, new ones where its own are out of reach, and a signal
    to hand the thread. Raises UnpatchableError, with the vDSO as the kernel made it, where new
    ones are needed and cannot be had: without a ``secret`` the thread makes no calls for us.
    """
    block = counters.pages.address - PAGE
    with open_memory(tid) as memory:
        if place.within_reach(block, vdso) and counters.counts(tid):
            memory.seek(vdso)
            if not has_jumps(memory.read(len(plan.image.data)), plan, block, vdso):
                _lead_back(memory, plan, block, vdso)
                write_jumps(memory, plan, block, vdso)
            return counters.pages, 0
        restore(memory, plan, vdso)
    if secret is None:
        raise UnpatchableError("new trampolines near it cannot be mapped")
    with Injector(tid, vdso + plan.image.syscall_offset, secret) as injector:
        pages = patch(tid, plan, vdso, injector)
    return pages, injector.pending_signal


def _lead_back(memory: io.RawIOBase, plan: Plan, block: int, vdso: int) -> None:
    """Change distances only: a uprobe may sit on the rest."""
    for at, distance in plan.distances(block, vdso):
        memory.seek(block + at)
        memory.write(distance)
