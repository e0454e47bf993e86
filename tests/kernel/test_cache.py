"""What systrace keeps from one start to the next: trusted where root alone can write, else made."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from systrace import cache

OTHER = 65534
SOURCES = (b"program", b"header")
CONTENT = bytes(range(256))


@pytest.fixture
def parent() -> Iterator[Path]:
    """Make a directory that only root can write to, as are all above it."""
    with tempfile.TemporaryDirectory(dir="/var/cache", prefix="systrace-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def directory(parent: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "DIRECTORY", str(parent / "systrace"))
    return parent / "systrace"


@pytest.fixture
def entry(directory: Path) -> Path:
    cache.write("kind", SOURCES, CONTENT)
    (found,) = directory.iterdir()
    return found


def read() -> bytes | None:
    return cache.read("kind", SOURCES)


def test_what_was_kept_is_read_again(entry: Path) -> None:
    assert read() == CONTENT
    assert stat.S_IMODE(entry.stat().st_mode) == 0o644
    assert cache.refusal() is None


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    "sources", [(b"program", b"headex"), (b"program",), (b"programh", b"eader"), (b"", *SOURCES)]
)
def test_other_sources_have_another_entry(sources: tuple[bytes, ...]) -> None:
    assert cache.read("kind", sources) is None
    assert cache.read("other", SOURCES) is None


def test_an_entry_that_is_cut_short_is_not_trusted(entry: Path) -> None:
    whole = entry.read_bytes()
    for length in range(len(whole)):
        entry.write_bytes(whole[:length])
        assert read() is None
    entry.write_bytes(whole + b"\0")
    assert read() is None


def test_an_entry_with_one_wrong_bit_is_not_trusted(entry: Path) -> None:
    whole = bytearray(entry.read_bytes())
    for index in range(len(whole)):
        whole[index] ^= 1 << index % 8
        entry.write_bytes(whole)
        assert read() is None
        whole[index] ^= 1 << index % 8


def test_an_entry_under_the_name_of_another_is_not_trusted(entry: Path) -> None:
    cache.write("kind", (b"other",), b"other")
    (other,) = set(entry.parent.iterdir()) - {entry}
    other.replace(entry)
    assert read() is None


def test_a_damaged_entry_is_made_again(entry: Path) -> None:
    entry.write_bytes(b"")
    made = cache.kept("kind", SOURCES, lambda: CONTENT, bytes, bytes)
    assert made == read() == CONTENT


def _refuse(_: bytes) -> bytes:
    raise ValueError


@pytest.mark.usefixtures("entry")
def test_an_entry_that_nobody_can_read_is_made_again() -> None:
    assert cache.kept("kind", SOURCES, lambda: b"new", bytes, _refuse) == b"new"
    assert read() == b"new"


def owned_by_another(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


def group_writable(path: Path) -> None:
    path.chmod(0o775)


def writable_by_all(path: Path) -> None:
    path.chmod(0o757)


def sticky(path: Path) -> None:
    path.chmod(0o1777)


def linked(path: Path) -> None:
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)


SPOILED = [owned_by_another, group_writable, writable_by_all, sticky, linked]


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("above", [False, True])
def test_a_directory_that_others_can_reach_into_is_neither_read_nor_written(
    entry: Path, parent: Path, spoil: Callable[[Path], None], above: bool
) -> None:
    spoiled = entry.parent
    if above:
        # one more between, whose own place is good
        spoiled = parent / "between"
        spoiled.mkdir()
        entry.parent.rename(spoiled / "systrace")
        cache.DIRECTORY = str(spoiled / "systrace")
    assert read() == CONTENT
    spoil(spoiled)
    assert read() is None
    assert cache.refusal()
    cache.write("kind", (b"new",), b"new")
    assert len(list(Path(cache.DIRECTORY).iterdir())) == 1


@pytest.mark.parametrize("spoil", SPOILED)
def test_an_entry_that_others_can_change_is_not_trusted(
    entry: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(entry)
    assert read() is None


def test_what_is_no_file_is_not_waited_for(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)
    assert read() is None
    entry.unlink()
    entry.mkdir()
    assert read() is None


@pytest.mark.usefixtures("directory")
def test_a_missing_parent_is_not_made(parent: Path) -> None:
    parent.rmdir()
    cache.write("kind", SOURCES, CONTENT)
    assert read() is None
    assert not parent.exists()
    parent.mkdir()


def mounted(directory: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True)


@pytest.mark.parametrize("options", ["mode=755,size=8k", "mode=755,ro"])
def test_a_full_or_read_only_disk_keeps_nothing_and_half_of_nothing(
    directory: Path, options: str
) -> None:
    directory.mkdir()
    mounted(directory, options)
    try:
        cache.write("kind", SOURCES, os.urandom(1 << 16))
        assert list(directory.iterdir()) == []
        assert read() is None
    finally:
        subprocess.run(["umount", directory], check=True)


def test_the_oldest_give_way_to_the_new(directory: Path) -> None:
    for number in range(130):
        cache.write("kind", (b"%d" % number,), b"%d" % number)
        newest = max(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(0, number))
    kept = [number for number in range(130) if cache.read("kind", (b"%d" % number,))]
    assert kept == list(range(30, 130))
