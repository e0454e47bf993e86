"""``-e SET``: which calls are counted, written as for ``strace -e trace=SET``."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from systrace import syscalls
from systrace.errors import UsageError
from systrace.options import Selection
from systrace.syscall_classes import classes

_EVERY_CALL = Selection(frozenset(), negated=True)
_NO_CALL = Selection(frozenset())

# strace's other expressions: signal=, fault=, status=, … count nothing, they change the trace.
_QUALIFIER = re.compile(r"\s*([a-z-]+)\s*=(.*)", re.DOTALL)


def parse(expressions: Sequence[str]) -> Selection:
    """Parse every ``-e`` that was given; the last one counts, as in strace.

    An expression is a list of names, ``%classes``, ``/regex`` (searched for in every name),
    ``all`` and ``none``, with ``trace=`` in front or not. ``!`` in front of the whole list negates
    it: all but these. ``!name`` further on takes the name out of what stands before it. ``?name``
    may be unknown. Without any expression every call is counted.

    Raises UsageError for whatever cannot be meant.
    """
    selection = _EVERY_CALL
    for expression in expressions:
        selection = _expression(expression)
    return selection


def narrowing(expressions: Sequence[str]) -> Selection | None:
    """Parse as ``parse``; None where nothing is left out, as by ``all``. Raises UsageError."""
    selection = parse(expressions)
    return None if selection == _EVERY_CALL else selection


def _expression(expression: str) -> Selection:
    listed = _without_qualifier(expression).strip()
    negated = listed.startswith("!")
    elements = [element.strip() for element in listed.removeprefix("!").split(",")]
    elements = [element for element in elements if element]
    if not elements:
        raise UsageError(f"-e: no call is named in {expression!r}; 'none' selects none")
    selection = _NO_CALL
    for element in elements:
        # All but futex and !read is all but futex and read: nothing else can be meant.
        taken_out = element.startswith("!") and not negated
        chosen = _element(element.removeprefix("!"))
        selection = _minus(selection, chosen) if taken_out else _plus(selection, chosen)
    return _inverse(selection) if negated else selection


def _without_qualifier(expression: str) -> str:
    match = _QUALIFIER.fullmatch(expression)
    if match is None:
        return expression
    if match[1] not in ("trace", "t"):
        raise UsageError(
            f"-e: '{match[1]}=' is strace's; systrace selects calls by name: -e trace=SET or -e SET"
        )
    return match[2]


def _element(element: str) -> Selection:
    """Everything that one element of the list names."""
    if element == "all":
        return _EVERY_CALL
    if element == "none":
        return _NO_CALL
    lenient = element.startswith("?")
    name = element.removeprefix("?")
    if name.startswith("/"):
        return Selection(_matching(name.removeprefix("/"), lenient=lenient))
    if name.startswith("%"):
        return Selection(_members(name, lenient=lenient))
    return Selection(_named(name, lenient=lenient))


def _matching(regex: str, *, lenient: bool) -> frozenset[str]:
    try:
        pattern = re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"-e: {'/' + regex!r} is not a regular expression: {error}") from error
    found = frozenset(name for name in _names() if pattern.search(name))
    if not found and not lenient:
        raise UsageError(f"-e: no call matches {'/' + regex!r}")
    return found


def _members(name: str, *, lenient: bool) -> frozenset[str]:
    found = classes().get(name)
    if found is not None:
        return found
    if lenient:
        return frozenset()
    raise UsageError(
        f"-e: there is no class {name!r}; {_close(name, classes()) or f'there are {_list()}'}"
    )


def _named(name: str, *, lenient: bool) -> frozenset[str]:
    _refuse_bare_class(name)
    number = syscalls.unnamed_number(name)
    if number is not None:
        _refuse_named_number(number)
        return frozenset({name})
    if name in _names():
        return frozenset({name})
    if lenient:
        return frozenset()
    if re.fullmatch("-?[0-9]+", name):
        raise UsageError(
            f"-e: {name} is another call on each ABI; give its name, or 'syscall_{name}' "
            "if it has none"
        )
    if "@" in name:
        bare = name.partition("@")[0]
        raise UsageError(f"-e: a name is selected on every ABI; instead of {name!r} write {bare!r}")
    hint = _as_regex(name) or _close(name, [*_names(), *classes()])
    raise UsageError(f"-e: there is no call {name!r}" + (f"; {hint}" if hint else ""))


def _as_regex(name: str) -> str:
    """Say how a shell's pattern is written; empty where it is none, or no call matches."""
    # Not by the regular expression, which may take for ever.
    if not re.fullmatch("[a-z0-9_*?]+", name) or not any(fnmatchcase(n, name) for n in _names()):
        return ""
    regex = re.sub(r"\*+", ".*", name.replace("?", "."))
    return f"did you mean '/{f'^{regex}$'.removesuffix('.*$')}'?"


def _refuse_bare_class(name: str) -> None:
    """``file`` for ``%file``: an old spelling, and for two names a call as well.

    Where both are living names (``stat``, ``fstat``, …) the bare one is the call, as in strace.
    """
    if name in ("signal", "ipc"):
        raise UsageError(
            f"-e: '{name}' is a class for strace and a call on i386; write '%{name}' for the "
            f"class, '/^{name}$' for the call"
        )
    if f"%{name}" in classes() and name not in _names():
        raise UsageError(f"-e: '{name}' is a class; write '%{name}'")


def _refuse_named_number(number: int) -> None:
    """``syscall_1`` would never be counted, for call 1 has a name wherever it can be made."""
    found = [syscalls.name(abi, number) for abi in syscalls.ABIS]
    if f"syscall_{number}" not in found:
        known = " and ".join(
            f"{name!r} ({abi})" for abi, name in zip(syscalls.ABIS, found, strict=True)
        )
        raise UsageError(f"-e: call {number} has a name: {known}")


def _names() -> frozenset[str]:
    return syscalls.names() | syscalls.VDSO_FUNCTIONS


def _close(name: str, among: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(among), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _list() -> str:
    return ", ".join(classes())


# A selection names either the calls that are in it or those that are not; so does any union or
# difference of two.


def _inverse(one: Selection) -> Selection:
    return Selection(one.names, negated=not one.negated)


def _plus(one: Selection, other: Selection) -> Selection:
    if one.negated and other.negated:
        return Selection(one.names & other.names, negated=True)
    if one.negated:
        return Selection(one.names - other.names, negated=True)
    if other.negated:
        return Selection(other.names - one.names, negated=True)
    return Selection(one.names | other.names)


def _minus(one: Selection, other: Selection) -> Selection:
    return _inverse(_plus(_inverse(one), other))
