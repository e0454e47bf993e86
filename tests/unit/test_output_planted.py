"""Where reports are written: what another user left in a directory where anybody may."""

import os
from pathlib import Path

import pytest

from systrace.errors import OutputError
from systrace.output import opened
from systrace.target.user import Identity

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")
DAEMON = 1
PLANTED = "it is another user's, in a directory where anybody may leave files"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave others' files")


@pytest.fixture(params=[0o1777, 0o1775], ids=oct)
def public(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory like /tmp, reachable for everybody."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o711)
    place = tmp_path / "public"
    place.mkdir()
    os.chown(place, 0, NOBODY.gid)
    place.chmod(request.param)
    return place


def write(name: Path, author: Identity | None = None) -> None:
    with opened([str(name)], author) as (file,):
        file.write("report\n")


def refusal(name: Path, author: Identity | None = None) -> str:
    with pytest.raises(OutputError) as caught, opened([str(name)], author):
        pass
    return str(caught.value)


def given_to(path: Path, uid: int) -> Path:
    os.chown(path, uid, uid, follow_symlinks=False)
    return path


@pytest.mark.parametrize("author", [None, NOBODY], ids=["root", "nobody"])
def test_a_file_or_a_fifo_of_another_user_gets_no_report(
    public: Path, author: Identity | None
) -> None:
    file, fifo = public / "file", public / "fifo"
    file.write_text("theirs")
    os.mkfifo(fifo)
    for path in (file, fifo):
        given_to(path, DAEMON).chmod(0o666)
        assert refusal(path, author) == f"cannot write {path}: {PLANTED}"
    assert file.read_text() == "theirs"
    assert file.stat().st_uid == DAEMON


@pytest.mark.parametrize("author", [None, NOBODY], ids=["root", "nobody"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_of_another_user_leads_nowhere(
    public: Path, tmp_path: Path, author: Identity | None, there: bool
) -> None:
    victim = given_to(tmp_path, 0 if author is None else author.uid) / "victim"
    if there:
        victim.write_text("precious")
        given_to(victim, 0 if author is None else author.uid)
    link = public / "report.json"
    link.symlink_to(victim)
    given_to(link, DAEMON)
    mine = tmp_path / "mine"
    mine.symlink_to(link)
    for path in (link, mine):
        assert refusal(path, author) == f"cannot write {path}: {PLANTED}"
    assert victim.exists() == there


def test_what_is_ones_own_or_the_directorys_owners_is_replaced(public: Path) -> None:
    for uid in (NOBODY.uid, 0):
        file = public / f"of {uid}"
        file.touch()
        given_to(file, uid).chmod(0o666)
    write(public / f"of {NOBODY.uid}", NOBODY)
    write(public / "of 0")
    write(public / "new", NOBODY)
    assert {path.read_text() for path in public.iterdir()} == {"report\n"}


@pytest.mark.parametrize("mode", [0o1755, 0o755, 0o777])
def test_where_files_are_not_kept_apart_anybodys_is_replaced(tmp_path: Path, mode: int) -> None:
    """In a directory that is not sticky, who may write may put the file out of the way as well."""
    tmp_path.chmod(mode)
    file = tmp_path / "report"
    file.touch()
    given_to(file, DAEMON)
    write(file)
    assert file.read_text() == "report\n"
    assert file.stat().st_uid == DAEMON
