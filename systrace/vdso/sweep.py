"""Which counters are in use, where nobody says who was forked from whom and who has ended."""

from collections.abc import Callable, Mapping
from typing import Final

from systrace import proc

# the pids that live, and when each began, ns; None if some are not known
Living = Callable[[], Mapping[int, int] | None]

_INODE: Final = 4  # field of a line of /proc/PID/maps, and the name behind it
_SHARED: Final = "/dev/zero (deleted)"  # shared anonymous memory


def in_use(living: Living) -> tuple[set[int], set[int]] | None:
    """Return the pids that live and the inodes of all shared memory that they have.

    None where that cannot be said. All that live are looked at until there is nobody new: a
    process that was born meanwhile may be the only one left to have its parent's memory.
    """
    seen: set[tuple[int, int]] = set()
    inodes: set[int] = set()
    while True:
        found = living()
        if found is None:
            return None
        unseen = found.items() - seen
        if not unseen:
            return set(found), inodes
        for pid, _ in unseen:
            inodes |= _shared_memory(pid)
        seen |= unseen


def _shared_memory(pid: int) -> set[int]:
    try:
        maps = proc.maps(pid)
    except OSError:
        return set()
    lines = (line.split(maxsplit=_INODE + 1) for line in maps)
    return {int(fields[_INODE]) for fields in lines if fields[_INODE + 1 :] == [_SHARED]}
