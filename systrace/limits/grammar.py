"""The grammar of a limit: one quantity, one comparison, one bound.

.. code-block:: text

    limit     = quantity operator bound
    quantity  = total | call "." field      ring0_calls, openat.count, *.filtered, write.p99
    call      = a name, or a pattern of * and ?
    operator  = ">" | ">=" | "<" | "<=" | "==" | "!="
    bound     = number [unit]               an absolute value: 400, 2_000_000, 2,000,000, 1.5ms
              | ("+" | "-") number [unit]   a change from the baseline: +10, -200us
              | ("+" | "-") number "%"      the same, in percent of it: +5%
    unit      = "ns" | "us" | "ms" | "s" | "m" | "h", for times and for nothing else

A limit says when to fail. Spaces may stand between any two of quantity, operator, number and unit.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from typing import Final, Literal, NoReturn

from systrace import syscalls
from systrace.errors import InputError
from systrace.fields import shown
from systrace.limits.quantity import FIELDS, NEW_CALLS, TOTALS, Quantity, is_pattern, matches

Operator = Literal[">", ">=", "<", "<=", "==", "!="]

OPERATORS: Final[tuple[Operator, ...]] = (">", ">=", "<", "<=", "==", "!=")
UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "\N{GREEK SMALL LETTER MU}s": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_UNITS: Final = "ns, us, ms, s, m or h"
_MEANT: Final = {
    "=>": ">=",
    "=<": "<=",
    "=": "==",
    "<>": "!=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{NOT EQUAL TO}": "!=",
}

_SIGNS: Final = "".join(sorted({*"<>=!", *"".join(_MEANT)}))
_SPACE: Final = re.compile(r"\s*")
_WORD: Final = re.compile(rf"[^\s{re.escape(_SIGNS)}]+")
_OPERATOR: Final = re.compile(rf"[{re.escape(_SIGNS)}]+")
_NUMBER: Final = re.compile(r"([+-]?)([0-9](?:[0-9_]|,(?=[0-9]))*(?:\.[0-9]+)?|\.[0-9]+)")
_WHOLE: Final = re.compile(r"[0-9]+(?:_[0-9]+)*|[0-9]{1,3}(?:,[0-9]{3})+|")
_UNIT: Final = re.compile(r"%|[^\W\d_]+")
_FIELD_APART: Final = re.compile(r"\s*\.\s*([^\s<>=!]+)")
_NAME: Final = re.compile(r"[A-Za-z0-9_*?]+")
_MOST_DIGITS: Final = 20  # what the kernel counts has 64 bits

_UNNAMED: Final = "syscall_9999"  # what a call without a name is called in a report
_TO_EXPLAIN: Final = "a quantity such as ring0_calls or openat.count"


class LimitError(InputError):
    """An expression that is no limit: ``column 14: expected ..., found ...``."""


@dataclass(frozen=True, slots=True)
class Limit:
    """When to fail: if ``quantity operator bound`` is true.

    ``bound`` is a number of calls or ns, or with ``change`` the difference from a baseline, where
    ``percent`` is one of its figure. ``bound_text`` is what was typed. ``file`` is the budget that
    it stands in, empty for ``--fail-if``. ``known`` are the names (or patterns) that are not new,
    for ``new_calls`` in a budget; None means those of the baseline.
    """

    quantity: Quantity
    operator: Operator
    bound: Fraction
    change: Literal["", "by", "percent"] = ""
    bound_text: str = field(default="", compare=False)
    file: str = ""
    known: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.quantity} {self.operator} {self.bound_text}"

    @property
    def needs_baseline(self) -> bool:
        """Whether it says something of a change only."""
        return bool(self.change) or (self.quantity.field == NEW_CALLS and self.known is None)


def parse(text: str, names: Collection[str] = (), file: str = "") -> Limit:
    """Read an expression; ``names`` are calls of reports, known besides those of the kernel.

    Raises LimitError, which says where and what was expected there.
    """
    return _Parser(text, names).limit(file)


class _Parser:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text = text
        self._at = 0
        self._names = names

    def limit(self, file: str) -> Limit:
        quantity = self._quantity()
        operator = self._operator()
        bound, change, bound_text = self._bound(quantity)
        start = self._skip()
        if start < len(self._text):
            self._fail(start, "the end, for one expression holds one limit")
        if operator == "<" and not bound and not change:
            raise LimitError("column 1: nothing is below 0, so this limit would never fail")
        return Limit(quantity, operator, bound, change, bound_text, file)

    def _quantity(self) -> Quantity:
        start = self._skip()
        word = self._take(_WORD)
        if not word:
            self._fail(start, _TO_EXPLAIN)
        if word[0] in "+-.0123456789":
            self._fail(start, f"{_TO_EXPLAIN}: the bound stands on the right", word)
        call, dot, name = word.partition(".")
        if not dot:
            return self._total(word, start)
        self._check_call(call, start)
        if name not in FIELDS:
            place = start + len(call) + 1
            near = _near(name, FIELDS)
            known = "" if near else f": {_listed(FIELDS)}"
            self._fail(place, f"a figure of a call{known}", name, near)
        return Quantity(name, call)

    def _total(self, word: str, start: int) -> Quantity:
        if word in TOTALS:
            return Quantity(word)
        if is_pattern(word) or self._is_call(word):
            apart = _FIELD_APART.match(self._text, self._at)
            if apart and apart[1] in FIELDS:
                found, meant = word + apart[0], f"{word}.{apart[1]}"
                self._fail(start, "a quantity without spaces", found, meant)
            self._fail(start, "a figure of the call", word, f"{word}.count")
        near = _near(word, (*TOTALS, *self._calls()))
        if near and near not in TOTALS:
            near += ".count"
        known = "" if near else f", or a total: {_listed(TOTALS)}"
        return self._fail(start, f"{_TO_EXPLAIN}{known}", word, near)

    def _check_call(self, name: str, start: int) -> None:
        if name in TOTALS:
            self._fail(start, f"the name of a call; {name} is a total and stands alone", name)
        wrong = _NAME.match(name)
        if wrong is None or wrong[0] != name:
            place = start + (wrong.end() if wrong else 0)
            self._fail(place, "the name of a call: letters, digits, _, and * or ? for any others")
        if is_pattern(name):
            if not any(matches(call, name) for call in (*self._calls(), _UNNAMED)):
                self._fail(start, "a pattern that matches some call", name)
        elif not self._is_call(name):
            self._fail(start, "the name of a call", name, _near(name, self._calls()))

    def _is_call(self, name: str) -> bool:
        return name in self._calls() or syscalls.is_unnamed(name)

    def _calls(self) -> frozenset[str]:
        return syscalls.names() | syscalls.VDSO_FUNCTIONS | frozenset(self._names)

    def _operator(self) -> Operator:
        start = self._skip()
        typed = self._take(_OPERATOR)
        found = next((operator for operator in OPERATORS if operator == typed), None)
        if found is None:
            meant = _MEANT.get(typed, "")
            self._fail(start, ">, >=, <, <=, == or !=", typed or None, meant)
        return found

    def _bound(self, quantity: Quantity) -> tuple[Fraction, Literal["", "by", "percent"], str]:
        start = self._skip()
        match = _NUMBER.match(self._text, start)
        if match is None:
            self._fail(start, "a number, with a sign in front where it is a change")
        self._at = match.end()
        sign, typed = match.groups()
        whole, _, fraction = typed.partition(".")
        if not _WHOLE.fullmatch(whole):
            self._fail(start, "a number such as 2000000, 2_000_000 or 2,000,000", match[0])
        digits = whole.replace("_", "").replace(",", "")
        if len(digits) + len(fraction) > _MOST_DIGITS:
            self._fail(start, f"a number of at most {_MOST_DIGITS} digits", match[0])
        number = Fraction(f"{sign}{digits or 0}.{fraction or 0}")
        place = self._skip()
        unit = self._take(_UNIT)
        if unit not in (*UNITS, "%") and place > match.end():
            # a word of its own
            self._at, unit = place, ""
        if quantity.field == NEW_CALLS and sign:
            self._fail(start, "a number without a sign: new_calls is a change already", match[0])
        if unit == "%":
            if not sign:
                self._fail(start, "a sign in front of a change", f"{typed}%", f"+{typed}%")
            return number, "percent", f"{match[0]}%"
        self._check_unit(quantity, unit, place)
        if unit not in UNITS and number.denominator != 1:
            self._fail(start, f"a whole number, for {quantity} is a count", match[0])
        return number * UNITS.get(unit, 1), "by" if sign else "", f"{match[0]}{unit}"

    def _check_unit(self, quantity: Quantity, unit: str, place: int) -> None:
        if quantity.is_time and unit not in UNITS:
            self._fail(place, f"a unit, for {quantity} is a time: {_UNITS}", unit or None)
        if not quantity.is_time and unit:
            self._fail(place, f"no unit, for {quantity} is a count", unit)

    def _skip(self) -> int:
        """Step over spaces; returns where we are."""
        self._take(_SPACE)
        return self._at

    def _take(self, token: re.Pattern[str]) -> str:
        match = token.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _fail(
        self, place: int, expected: str, found: str | None = None, meant: str = ""
    ) -> NoReturn:
        """Refuse what stands at ``place``: ``found``, or by default the next word there.

        ``meant`` is what should stand in its stead.
        """
        if found is None:
            rest = self._text[place:].split(maxsplit=1)
            found = rest[0] if rest else ""
        said = f"column {place + 1}: expected {expected}"
        if found or place >= len(self._text):
            said += f", found {shown(found) if found else 'the end'}"
        if meant:
            corrected = self._text[:place] + meant + self._text[place + len(found) :]
            said += f"; did you mean {corrected.strip()!r}?"
        raise LimitError(said)


def _near(name: str, among: Collection[str]) -> str:
    close = get_close_matches(name.lower(), sorted(among), n=1)
    return close[0] if close else ""


def _listed(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
