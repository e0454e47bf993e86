"""Whose counters are whose: one set for each image, shared by the processes forked from it.

A set is read a last time, and let go, when its last process has ended: what stays open does not
grow with the number of programs that came and went.
"""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from systrace.tally import Entries, OwnEntries
from systrace.target.stop import same_memory
from systrace.vdso.patch import CounterPages, counters_inode

_MOST: Final = 256  # open sets, before it is asked which are in use


@dataclass(slots=True)
class CounterSet:
    """Counter pages, the process that they were made for, and the processes that count there.

    ``probed``: uprobes see what is counted there, too.
    """

    pages: CounterPages
    owner: int
    since_ns: int
    users: set[int] = field(default_factory=set)
    probed: bool = False

    def own(self) -> OwnEntries:
        """Return what was counted, as the owner's."""
        return OwnEntries(self.owner, self.since_ns, Counter(self.pages.read().by_name()))

    def counts(self, pid: int) -> bool:
        """Whether a process has this very memory, where its counters would be."""
        return counters_inode(pid, self.pages.address) == self.pages.inode

    def same_memory(self, pid: int) -> bool:
        """Whether a process shares all of its memory with one that counts here, as in vfork(2)."""
        return any(same_memory(pid, user) for user in self.users - {pid})


class ImageCounters:
    """The counter pages of a tree of processes, by pid."""

    def __init__(self, *, per_process: bool = False, announced: bool = True) -> None:
        """``per_process``: keep what each owner counted, after its end too.

        ``announced``: forks and ends are told. Otherwise a set stays open until a ``sweep``.
        """
        self._per_process = per_process
        self._announced = announced
        self._most = _MOST
        self._of: dict[int, CounterSet] = {}
        self._ended = {False: Entries(), True: Entries()}  # by whether they were probed
        self._overwritten = 0
        self._ended_by: list[OwnEntries] = []
        self._unannounced: set[int] = set()
        self._kept: list[CounterSet] = []

    def add(self, pid: int, pages: CounterPages, *, probed: bool = False) -> None:
        """Give a process a set of its own."""
        self._leave(pid)
        self._of[pid] = CounterSet(pages, pid, time.monotonic_ns(), {pid}, probed)

    def part(self, pid: int, pages: CounterPages, shared: CounterSet) -> None:
        """As ``add``, for a forked process, which its parent may not have announced yet.

        It has its trampolines from there, and the uprobes that sit on them.
        """
        if pid not in self._of:
            self._unannounced.add(pid)
        self.add(pid, pages, probed=shared.probed)

    def replace(self, pid: int, pages: CounterPages) -> None:
        """Let a process count elsewhere from now on, with all that share its memory."""
        counters = self.found_in(pid)
        users = counters.users if counters is not None else set()
        sharers = [user for user in users - {pid} if same_memory(pid, user)]
        if pid not in self._of:
            self._unannounced.add(pid)
        for user in (pid, *sharers):
            self._leave(user)
        owner = counters.owner if counters and counters.owner in sharers else pid
        moved = CounterSet(pages, owner, time.monotonic_ns(), {pid, *sharers})
        self._of.update(dict.fromkeys(moved.users, moved))

    def share(self, parent: int, child: int) -> None:
        """Let a child count with its parent; too late if it execed or ended before we heard."""
        if child in self._unannounced:
            self._unannounced.discard(child)
            return
        counters = self._of.get(parent)
        if counters is None or child in self._of:
            return
        self._of[child] = counters
        counters.users.add(child)

    def drop(self, pid: int) -> None:
        """Take a process off its set."""
        if pid not in self._of:
            self._unannounced.add(pid)
            return
        self._leave(pid)

    def _leave(self, pid: int) -> None:
        counters = self._of.pop(pid, None)
        if counters is None:
            return
        counters.users.discard(pid)
        if counters.users:
            return
        if self._announced:
            self._end(counters)
        else:
            self._kept.append(counters)

    def _end(self, counters: CounterSet) -> None:
        probed = counters.probed
        self._ended[probed] = self._ended[probed].plus(counters.pages.read())
        self._overwritten += counters.pages.overwritten
        if self._per_process:
            self._ended_by.append(counters.own())
        counters.pages.close()

    @property
    def overwritten(self) -> int:
        """How many sets a program has written into, as of the last ``read``."""
        return self._overwritten + sum(counters.pages.overwritten for counters in self.sets())

    @property
    def crowded(self) -> bool:
        """Whether a ``sweep`` is due."""
        return not self._announced and len(self._of) + len(self._kept) > self._most

    def sweep(self, inodes: Collection[int]) -> None:
        """Let go of the sets whose memory is not among these."""
        for pid, counters in list(self._of.items()):
            if counters.pages.inode not in inodes:
                self._leave(pid)
        kept, self._kept = self._kept, []
        for counters in kept:
            if counters.pages.inode in inodes:
                self._kept.append(counters)
            else:
                self._end(counters)
        self._most = max(_MOST, 2 * (len(self._of) + len(self._kept)))

    def sets(self) -> list[CounterSet]:
        """Return all sets that are open."""
        return [*{id(counters): counters for counters in self._of.values()}.values(), *self._kept]

    def found_in(self, pid: int) -> CounterSet | None:
        """Return the set that a forked process counts in, by its memory; None if none of ours."""
        known = self._of.get(pid)
        if known is not None:
            return known
        return next((counters for counters in self.sets() if counters.counts(pid)), None)

    def read(self, *, probed: bool) -> Entries:
        """Add up all sets that uprobes see too, or all others, those that are gone included."""
        entries = self._ended[probed]
        for counters in self.sets():
            if counters.probed == probed:
                entries = entries.plus(counters.pages.read())
        return entries

    def by_process(self) -> list[OwnEntries]:
        """Return every set's count, as its owner's; all of it only with ``per_process``."""
        return [*self._ended_by, *(counters.own() for counters in self.sets())]

    def close(self) -> None:
        """Let go of all sets."""
        for counters in self.sets():
            counters.pages.close()
        self._of.clear()
        self._kept.clear()
