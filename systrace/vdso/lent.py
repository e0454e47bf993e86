"""Counters that somebody counts in who is not to be counted: a child in its parent's memory.

Until it execs or ends, a child of vfork(2) has all of its parent's memory, trampolines and mark
included. What came meanwhile may be its calls, or those of other threads of the parent.
"""

from systrace.vdso.patch import CounterPages


class Lent:
    """Counters that are lent to children, by the child's pid; ``children``: how many there were."""

    def __init__(self) -> None:
        self._lent: dict[int, tuple[CounterPages, int]] = {}
        self._came = 0
        self.children = 0

    def lend(self, child: int, pages: CounterPages) -> None:
        """Note that a child, which has not run yet, may count there; a second time is no other."""
        if child not in self._lent:
            self._lent[child] = pages, _entries(pages)
            self.children += 1

    def regain(self, child: int) -> None:
        """Note that a child has memory of its own, or none."""
        if child in self._lent:
            pages, before = self._lent.pop(child)
            self._came += _entries(pages) - before

    def came(self) -> int:
        """Return how many entries came to counters while they were lent."""
        return self._came + sum(_entries(pages) - before for pages, before in self._lent.values())


def _entries(pages: CounterPages) -> int:
    return sum(pages.read().by_name().values())
