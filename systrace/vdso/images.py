"""Whose counters are whose: one set for each image, shared by the processes forked from it.

A set is read a last time, and let go, when its last process has ended: what stays open does not
grow with the number of programs that came and went.
"""

from systrace.tally import Entries
from systrace.vdso.patch import CounterPages


class ImageCounters:
    """The counter pages of a tree of processes, by pid."""

    def __init__(self) -> None:
        self._pages: dict[int, CounterPages] = {}
        self._users: dict[CounterPages, int] = {}
        self._ended = Entries()
        self._unannounced: set[int] = set()

    def add(self, pid: int, pages: CounterPages) -> None:
        """Give a process a set of its own."""
        self._pages[pid] = pages
        self._users[pages] = 1

    def share(self, parent: int, child: int) -> None:
        """Let a child count with its parent; too late if it execed or ended before we heard."""
        if child in self._unannounced:
            self._unannounced.discard(child)
            return
        pages = self._pages.get(parent)
        if pages is None or child in self._pages:
            return
        self._pages[child] = pages
        self._users[pages] += 1

    def drop(self, pid: int, keep: CounterPages | None = None) -> None:
        """Take a process off its set; ``keep`` names a set that stays open without users."""
        pages = self._pages.pop(pid, None)
        if pages is None:
            self._unannounced.add(pid)
            return
        self._users[pages] -= 1
        if not self._users[pages] and pages is not keep:
            self._ended = self._ended.plus(pages.read())
            del self._users[pages]
            pages.close()

    def read(self) -> Entries:
        """Add up all sets, those that are gone included."""
        entries = self._ended
        for pages in self._users:
            entries = entries.plus(pages.read())
        return entries

    def close(self) -> None:
        """Let go of all sets."""
        for pages in self._users:
            pages.close()
        self._users.clear()
        self._pages.clear()
