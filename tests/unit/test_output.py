"""Where reports are written: whole or not at all, and as the one who asked."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from systrace import output
from systrace.errors import OutputError
from systrace.output import format_of, opened
from systrace.target.user import Identity

from .outputs import refusal, write

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of nobody's that nobody can reach."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o711)
    place = tmp_path / "theirs"
    place.mkdir(mode=0o700)
    os.chown(place, NOBODY.uid, NOBODY.gid)
    return place


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a.json", "json"), ("a.JSON", "json"), ("a.txt", "table"), ("a", "table"), ("a.x", "table"),
     ("-", "table"), (".json", "table"), ("/dev/stderr", "table"), ("d.json/a", "table"),
     ("a.csv", "csv"), ("a.md", "markdown"), ("a.prom", "prometheus")],
)  # fmt: skip
def test_the_ending_decides_the_format(name: str, wanted: str) -> None:
    assert format_of(name) == wanted


def test_where_the_ending_says_nothing_something_else_does() -> None:
    assert format_of("-", "csv") == format_of("a.x", "csv") == "csv"
    assert format_of("a.txt", "csv") == "table"


@pytest.mark.parametrize("tmpfile", [True, False])
def test_a_file_appears_only_when_it_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmpfile: bool
) -> None:
    if not tmpfile:
        refuse_tmpfile(monkeypatch)
    name = tmp_path / "r.json"
    with opened([str(name)], None) as (file,):
        assert not name.exists()
        file.write("new")
        assert name.read_text() == "new"
    assert list(tmp_path.iterdir()) == [name]


def test_a_file_that_is_added_to_appears_with_the_last_of_it(tmp_path: Path) -> None:
    name = tmp_path / "r.csv"
    with opened([str(name)], None) as (file,):
        file.add("one\n")
        file.add("two\n")
        assert not name.exists()
        file.write("three\n")
    assert name.read_text() == "one\ntwo\nthree\n"
    with opened([str(name)], None) as (file,):
        file.add("lost\n")
    assert name.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("tmpfile", [True, False])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmpfile: bool
) -> None:
    if not tmpfile:
        refuse_tmpfile(monkeypatch)
    name = tmp_path / "r.json"
    name.write_text("old")

    def full(_: int, __: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened([str(name)], None) as (file,):
        monkeypatch.setattr(output, "write_all", full)
        with pytest.raises(OutputError, match=r"cannot write .*: No space left on device"):
            file.write("new")
    assert name.read_text() == "old"
    assert list(tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("tmpfile", [True, False])
def test_a_rename_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmpfile: bool
) -> None:
    if not tmpfile:
        refuse_tmpfile(monkeypatch)
    name = tmp_path / "r.json"
    with opened([str(name)], None) as (file,):
        name.mkdir()
        with pytest.raises(OutputError, match="Is a directory"):
            file.write("new")
    assert list(tmp_path.iterdir()) == [name]


def refuse_tmpfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS."""
    real = os.open

    def opening(path: str, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no O_TMPFILE here")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opening)


def test_a_run_that_never_writes_leaves_no_trace(tmp_path: Path) -> None:
    with opened([str(tmp_path / "a"), str(tmp_path / "b.json")], None):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_bad_name_opens_none(tmp_path: Path) -> None:
    with pytest.raises(OutputError), opened([str(tmp_path / "a"), str(tmp_path / "x/y")], None):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_gets_the_umask(tmp_path: Path) -> None:
    with umask(0o027):
        write(tmp_path / "r")
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o640


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    name = tmp_path / "r"
    name.touch()
    name.chmod(0o604)
    with umask(0o077):
        write(name)
    assert stat.S_IMODE(name.stat().st_mode) == 0o604
    assert name.read_text() == "report\n"


@as_root
def test_an_existing_file_keeps_its_owner_where_root_writes(tmp_path: Path) -> None:
    name = tmp_path / "r"
    name.touch()
    os.chown(name, 65534, 65534)
    write(name)
    assert (name.stat().st_uid, name.stat().st_gid) == (65534, 65534)


@as_root
def test_rights_of_a_group_do_not_become_another_groups(theirs: Path) -> None:
    name = theirs / "r"
    name.touch()
    os.chown(name, NOBODY.uid, 0)
    name.chmod(0o664)
    write(name, author=NOBODY)
    assert name.stat().st_gid == NOBODY.gid
    assert stat.S_IMODE(name.stat().st_mode) == 0o604


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to("elsewhere/r")
    write(link)
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "r").read_text() == "report\n"
    write(link, "again\n")
    assert (tmp_path / "elsewhere" / "r").read_text() == "again\n"
    assert link.is_symlink()


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert refusal(tmp_path / "a").endswith("Too many levels of symbolic links")


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255))
    assert (tmp_path / ("n" * 255)).read_text() == "report\n"


def test_what_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal("") == "cannot write '': the file name is empty"
    assert refusal(tmp_path).endswith(": it is a directory")
    assert refusal(f"{tmp_path}/new/").endswith(": it is a directory")
    assert refusal(tmp_path / "no" / "r").endswith(": No such file or directory")
    assert refusal(tmp_path / "file" / "r").endswith(": Not a directory")
    assert refusal(tmp_path / ("n" * 256)).endswith(": File name too long")


@as_root
def test_the_file_belongs_to_the_caller(theirs: Path) -> None:
    write(theirs / "r", author=NOBODY)
    file = (theirs / "r").stat()
    assert (file.st_uid, file.st_gid) == (NOBODY.uid, NOBODY.gid)
    assert (os.geteuid(), os.getegid()) == (0, 0)


@as_root
def test_the_caller_gets_nowhere_where_only_root_may(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "roots").mkdir(mode=0o755)
    (tmp_path / "roots" / "r").touch(mode=0o644)
    (theirs / "link").symlink_to(tmp_path / "roots" / "new")
    assert "no file may be created in" in refusal(tmp_path / "roots" / "new", NOBODY)
    assert "it exists and may not be written" in refusal(tmp_path / "roots" / "r", NOBODY)
    assert "no file may be created in" in refusal(theirs / "link", NOBODY)
    (tmp_path / "roots").chmod(0o700)
    assert refusal(tmp_path / "roots" / "r", NOBODY).endswith("Permission denied")
    assert (os.geteuid(), os.getgroups()) == (0, os.getgroups())


@as_root
def test_a_link_put_there_meanwhile_leads_root_nowhere(theirs: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("root's")
    with opened([str(theirs / "r")], NOBODY) as (file,):
        (theirs / "r").symlink_to(victim)
        file.write("report\n")
    assert victim.read_text() == "root's"
    assert (theirs / "r").read_text() == "report\n"
    assert (theirs / "r").stat().st_uid == NOBODY.uid


@as_root
def test_the_caller_who_lost_the_right_meanwhile_gets_nowhere(theirs: Path) -> None:
    with opened([str(theirs / "r")], NOBODY) as (file,):
        theirs.chmod(0o500)
        with pytest.raises(OutputError, match="Permission denied"):
            file.write("report\n")
    assert list(theirs.iterdir()) == []


def test_a_text_that_is_not_unicode_is_written_escaped(tmp_path: Path) -> None:
    write(tmp_path / "r", "caf\udce9\n")
    assert (tmp_path / "r").read_text() == "caf\\udce9\n"
