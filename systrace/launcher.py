"""How this systrace is called, spelled so that it can be pasted into a shell."""

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def path() -> tuple[str, ...]:
    """Find the words that start this very systrace from any directory.

    The launcher stands beside the Python that runs us (``bin/systrace``); without one it is that
    Python with ``-m systrace``.
    """
    beside = Path(sys.executable).with_name("systrace")
    if os.access(beside, os.X_OK):
        return (str(beside),)
    if found := _which("systrace"):
        return (str(Path(found).absolute()),)
    return (sys.executable, "-m", "systrace")


def call(arguments: Iterable[str], environ: Mapping[str, str] = os.environ) -> str:
    """Spell the line to type: ``systrace`` by name where PATH has it, after sudo if it was."""
    name = ("systrace",) if _which("systrace") else path()
    sudo = ("sudo",) if "SUDO_UID" in environ and os.geteuid() == 0 else ()
    return quoted((*sudo, *name, *arguments))


def _which(name: str) -> str | None:
    import shutil  # noqa: PLC0415 - brings three compression libraries along

    return shutil.which(name)


def quoted(words: Iterable[str]) -> str:
    r"""Spell the words as one line that a shell splits back into the same words.

    Control characters become ``$'\x1b'``, which bash, zsh, ksh and POSIX.1-2024 read back, so
    that a hostile name can neither break the line nor reach the terminal.
    """
    return " ".join(_quote(word) for word in words)


def _quote(word: str) -> str:
    if not _CONTROL.search(word):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + _CONTROL.sub(lambda found: _escape(found[0]), escaped) + "'"


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
