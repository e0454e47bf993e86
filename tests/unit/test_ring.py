"""A ring buffer's reader, over memory that looks like the kernel's."""

import mmap
import os
import struct
from collections.abc import Iterator

import pytest

from systrace.layout import Hold
from systrace.ring import Ring

DATA = mmap.PAGESIZE
BUSY, DISCARDED = 1 << 31, 1 << 30
BYTES = 24
RECORD = 8 + BYTES


class Kernel:
    """The writer: positions on the first two pages, then the data, twice."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.at = 0

    def send(self, tid: int, flags: int = 0) -> None:
        record = struct.pack("=II6I", BYTES | flags, 0, tid, 0, 1, 0, 0, 0)
        for offset in range(0, RECORD, 8):
            self._write(self.at + offset, record[offset : offset + 8])
        self.at += RECORD
        os.pwrite(self.fd, struct.pack("=Q", self.at), mmap.PAGESIZE)

    def finish(self, position: int) -> None:
        """Let a record be written whole."""
        self._write(position, struct.pack("=I", BYTES))

    def _write(self, position: int, word: bytes) -> None:
        for copy in (0, DATA):
            os.pwrite(self.fd, word, 2 * mmap.PAGESIZE + position % DATA + copy)

    def skip(self, count: int) -> None:
        """Write 8 bytes that no record is in, so that records do not fit the ring evenly."""
        for _ in range(count):
            self._write(self.at, struct.pack("=II", DISCARDED, 0))
            self.at += 8
        os.pwrite(self.fd, struct.pack("=Q", self.at), mmap.PAGESIZE)

    def read(self) -> int:
        """How far the reader says that it is."""
        return int.from_bytes(os.pread(self.fd, 8, 0), "little")


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    fd = os.memfd_create("ring")
    os.ftruncate(fd, 2 * mmap.PAGESIZE + 2 * DATA)
    yield Kernel(fd)
    os.close(fd)


def tids(ring: Ring[Hold]) -> list[int]:
    return [hold.tid for hold in ring.take()]


def test_records_come_once_and_in_order(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, DATA, Hold)
    assert tids(ring) == []
    kernel.send(7)
    kernel.send(11)
    assert tids(ring) == [7, 11]
    assert tids(ring) == []
    assert kernel.read() == 2 * RECORD


def test_a_record_waits_until_its_reader_comes_back_from_it(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, DATA, Hold)
    kernel.send(7)
    kernel.send(11)
    for hold in ring.take():
        assert [waits.tid for waits in ring.waiting()] == [7, 11]
        assert kernel.read() == 0
        assert hold.tid == 7
        break
    assert [waits.tid for waits in ring.waiting()] == [11]
    assert tids(ring) == [11]


def test_records_go_on_where_the_ring_begins_anew(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, DATA, Hold)
    kernel.skip(1)  # so that one has its header at the end, and the rest at the beginning
    for tid in range(1, 1000):
        kernel.send(tid)
        assert tids(ring) == [tid]


def test_what_is_being_written_is_waited_for_and_what_was_discarded_is_passed_over(
    kernel: Kernel,
) -> None:
    ring = Ring(kernel.fd, DATA, Hold)
    kernel.send(5, DISCARDED)
    kernel.send(7)
    kernel.send(11, BUSY)
    kernel.send(13)
    assert tids(ring) == [7]
    assert ring.waiting() == []
    kernel.finish(2 * RECORD)
    assert tids(ring) == [11, 13]
