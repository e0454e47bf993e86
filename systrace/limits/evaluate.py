"""Limits held against figures: what is violated, and what is worth saying of the rest."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Final

from systrace.limits import wording
from systrace.limits.figures import Figure, Figures, Number, calls_since, new_calls
from systrace.limits.grammar import Limit, Operator
from systrace.limits.quantity import NEW_CALLS, Quantity, is_pattern, matches

if TYPE_CHECKING:
    # Statistics, for those alone who have several runs.
    from systrace.significance import Verdict as Noise

_OPPOSITE: Final[dict[Operator, Operator]] = {
    ">": "<=",
    ">=": "<",
    "<": ">=",
    "<=": ">",
    "==": "!=",
    "!=": "==",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that does not hold, or cannot be known to, and the figure that it fell over.

    ``quantity`` is that of one call also where the limit has a pattern. ``baseline`` is there
    where the limit is a change. ``text`` says it all in a line.
    """

    limit: Limit
    quantity: Quantity
    figure: Figure
    baseline: Figure | None
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The limits that were held, every violation in their order, and remarks on those that hold."""

    limits: tuple[Limit, ...]
    violations: tuple[Violation, ...]
    remarks: tuple[str, ...]


def evaluate(
    limits: Iterable[Limit],
    figures: Figures,
    baseline: Figures | None = None,
    *,
    noise: "Callable[[Quantity], Noise]" = lambda _: "beyond",
) -> Verdict:
    """Hold all limits against the figures.

    A pattern stands for each call that it matches, on either side, by itself; where it matches
    none it is one call that was never made.

    ``noise`` is asked how a figure's difference from the baseline stands to that between runs. One
    within the noise violates nothing that an unchanged figure would not, and one of too few runs
    (``unknown``) is no less of a violation, and says so.

    Raises ValueError for a change without a baseline.
    """
    held = tuple(limits)
    violations: list[Violation] = []
    remarks: list[str] = []
    for limit in held:
        for quantity in quantities(limit, figures, baseline):
            figure = _figure(limit, quantity, figures, baseline)
            before = _before(limit, quantity, baseline)
            bound = _bound(limit, before)
            if _certainly(figure, _OPPOSITE[limit.operator], bound):
                remarks += wording.remarks(limit, quantity, figure)
                continue
            certain = _certainly(figure, limit.operator, bound)
            found: Noise = "beyond"
            if certain and figure.is_known and _may_be_noise(limit, before, bound):
                found = noise(quantity)
            if found in ("same", "within"):
                continue
            text = wording.violation(limit, quantity, figure, before, certain=certain)
            if found == "unknown":
                text = wording.undecided(text)
            violations.append(Violation(limit, quantity, figure, before, text))
    return Verdict(held, tuple(violations), tuple(dict.fromkeys(remarks)))


def quantities(limit: Limit, figures: Figures, baseline: Figures | None) -> Iterator[Quantity]:
    """Yield what a limit is held against: with a pattern, each call by itself."""
    quantity = limit.quantity
    if quantity.call is None or not is_pattern(quantity.call):
        yield quantity
        return
    names = {*figures.names, *(baseline.names if baseline and limit.change else ())}
    found = sorted(name for name in names if matches(name, quantity.call))
    for name in found or [quantity.call]:
        yield Quantity(quantity.field, name)


def _figure(limit: Limit, quantity: Quantity, figures: Figures, baseline: Figures | None) -> Figure:
    if quantity.call is None and quantity.field == NEW_CALLS:
        if limit.known is None:
            return calls_since(figures, _required(baseline))
        return new_calls(figures, limit.known)
    return figures.figure(quantity)


def _before(limit: Limit, quantity: Quantity, baseline: Figures | None) -> Figure | None:
    return _required(baseline).figure(quantity) if limit.change else None


def _required(baseline: Figures | None) -> Figures:
    if baseline is None:
        raise ValueError("a change needs a baseline")
    return baseline


def _bound(limit: Limit, before: Figure | None) -> Figure:
    """Return what the figure is compared with; a range where the baseline is one."""
    if before is None:
        return Figure(limit.bound, limit.bound)
    if limit.change == "by":
        return replace(before, low=before.low + limit.bound, high=before.high + limit.bound)
    factor = 1 + limit.bound / 100
    ends = sorted(_scaled(value, factor) for value in (before.low, before.high))
    return replace(before, low=ends[0], high=ends[1])


def _may_be_noise(limit: Limit, before: Figure | None, bound: Figure) -> bool:
    """Whether an unchanged figure would hold; a limit that asks for a change gets no benefit."""
    unchanged = before or Figure(0, 0)
    return limit.needs_baseline and not _certainly(unchanged, limit.operator, bound)


def _scaled(value: Number, factor: Fraction) -> Number:
    if value == inf:
        return inf * factor if factor else 0
    # exactly, also of a mean
    return Fraction(value) * factor


def _certainly(figure: Figure, operator: Operator, bound: Figure) -> bool:
    """Whether the comparison is true for all that the two may be."""
    match operator:
        case ">":
            return figure.low > bound.high
        case ">=":
            return figure.low >= bound.high
        case "<":
            return figure.high < bound.low
        case "<=":
            return figure.high <= bound.low
        case "==":
            return figure.is_known and bound.is_known and figure.low == bound.low
        case "!=":
            return figure.low > bound.high or figure.high < bound.low
