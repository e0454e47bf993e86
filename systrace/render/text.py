"""Text from outside made harmless, and text of ours fitted to a number of columns.

Columns are those of a terminal: an East Asian wide character takes two, a combining mark none.
"""

import unicodedata
from collections.abc import Iterable, Iterator

_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}

# Control, format (bidi overrides, zero width), surrogate, private, unassigned; and the two
# separators that break a line. A program chooses its own argv and comm.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# os.fsdecode turns a byte that is no UTF-8 into one of these.
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF
_BYTE_OFFSET = 0xDC00

_ELLIPSIS = "..."


def printable(text: str) -> str:
    r"""Escape what would not show as itself: ``\n``, ``\x1b``, ``\u202e``.

    A byte that was no UTF-8 shows as itself, ``\x80``. The result is one line, and encodes.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def columns(text: str) -> int:
    """How many columns a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def clip(text: str, width: int) -> str:
    """Cut a text to ``width`` columns, with ``...`` where it was cut."""
    if columns(text) <= width:
        return text
    ellipsis = _ELLIPSIS[: max(width, 0)]
    return _head(text, width - len(ellipsis)) + ellipsis


def wrap(text: str, width: int) -> list[str]:
    """Break a text at spaces into lines of at most ``width`` columns; a longer word is cut up."""
    lines: list[str] = []
    line = ""
    for word in _words(text.split(" "), width):
        joined = f"{line} {word}" if line else word
        if columns(joined) <= width:
            line = joined
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line else lines


def _words(words: Iterable[str], width: int) -> Iterator[str]:
    for word in words:
        rest = word
        while columns(rest) > width:
            head = _head(rest, width) or rest[0]
            yield head
            rest = rest[len(head) :]
        if rest:
            yield rest


def _head(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:index]
    return text


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        code -= _BYTE_OFFSET
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
