"""Who the target runs as."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from systrace.errors import UsageError
from systrace.target import user
from systrace.target.user import Identity

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

ROOT = Path(__file__).parents[2]
DAEMON = pwd.getpwnam("daemon")


def sudo(
    uid: object = DAEMON.pw_uid, gid: object = DAEMON.pw_gid, name: str = "daemon"
) -> dict[str, str]:
    return {"SUDO_UID": str(uid), "SUDO_GID": str(gid), "SUDO_USER": name}


def test_root_without_sudo_stays_root() -> None:
    assert user.resolve(None, {}) is None


def test_under_sudo_it_is_whoever_called_sudo() -> None:
    identity = user.resolve(None, sudo())
    assert identity is not None
    assert (identity.uid, identity.gid) == (DAEMON.pw_uid, DAEMON.pw_gid)
    assert identity.groups == tuple(os.getgrouplist("daemon", DAEMON.pw_gid))
    assert (identity.name, identity.home) == ("daemon", DAEMON.pw_dir)


def test_root_who_called_sudo_stays_root() -> None:
    assert user.resolve(None, sudo(0, 0, "root")) is None
    assert user.resolve(None, sudo(0, 1000, "gone")) is None


def test_another_group_of_the_callers_is_kept_and_a_strange_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getgrouplist", lambda _, gid: [gid, 27])
    theirs, strange = user.caller(sudo(gid=27)), user.caller(sudo(gid=28))
    assert theirs is not None
    assert theirs.gid == 27
    assert strange is not None
    assert strange.gid == DAEMON.pw_gid


@pytest.mark.parametrize(
    "environ",
    [sudo(name="bin"), sudo(uid=4_000_000), sudo(uid="x"), sudo(gid="x"), sudo(uid=""),
     sudo(uid="-1"), sudo(uid=2**70), {"SUDO_UID": str(DAEMON.pw_uid)}, {"SUDO_USER": "daemon"},
     {"SUDO_UID": str(DAEMON.pw_uid), "SUDO_USER": "daemon"}],
)  # fmt: skip
def test_a_contradiction_is_refused_and_never_means_root(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"cannot tell who called sudo .* -u USER"):
        user.resolve(None, environ)


def test_u_overrides_sudo() -> None:
    identity = user.resolve("root", sudo())
    assert identity is not None
    assert (identity.uid, identity.gid, identity.home) == (0, 0, pwd.getpwuid(0).pw_dir)


def test_u_takes_a_name_or_a_number() -> None:
    assert user.resolve("daemon", {}) == user.resolve(str(DAEMON.pw_uid), {})


@pytest.mark.parametrize("name", ["nosuchuser", "", "4000000", "-1", "99999999999999999999", "٣x"])
def test_nobody_becomes_a_user_who_does_not_exist(name: str) -> None:
    with pytest.raises(UsageError, match="there is no user"):
        user.resolve(name, {})


def test_u_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="-u/--user needs root"):
        user.resolve("daemon", {})
    assert user.resolve(None, sudo()) is None


def test_the_environment_changes_in_three_places() -> None:
    identity = Identity(1, 1, (1,), "daemon", "/usr/sbin")
    before = {b"HOME": b"/root", b"USER": b"root", b"PATH": b"/bin", b"MAIL": b"\xff"}
    assert identity.environment(before) == {
        b"HOME": b"/usr/sbin", b"USER": b"daemon", b"LOGNAME": b"daemon", b"PATH": b"/bin",
        b"MAIL": b"\xff",
    }  # fmt: skip
    assert before[b"HOME"] == b"/root"


def test_after_drop_nothing_of_root_is_left() -> None:
    code = (
        "import os\n"
        "from systrace.target.user import Identity, drop\n"
        "drop(Identity(1234, 2345, (2345, 3456), 'x', '/'))\n"
        "print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))\n"
        "print(open('/proc/self/status').read().split('CapEff:')[1].split()[0])\n"
        "try: os.seteuid(0)\n"
        "except PermissionError: print('refused')"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "(1234, 1234, 1234) (2345, 2345, 2345) [2345, 3456]",
        "0000000000000000",
        "refused",
    ]


def test_drop_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(PermissionError):
        user.drop(Identity(1, 1, (1,), "daemon", "/"))
    assert os.getresuid() == (0, 0, 0)


def ids() -> object:
    return os.getresuid(), os.getresgid(), os.getgroups(), privileges()


def privileges() -> str:
    return Path("/proc/thread-self/status").read_text().split("CapEff:")[1].split()[0]


def test_acting_as_somebody_ends_with_all_rights_back() -> None:
    before = ids()
    with user.acting_as(Identity(1234, 2345, (2345, 3456), "x", "/")):
        assert (os.geteuid(), os.getegid()) == (1234, 2345)
        assert sorted(os.getgroups()) == [2345, 3456]
        assert os.getresuid()[0] == os.getresuid()[2] == 0
        assert privileges() == "0000000000000000"
    assert ids() == before


def test_acting_as_somebody_ends_well_whatever_happens() -> None:
    before = ids()
    with pytest.raises(KeyboardInterrupt), user.acting_as(Identity(1, 2, (3,), "x", "/")):
        raise KeyboardInterrupt
    assert ids() == before


def test_acting_as_nobody_in_particular_changes_nothing() -> None:
    before = ids()
    with user.acting_as(None):
        assert ids() == before
