"""What is said of limits: violations, each with its figures, and remarks. One line each."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import inf

from systrace import launcher
from systrace.limits.figures import Figure, Number, plain
from systrace.limits.grammar import Limit, Operator
from systrace.limits.quantity import Quantity
from systrace.render import units

_THREE_DIGITS = 1000  # the least number that has more

_IS: dict[Operator, str] = {
    ">": "over the limit of {}",
    ">=": "and has to be below {}",
    "<": "under the limit of {}",
    "<=": "and has to be above {}",
    "==": "and may not be {}",
    "!=": "and has to be {}",
}


def violation(
    limit: Limit, quantity: Quantity, figure: Figure, before: Figure | None, *, certain: bool
) -> str:
    """Say what is violated, or, not ``certain``, why it may be."""
    if certain:
        said = f"{_value(limit, quantity, figure)}{_change(figure, before, quantity)}, "
        said += _IS[limit.operator].format(limit.bound_text)
    elif not figure.is_known:
        said = _unknown(quantity, figure)
    elif before is not None:
        said = f"{_value(limit, quantity, figure)}, in the baseline {_unknown(quantity, before)}"
    return f"{quantity} is {said} ({origin(limit)})"


def undecided(text: str) -> str:
    """Add to a violation that nothing tells it from noise."""
    return f"{text}: too few runs to tell this from noise"


def remarks(limit: Limit, quantity: Quantity, figure: Figure) -> Iterator[str]:
    """Say of a limit that holds where it did so for want of calls to be timed."""
    timed = quantity.is_time and quantity.call is not None and not limit.quantity.is_pattern
    if timed and not figure.high:
        yield f"{quantity} is 0, for no {quantity.call} returned ({origin(limit)})"


def origin(limit: Limit) -> str:
    """Say where a limit stands."""
    if not limit.file:
        return f"--fail-if {launcher.quoted((str(limit),))}"
    # that of the list has no text of its own
    place = limit if limit.known is None else "calls"
    return f"{launcher.quoted((limit.file,))}: {place}"


def _value(limit: Limit, quantity: Quantity, figure: Figure) -> str:
    at_least = "" if figure.is_known else "at least "
    exact = units.duration(float(figure.low)) == units.duration(float(limit.bound))
    return f"{at_least}{_number(quantity, figure.low, exact=exact)}{_of(figure)}"


def _unknown(quantity: Quantity, figure: Figure) -> str:
    low, high = (_number(quantity, value) for value in (figure.low, figure.high))
    if figure.high != inf:
        return f"{low} to {high}{_of(figure)}: {figure.doubt}"
    if figure.low:
        return f"at least {low}{_of(figure)}, and how much more is not known: {figure.doubt}"
    return f"not known: {figure.doubt}"


def _change(figure: Figure, before: Figure | None, quantity: Quantity) -> str:
    if before is None:
        return ""
    said = f", {_number(quantity, before.low)} in the baseline"
    if not (figure.is_known and before.is_known):
        return said
    difference = Fraction(figure.low) - Fraction(before.low)
    if before.low:
        return f"{said}: {_percent(100 * difference / Fraction(before.low))} %"
    return said


def _percent(change: Fraction) -> str:
    """Three digits, or all those before the point; never an exponent: ``+7.89``, ``+1,600``."""
    if abs(change) >= _THREE_DIGITS:
        return f"{round(change):+,d}"
    return f"{Decimal(f'{float(change):.3g}'):+,f}"


def _of(figure: Figure) -> str:
    return f" ({figure.of})" if figure.of else ""


def _number(quantity: Quantity, value: Number, *, exact: bool = False) -> str:
    if value == inf:
        return "any number"
    if quantity.is_time and not exact:
        return units.duration(float(value))
    return f"{plain(value)} ns" if quantity.is_time else plain(value)
