"""A BPF ring buffer, read: records that programs send, oldest first.

Documentation/bpf/ringbuf.rst and kernel/bpf/ringbuf.c. libbpf reads these too, and systrace's start
does without it. Its descriptor is readable while records wait.
"""

import ctypes
import mmap
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

_BUSY: Final = 1 << 31  # it is being written
_DISCARDED: Final = 1 << 30
_HEADER_BYTES: Final = 8
_LENGTH: Final = (1 << 30) - 1

Record = TypeVar("Record", bound=ctypes.Structure)


class Ring(Generic[Record]):
    """One reader's end. A record waits until its reader comes back from it."""

    def __init__(self, fd: int, data_bytes: int, kind: type[Record]) -> None:
        """Map a ring of ``data_bytes``, a power of two; ``fd`` stays the caller's."""
        self.fd = fd
        self._kind = kind
        self._mask = data_bytes - 1
        page = mmap.PAGESIZE
        both = mmap.PROT_READ | mmap.PROT_WRITE
        self._reader = mmap.mmap(fd, page, mmap.MAP_SHARED, both, offset=0)
        # the data is mapped twice in a row, so that no record has a seam
        size = page + 2 * data_bytes
        self._writer = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._read = ctypes.c_uint64.from_buffer(self._reader)  # one store, not eight

    def take(self) -> Iterator[Record]:
        """Yield records until none is left. Raises ValueError for one that is too short."""
        while (found := self._at(self._read.value)) is not None:
            record, after = found
            try:
                if record is not None:
                    yield record
            finally:
                self._read.value = after

    def waiting(self) -> list[Record]:
        """Return what was not taken, and leave it there. Raises ValueError as ``take``."""
        records, position = [], self._read.value
        while (found := self._at(position)) is not None:
            record, position = found
            if record is not None:
                records.append(record)
        return records

    def _at(self, position: int) -> tuple[Record | None, int] | None:
        """Return a record and the next one's position; None where nothing is written yet."""
        if position >= int.from_bytes(self._writer[:_HEADER_BYTES], "little"):
            return None
        start = mmap.PAGESIZE + (position & self._mask)
        head = int.from_bytes(self._writer[start : start + 4], "little")
        if head & _BUSY:
            return None
        length = head & _LENGTH
        after = position + (_HEADER_BYTES + length + 7) // 8 * 8
        if head & _DISCARDED:
            return None, after
        start += _HEADER_BYTES
        return self._kind.from_buffer_copy(self._writer[start : start + length]), after
