"""The files that commands are started from, before anything is started."""

import os
from collections.abc import Iterable, Sequence

from systrace.errors import SystraceError
from systrace.target import user
from systrace.target.command import find


def files(commands: Iterable[Sequence[str]], as_user: str | None) -> tuple[str, ...]:
    """Find those that can be run; of the others the engine says why."""
    return tuple(file for command in commands if (file := _file(command[0], as_user)) is not None)


def _file(name: str, as_user: str | None) -> str | None:
    try:
        return find(name, os.environ.get("PATH"), user.resolve(as_user))
    except SystraceError:
        return None
