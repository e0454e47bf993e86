"""sudo is for systrace, not for the program that it traces."""

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tracing import HANGS_S, SYSTRACE, Tracer


def groups(user: pwd.struct_passwd) -> set[int]:
    return set(os.getgrouplist(user.pw_name, user.pw_gid))


def most_grouped() -> pwd.struct_passwd:
    """Whoever has the most supplementary groups: a test makes no users on a machine."""
    return max((user for user in pwd.getpwall() if user.pw_uid), key=lambda user: len(groups(user)))


def sudo_by(user: pwd.struct_passwd) -> dict[str, str]:
    """The environment in which sudo starts a command for this user."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SUDO_UID": str(user.pw_uid),
        "SUDO_GID": str(user.pw_gid),
        "SUDO_USER": user.pw_name,
    }


def run(*words: str, env: dict[str, str] | None = None, cwd: str = "/") -> str:
    return subprocess.check_output(
        [SYSTRACE, "run", "-q", *words], text=True, env=env, cwd=cwd, timeout=HANGS_S
    )


def credentials(text: str) -> dict[str, list[str]]:
    return {
        name: value.split() for name, value in (line.split(":", 1) for line in text.splitlines())
    }


def assert_is(text: str, user: pwd.struct_passwd) -> None:
    """All of /proc/self/status that tells who somebody is."""
    status = credentials(text)
    assert status["Uid"] == [str(user.pw_uid)] * 4
    assert status["Gid"] == [str(user.pw_gid)] * 4
    assert {int(group) for group in status["Groups"]} == groups(user)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind][0], 16) == 0, kind


@pytest.mark.parametrize("user", [pwd.getpwnam("nobody"), most_grouped()], ids=lambda user: user[0])
def test_a_named_user_is_who_the_target_runs_as(user: pwd.struct_passwd) -> None:
    for name in (user.pw_name, str(user.pw_uid)):
        assert_is(run("-u", name, "cat", "/proc/self/status"), user)


@pytest.mark.parametrize("user", [pwd.getpwnam("daemon"), most_grouped()], ids=lambda user: user[0])
def test_under_sudo_the_target_runs_as_the_user_who_called_it(user: pwd.struct_passwd) -> None:
    env = sudo_by(user)
    assert_is(run("cat", "/proc/self/status", env=env), user)
    said = dict(line.split("=", 1) for line in run("env", env=env).splitlines())
    assert (said["USER"], said["LOGNAME"], said["HOME"]) == (
        user.pw_name,
        user.pw_name,
        user.pw_dir,
    )


def test_under_sudo_the_target_may_still_be_root() -> None:
    env = sudo_by(pwd.getpwnam("daemon"))
    assert run("-u", "root", "id", "-u", env=env) == "0\n"


def test_without_sudo_root_stays_root(trace: Tracer) -> None:
    traced = trace("id", "-u")
    assert traced.process.stdout == b"0\n"


def test_calls_of_a_user_are_counted_as_roots_are(trace: Tracer) -> None:
    """Nothing that systrace does to become somebody is counted: the first call is execve."""
    as_root, as_user = trace("/bin/true"), trace("/bin/true", options=("-u", "nobody"))
    assert as_user.totals == as_root.totals


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_under_sudo_a_report_belongs_to_the_user_who_called_it(public: Path) -> None:
    user = pwd.getpwnam("daemon")
    os.chown(public, user.pw_uid, user.pw_gid)
    run("-o", "report.json", "true", env=sudo_by(user), cwd=str(public))
    report = public / "report.json"
    assert (report.stat().st_uid, report.stat().st_gid) == (user.pw_uid, user.pw_gid)
    assert json.loads(report.read_text())["exit"]["code"] == 0


def test_under_sudo_no_report_is_written_where_the_user_may_not(public: Path) -> None:
    env = sudo_by(pwd.getpwnam("daemon"))
    argv = [str(SYSTRACE), "run", "-o", "report.json", "echo", "started"]
    done = subprocess.run(
        argv, cwd=public, env=env, capture_output=True, check=False, timeout=HANGS_S
    )
    assert done.returncode == 125
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) <= 2
    assert list(public.iterdir()) == []
