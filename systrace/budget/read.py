"""A budget file, read; what is not one is refused with the place where it went wrong.

.. code-block:: toml

    schema = "systrace.budget/1"
    fail-if = ["openat.count > 38", "write.p99 > 2ms"]   # as after --fail-if
    calls = ["openat", "write", "exit*"]                 # any other call is over budget

One of ``fail-if`` and ``calls`` may be absent.
"""

import re
import sys
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from systrace import launcher
from systrace.budget import SCHEMA
from systrace.errors import InputError
from systrace.fields import Fields, shown
from systrace.limits.grammar import Limit, LimitError, parse
from systrace.limits.quantity import NEW_CALLS, Quantity, may_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS: Final = ("schema", "fail-if", "calls")
_STRING: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_MOST_DOTS: Final = 32  # outside of strings, in a line; a budget needs none
_BEGINNING: Final = 4096
_LARGEST: Final = 1 << 20  # bytes; a budget of every call there is takes a twentieth of it


def read(path: str, names: Collection[str] = ()) -> tuple[Limit, ...]:
    """Read the limits of a budget; ``names`` are calls of reports, known besides the kernel's.

    Raises InputError, which names the file.
    """
    text = _read_text(path)
    try:
        return _limits(_parsed(text), path, names)
    except InputError as error:
        raise InputError(f"{path!r} is not a budget: {error}") from error


def _read_text(path: str) -> str:
    if path == "-":
        raise InputError(
            "a budget is read from a file, and - is standard input; "
            "in bash <(COMMAND) is a file of what a command writes"
        )
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
        if _begins_like_json(data[:_BEGINNING].decode(errors="replace")):
            line = launcher.call(("budget", "-o", "budget.toml", path))
            raise InputError(
                f"{path!r} is JSON, as reports are; a budget is made of it by:\n  {line}"
            )
        if len(data) > _LARGEST:
            raise InputError(f"{path!r} is not a budget: it is larger than {_LARGEST:,} bytes")
        return data.decode()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError | ValueError) -> InputError:
    # A ValueError is of bytes that are no UTF-8, or of a name with a NUL in it.
    reason = error.strerror if isinstance(error, OSError) else error
    return InputError(f"cannot read {path!r}: {reason}")


def is_json(path: str) -> bool | None:
    """Whether a file begins as a saved report does, and no TOML can; None for no regular file.

    A pipe can be read once only. Raises InputError.
    """
    try:
        if not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            return _begins_like_json(file.read(_BEGINNING).decode(errors="replace"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _begins_like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def _parsed(text: str) -> dict[str, Any]:
    # of a dotted key tomllib looks at every beginning
    if any(line.count(".") > _MOST_DOTS for line in _STRING.sub("", text).split("\n")):
        raise InputError("its keys are nested too deep")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(error)) from error
    except RecursionError as error:
        raise InputError("its brackets are nested too deep") from error
    except ValueError as error:
        # int() refuses more than 4300 digits, and dates have their own limits.
        raise InputError(str(error)) from error


def _limits(document: Mapping[str, Any], path: str, names: Collection[str]) -> tuple[Limit, ...]:
    whole = Fields(dict(document))
    if not whole.has("schema"):
        raise InputError(f"it lacks the line schema = {SCHEMA!r}")
    schema = whole.text("schema")
    if schema != SCHEMA:
        raise InputError(f"its schema is {shown(schema)}, and this systrace reads {SCHEMA!r}")
    _refuse_unknown(document)
    expressions = whole.texts("fail-if") if whole.has("fail-if") else ()
    calls = whole.texts("calls") if whole.has("calls") else None
    if not expressions and calls is None:
        raise InputError("it holds no limit, neither in fail-if nor in calls")
    known = (*names, *(calls or ()))
    limits = [_limit(text, index, path, known) for index, text in enumerate(expressions)]
    if calls is not None:
        limits.append(_no_other(calls, path))
    return tuple(limits)


def _refuse_unknown(document: Mapping[str, Any]) -> None:
    """Refuse a key that says nothing to us: a limit must not be passed over."""
    for key in document:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_KEYS)}"
            raise InputError(f"there is no key {shown(key)}{meant}")


def _limit(text: str, index: int, path: str, known: Collection[str]) -> Limit:
    try:
        return parse(text, known, path)
    except LimitError as error:
        raise InputError(f"fail-if[{index}], {shown(text)}, {error}") from error


def _no_other(calls: tuple[str, ...], path: str) -> Limit:
    for index, name in enumerate(calls):
        if not may_name(name):
            raise InputError(
                f"calls[{index}]: expected the name of a call, or a pattern with * or ?, "
                f"found {shown(name)}"
            )
    return Limit(Quantity(NEW_CALLS), ">", Fraction(0), bound_text="0", file=path, known=calls)
