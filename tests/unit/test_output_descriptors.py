"""Reports that go to a descriptor, a FIFO or a device: written as it stands, and not replaced."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from systrace.errors import OutputError
from systrace.output import opened, write_all

from .outputs import refusal, write


def test_a_fifo_gets_the_report_and_stays_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    write(fifo)
    reader.join(10)
    assert got == ["report\n"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_device_is_written_to_and_not_replaced() -> None:
    null = Path(os.devnull)
    before = null.stat()
    write("/dev/null")
    assert null.stat().st_ino == before.st_ino
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"):
        write("/dev/full")


@pytest.fixture
def inherited(tmp_path: Path) -> Iterator[int]:
    """A descriptor as a caller would hand it over, in the middle of a file."""
    fd = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(fd, True)
    os.write(fd, b"before\n")
    yield fd
    os.close(fd)


@pytest.mark.parametrize("spelling", ["/dev/fd/{}", "/proc/self/fd/{}", "{}/link"])
def test_a_descriptor_is_written_where_it_stands(
    inherited: int, tmp_path: Path, spelling: str
) -> None:
    (tmp_path / "link").symlink_to(f"/dev/fd/{inherited}")
    write(spelling.format(tmp_path if "link" in spelling else inherited))
    assert (tmp_path / "log").read_text() == "before\nreport\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]


@pytest.mark.parametrize("name", ["/dev/fd/999", "/dev/fd/99999999999999999999"])
def test_a_descriptor_that_nobody_handed_over_is_refused(name: str) -> None:
    assert "cannot write /dev/fd/" in refusal(name)


def test_a_descriptor_of_our_own_is_refused(inherited: int) -> None:
    os.set_inheritable(inherited, False)
    assert refusal(f"/dev/fd/{inherited}").endswith("Bad file descriptor")


def test_a_descriptor_for_reading_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    fd = os.open(tmp_path / "log", os.O_RDONLY)
    os.set_inheritable(fd, True)
    assert refusal(f"/dev/fd/{fd}").endswith("it is open for reading only")
    os.close(fd)


def test_every_descriptor_is_close_on_exec_and_closed_at_the_end(tmp_path: Path) -> None:
    before = descriptors()
    with opened([str(tmp_path / "a"), "/dev/null", "-", str(tmp_path / "b")], None):
        ours = descriptors() - before
        assert len(ours) >= 4
        assert not any(os.get_inheritable(fd) for fd in ours)
    assert descriptors() == before


def descriptors() -> set[int]:
    return {fd for fd in range(256) if is_open(fd)}


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_descriptor_that_does_not_block_gets_everything() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = os.urandom(1 << 20)
    got = bytearray()

    def drain() -> None:
        while piece := os.read(reader, 65536):
            got.extend(piece)

    thread = threading.Thread(target=drain)
    thread.start()
    write_all(writer, data)
    os.close(writer)
    thread.join(10)
    os.close(reader)
    assert bytes(got) == data
