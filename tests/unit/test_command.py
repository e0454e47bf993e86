"""Which file a command name means."""

import os
from pathlib import Path

import pytest

from systrace.errors import NotExecutableError, NotFoundError
from systrace.target.command import find
from systrace.target.user import Identity

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path


def program(path: Path, mode: int = 0o755) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


def missing(command: str, path: str | None, identity: Identity | None) -> str:
    with pytest.raises(NotFoundError) as caught:
        find(command, path, identity)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(command: str, path: str | None, identity: Identity | None) -> str:
    with pytest.raises(NotExecutableError) as caught:
        find(command, path, identity)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_first_directory_of_path_wins(place: Path) -> None:
    first, second = program(place / "a" / "x"), program(place / "b" / "x")
    assert find("x", f"{place}/a:{place}/b", None) == first
    assert find("x", f"{place}/b:{place}/a", None) == second


def test_what_cannot_be_executed_is_passed_over(place: Path) -> None:
    program(place / "a" / "x", 0o644)
    (place / "b" / "x").mkdir(parents=True)
    good = program(place / "c" / "x")
    assert find("x", f"{place}/none:{place}/a:{place}/b:{place}/c", None) == good


def test_an_empty_entry_is_the_current_directory(place: Path) -> None:
    program(place / "x")
    for path in ("", ":/nonexistent", "/nonexistent:", "/nonexistent::/none", "."):
        assert find("x", path, None) == "./x"


def test_a_relative_entry_stays_relative(place: Path) -> None:
    program(place / "bin" / "x")
    assert find("x", "bin", None) == "bin/x"


def test_without_path_the_systems_own_is_searched() -> None:
    assert find("sh", None, None) in ("/bin/sh", "/usr/bin/sh")


def test_a_slash_means_that_very_file(place: Path) -> None:
    program(place / "d" / "x")
    for spelling in ("./d/x", "d/x", f"{place}/d/x", "d/../d/x"):
        assert find(spelling, "/nonexistent", None) == spelling


def test_a_name_that_is_not_utf_8_is_found(place: Path) -> None:
    program(place / "caf\udce9")
    assert os.fsencode(find("./caf\udce9", None, None)) == b"./caf\xe9"


@pytest.mark.usefixtures("place")
def test_what_is_not_there_ends_with_127() -> None:
    assert missing("nosuch", "/bin", None) == "command not found: nosuch"
    assert missing("./nosuch", "/bin", None) == "cannot run ./nosuch: No such file or directory"
    assert missing("/etc/passwd/x", None, None).endswith("Not a directory")
    assert missing("", "/bin", None) == "the command's name is empty"
    assert NotFoundError.exit_status == 127


def test_a_program_in_this_directory_is_offered(place: Path) -> None:
    program(place / "goapp")
    assert missing("goapp", "/bin", None) == "command not found: goapp; did you mean ./goapp?"


@pytest.mark.usefixtures("place")
def test_under_sudo_the_path_that_was_searched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    said = missing("nosuch", "/usr/sbin:/sbin", None)
    assert said == (
        "command not found: nosuch is not in sudo's PATH (/usr/sbin:/sbin); "
        'sudo env "PATH=$PATH" … keeps yours'
    )


def test_what_cannot_run_ends_with_126(place: Path) -> None:
    program(place / "plain", 0o644)
    os.mkfifo(place / "fifo", 0o755)
    assert refused("./", None, None) == "cannot run ./: it is a directory"
    assert refused("./plain", None, None) == (
        "cannot run ./plain: it is not executable (chmod +x ./plain)"
    )
    assert refused("plain", ".", None).startswith("cannot run ./plain: it is not executable")
    assert refused("./fifo", None, None) == "cannot run ./fifo: it is not a regular file"
    assert NotExecutableError.exit_status == 126


def test_a_directory_of_that_name_on_path_is_no_command(place: Path) -> None:
    (place / "bin" / "x").mkdir(parents=True)
    assert missing("x", f"{place}/bin", None) == "command not found: x"


@pytest.mark.usefixtures("place")
def test_a_hostile_name_reaches_no_terminal() -> None:
    assert "\x1b" not in missing("\x1b[31m\n", "/bin", None)


@as_root
def test_access_is_checked_for_the_user_who_will_run_it(place: Path) -> None:
    mine = program(place / "roots" / "x", 0o700)
    theirs = program(place / "open" / "x")
    assert find("x", f"{place}/roots:{place}/open", NOBODY) == theirs
    assert find("x", f"{place}/roots:{place}/open", None) == mine
    assert refused(mine, None, NOBODY) == (
        f"cannot run {mine}: permission denied for nobody (--user root runs it as root)"
    )
    assert os.geteuid() == 0


@as_root
def test_a_group_the_user_is_in_counts(place: Path) -> None:
    path = Path(program(place / "x", 0o710))
    os.chown(path, 0, 4567)
    refused(str(path), None, NOBODY)
    member = Identity(65534, 65534, (65534, 4567), "nobody", "/")
    assert find(str(path), None, member) == str(path)


@as_root
def test_a_directory_that_the_user_may_not_search_hides_nothing_and_shows_nothing(
    place: Path,
) -> None:
    program(place / "shut" / "x")
    (place / "shut").chmod(0o700)
    assert missing("x", f"{place}/shut", NOBODY) == "command not found: x"
    assert "permission denied for nobody" in refused(f"{place}/shut/x", None, NOBODY)
