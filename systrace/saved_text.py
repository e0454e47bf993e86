"""The text of a saved report; what cannot be one is refused before it is all in memory."""

import os
import select
from collections.abc import Iterator
from io import FileIO
from typing import Final

from systrace.errors import InputError
from systrace.fields import shown

LARGEST: Final = 1 << 29  # bytes; 100,000 processes with -P take three fifths of it
_BLOCK: Final = 1 << 20
_SPACE: Final = b" \t\n\r"  # RFC 8259
_SHOWN: Final = 16


def read(path: str | os.PathLike[str]) -> str:
    """Read a file (``-``: standard input) that begins as a report does, and is not too large.

    Raises InputError; OSError; and ValueError for a name with a NUL, and bytes that are no UTF-8.
    """
    text = bytearray()
    begun = False
    with FileIO(0 if path == "-" else os.fspath(path), closefd=path != "-") as file:
        for block in _blocks(file):
            if not begun and (beginning := block.lstrip(_SPACE)):
                begun = True
                _refuse_other(beginning)
            text += block
            if len(text) > LARGEST:
                raise InputError(f"it is larger than {LARGEST:,} bytes")
    return text.decode()


def _blocks(file: FileIO) -> Iterator[bytes]:
    while (block := file.read(_BLOCK)) != b"":
        if block is None:  # somebody made it non-blocking
            select.select((file,), (), ())
        else:
            yield block


def _refuse_other(beginning: bytes) -> None:
    if not beginning.startswith(b"{"):
        found = shown(beginning[:_SHOWN].decode(errors="replace"))
        raise InputError(f"it begins with {found}, and a report with '{{'")
