"""Who the target runs as: sudo is for systrace, not for the program it traces."""

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from systrace import launcher
from systrace.errors import UsageError

_SUDO = ("SUDO_UID", "SUDO_GID", "SUDO_USER")


class Identity(NamedTuple):
    """A user, whole: what credentials(7) and login(1) would give it."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str

    def environment(self, env: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """``env`` with HOME, USER and LOGNAME of this user; nothing else is touched."""
        name = os.fsencode(self.name)
        return {**env, b"HOME": os.fsencode(self.home), b"USER": name, b"LOGNAME": name}


def resolve(user: str | None, environ: Mapping[str, str] = os.environ) -> Identity | None:
    """Decide who to become for ``-u USER``, or, without it, for the user who called sudo.

    None when nothing has to change: we are not root, or root without sudo and without ``-u``.
    Raises UsageError: no such user, ``-u`` without being root, or SUDO_* that contradict each
    other or the passwd database.
    """
    if user is None:
        return caller(environ)
    if os.geteuid() != 0:
        raise UsageError("-u/--user needs root: only root can run a command as somebody else")
    return _named(user)


def caller(environ: Mapping[str, str] = os.environ) -> Identity | None:
    """Find the user who called sudo; None without sudo, or where root called it (SUDO_UID=0).

    Raises UsageError when SUDO_* contradict each other: guessing could run the target as root.
    """
    given = [environ.get(name) for name in _SUDO]
    if os.geteuid() != 0 or not any(given):
        return None
    uid, gid, name = given
    if uid == "0":
        return None
    entry = _entry(uid, name)
    group = _number(gid)
    if entry is None or group is None:
        said = launcher.quoted(f"{key}={environ.get(key, '')}" for key in _SUDO)
        raise UsageError(
            f"cannot tell who called sudo ({said}); say who the command runs as: -u USER"
        )
    # After newgrp(1), sudo was called with another group of theirs.
    groups = _groups(entry)
    primary = group if group in groups else entry.pw_gid
    return Identity(entry.pw_uid, primary, groups, entry.pw_name, entry.pw_dir)


def _entry(uid: str | None, name: str | None) -> pwd.struct_passwd | None:
    """Look the user up, who must have this number and this name."""
    number = _number(uid)
    try:
        entry = None if number is None else pwd.getpwuid(number)
    except (KeyError, OverflowError):
        return None
    return entry if entry is not None and entry.pw_name == name else None


def _number(text: str | None) -> int | None:
    """Read a uid or a gid, as sudo writes them."""
    return int(text) if text and re.fullmatch("[0-9]{1,10}", text) else None


def drop(identity: Identity) -> None:
    """Become ``identity`` for good, in a forked child just before it calls exec.

    Groups first, for only root may set them; the user last. Raises OSError.
    """
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)


@contextmanager
def acting_as(identity: Identity | None) -> Iterator[None]:
    """Let the kernel check file access as ``identity`` for a while; None changes nothing.

    Only effective ids change, and all threads change with them (nptl(7)). The real and saved ids
    stay root's, so that the user can neither signal nor trace us meanwhile. Raises OSError; when
    the way back fails, that too is raised, for to go on half changed would be worse.
    """
    if identity is None:
        yield
        return
    groups, gid, uid = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(identity.groups)
    try:
        os.setegid(identity.gid)
        os.seteuid(identity.uid)
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


def _named(user: str) -> Identity:
    """Look for a name first and a number second, as chown(1) reads them."""
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        try:
            entry = pwd.getpwuid(int(user))
        except (KeyError, ValueError, OverflowError):
            raise UsageError(
                f"there is no user {user!r}; `getent passwd` lists those there are"
            ) from None
    return Identity(entry.pw_uid, entry.pw_gid, _groups(entry), entry.pw_name, entry.pw_dir)


def _groups(entry: pwd.struct_passwd) -> tuple[int, ...]:
    return tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
