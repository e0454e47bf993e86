"""A JSON object read field by field, refusing what should not be there by its place."""

import math
from collections.abc import Iterator
from typing import Any, NoReturn

from systrace.errors import InputError

_SHOWN = 40
_LARGEST = 2**64 - 1


class Fields:
    """The fields of a JSON object at ``path`` (empty: the document itself).

    Every method raises InputError, such as ``calls[3].count: expected a whole number, found 'x'``.
    Numbers are never negative, and 5.0 is a whole one, as in JSON Schema. Whole numbers have at
    most 64 bits, as the kernel's have.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise InputError(f"{path or 'the document'}: expected an object, found {shown(value)}")
        self._fields: dict[str, Any] = value
        self._path = path

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self._fields.get(key) is not None

    def text(self, key: str) -> str:
        """Read a string."""
        value = self._value(key)
        return value if isinstance(value, str) else self.refuse(key, "a string")

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of strings."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            self.refuse(key, "a list of strings")
        return tuple(values)

    def number(self, key: str) -> int:
        """Read a whole number."""
        number = _whole(self._value(key))
        return self.refuse(key, "a whole number") if number is None else number

    def number_or_none(self, key: str) -> int | None:
        """Read a whole number that may be null or absent."""
        return self.number(key) if self.has(key) else None

    def real(self, key: str) -> float:
        """Read a finite number."""
        number = _real(self._value(key))
        return self.refuse(key, "a number") if number is None else number

    def flag(self, key: str) -> bool:
        """Read true or false; absent is false."""
        value = self._fields.get(key, False)
        return value if isinstance(value, bool) else self.refuse(key, "true or false")

    def counts(self, key: str) -> dict[str, int]:
        """Read an object of whole numbers."""
        inner = self.child(key)
        return {name: inner.number(name) for name in inner._fields}

    def buckets(self, key: str) -> Iterator[tuple[int, int, int]]:
        """Read a list of lists of three whole numbers."""
        for bucket in self._list(key):
            numbers = [_whole(value) for value in bucket] if isinstance(bucket, list) else []
            match numbers:
                case [int(low), int(high), int(count)]:
                    yield low, high, count
                case _:
                    self.refuse(key, "a list of [low, high, count]")

    def child(self, key: str) -> "Fields":
        """Read an object."""
        return Fields(self._value(key), self._place(key))

    def children(self, key: str) -> "Iterator[Fields]":
        """Read a list of objects."""
        for index, value in enumerate(self._list(key)):
            yield Fields(value, f"{self._place(key)}[{index}]")

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Raise InputError: this field is not what was expected."""
        found = shown(self._fields.get(key))
        raise InputError(f"{self._place(key)}: expected {expected}, found {found}")

    def _list(self, key: str) -> list[Any]:
        value = self._value(key)
        return value if isinstance(value, list) else self.refuse(key, "a list")

    def _value(self, key: str) -> Any:
        if key not in self._fields:
            raise InputError(f"{self._place(key)} is missing")
        return self._fields[key]

    def _place(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def shown(value: Any) -> str:
    """Quote a value in a message, no longer than a message bears."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and type(value) is not bool
    return value if whole and 0 <= value <= _LARGEST else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
