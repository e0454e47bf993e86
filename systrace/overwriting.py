"""No output takes the place of a file that the same command line reads, or runs."""

import os
import stat
from collections.abc import Collection, Iterable

from systrace import launcher
from systrace.errors import UsageError
from systrace.target.user import Identity, acting_as

_STDIN, _STDOUT = 0, 1


def refuse(outputs: Collection[str], inputs: Iterable[str], author: Identity | None) -> None:
    """Refuse an output that is one of the inputs, whatever links or other names lead there.

    ``-`` is standard output, and among the inputs standard input. They are looked at as ``author``
    would. Raises UsageError.
    """
    if not outputs:
        return
    with acting_as(author):
        read = {_identity(name, _STDIN): name for name in inputs}
        read.pop(None, None)
        for name in outputs:
            found = read.get(_identity(name, _STDOUT))
            if found is not None:
                raise UsageError(
                    f"cannot write {_spelled(name, 'output')}: that would replace "
                    f"{_spelled(found, 'input')}, which is read or run here; "
                    "give -o another file"
                )


def _identity(name: str, standard: int) -> tuple[int, int] | None:
    """Device and inode of a regular file; of anything else nothing can be lost."""
    try:
        found = os.fstat(standard) if name == "-" else os.stat(name)  # noqa: PTH116
    except (OSError, ValueError):  # not there, or no name of a file: said where it is opened
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _spelled(name: str, stream: str) -> str:
    return f"standard {stream}" if name == "-" else launcher.quoted((name,))
