"""Which processes somebody told of, and how the vDSO calls of each are counted.

ptrace tells of none that is made with CLONE_UNTRACED, nor of those that it forks: eBPF lists them.
"""

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from itertools import islice

from systrace.tally import ProcessTally


class How(IntEnum):
    """How vDSO calls are counted: not at all, in pages that a child shares, by breakpoints."""

    UNKNOWN = 0
    NOT = 1
    PAGES = 2
    BREAKPOINTS = 3


class Told:
    """A byte for each pid: there may be millions of processes."""

    def __init__(self) -> None:
        self._how = bytearray()

    def how(self, pid: int) -> How:
        """Return how the last process of this number was counted, as far as was told."""
        return How(self._how[pid]) if pid < len(self._how) else How.UNKNOWN

    def tell(self, pid: int, how: How) -> None:
        """Note how a process is counted."""
        if pid >= len(self._how):
            self._how.extend(bytes(pid + 1 - len(self._how)))
        self._how[pid] = how

    def meet(self, pid: int) -> None:
        """Note a process that nobody announced: its parent may not have lived to."""
        if self.how(pid) == How.UNKNOWN:
            self.tell(pid, How.NOT)

    def untold(self, processes: Iterable[ProcessTally]) -> Counter[How]:
        """Return how many forked processes nobody told of, by how those are counted they stem from.

        ``processes`` come in the order in which they began, the first one first.
        """
        stray: dict[int, How] = {}
        for process in islice(processes, 1, None):
            if self.how(process.pid) == How.UNKNOWN:
                stray[process.pid] = stray.get(process.ppid) or self.how(process.ppid)
        return Counter(stray.values())
