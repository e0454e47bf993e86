"""Where in a process trampolines and counters go: near its vDSO, and in nobody's way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

_REACH: Final = 2**31 - 2**20  # a 5-byte jump reaches 2 GiB; a little is kept for the images
_TASK_SIZE: Final = 0x7FFF_FFFF_F000  # 47 bits: what the kernel gives without being asked for more
_HEAP_ROOM: Final = 2**36  # 64 GiB, left free for a heap to grow into
_LOWEST: Final = 0x10000  # above every vm.mmap_min_addr


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of /proc/PID/maps; ``device`` is what the file's inode is on."""

    low: int
    high: int
    name: str
    device: str = field(default="", compare=False)


def parse_maps(lines: Iterable[str]) -> list[Mapping]:
    """Read /proc/PID/maps; a name is whatever follows the five fields before it."""
    mappings = []
    for line in lines:
        fields = line.split(maxsplit=5)
        low, high = (int(bound, 16) for bound in fields[0].split("-"))
        mappings.append(Mapping(low, high, fields[5] if len(fields) > 5 else "", fields[3]))
    return mappings


def within_reach(block: int, vdso: int) -> bool:
    """Whether code at ``block`` and a vDSO can jump to each other."""
    return abs(block - vdso) < _REACH


def choose(mappings: Sequence[Mapping], vdso: int, size: int, brk: int) -> int | None:
    """Return the address of a free range of ``size`` bytes within reach of ``vdso``, or None.

    Never directly below the stack, which grows down, nor soon above the heap, which grows up
    from ``brk``. The gap nearest to the vDSO wins, and in it the end that is nearest.
    """
    best: tuple[int, int] | None = None
    previous_end, previous_name = _LOWEST, ""
    borders = [*mappings, Mapping(_TASK_SIZE, _TASK_SIZE, "")]
    for mapping in borders:
        low, high = previous_end, min(mapping.low, _TASK_SIZE)
        if previous_name == "[heap]" or low <= brk < high:
            low = max(low, brk) + _HEAP_ROOM
        if high - low >= size and not mapping.name.startswith("[stack"):
            nearest = low if low > vdso else high - size
            distance = abs(nearest - vdso)
            if within_reach(nearest, vdso) and (best is None or distance < best[0]):
                best = (distance, nearest)
        previous_end, previous_name = max(previous_end, mapping.high), mapping.name
    return best[1] if best else None
