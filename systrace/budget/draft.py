"""From reports to the limits that they stay within, each with what it was made from. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Final, Literal

from systrace.budget.runtime import POLLERS, SYSTEM_CALLS, VDSO_CALLS, WAKE_UPS
from systrace.errors import InputError
from systrace.fields import shown
from systrace.limits.figures import ReportFigures
from systrace.limits.quantity import Quantity, is_pattern, may_name
from systrace.report import Report

# How many times their spread the limits of figures that differ lie above the largest. Measured with
# 1,050 traces of six Go programs: of 800 budgets, each made from 10 of them at random, none was
# exceeded by 100 others of the same program; with 3 times, 3 were.
HEAD_ROOM: Final = Fraction(5)
# A smaller spread than this may be chance: ten runs have not seen the rare ones.
_LEAST_SPREAD: Final = 4
_LEAST_RUNTIME_SPREAD: Final = 50

_RING0_CALLS: Final = Quantity("ring0_calls")
_TOTALS: Final = (_RING0_CALLS, Quantity("processes"))

Kind = Literal["total", "same", "differs", "runtime"]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A limit: fail above ``limit``; ``smallest`` to ``largest`` are what the reports have."""

    quantity: Quantity
    kind: Kind
    smallest: int
    largest: int
    limit: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A budget to be written.

    ``calls`` are those that some report has. ``runtime_calls`` are others that may come, where the
    reports differ at all. ``uncounted`` are vDSO functions of which not all calls were counted.
    ``left_out`` has figures that are not known in some report, each with the reason.
    """

    limits: tuple[Drafted, ...]
    calls: tuple[str, ...]
    runtime_calls: tuple[str, ...]
    uncounted: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def differs(self) -> bool:
        """Whether any figure is not the same in all reports."""
        return any(drafted.smallest != drafted.largest for drafted in self.limits)


def draft(reports: Mapping[str, Report], head_room: Fraction = HEAD_ROOM) -> Draft:
    """Draft a budget that holds for these reports, which are keyed by what they are called.

    Raises InputError for reports that a budget cannot be made from, alone or together.
    """
    _refuse(reports)
    runs = [ReportFigures(report) for report in reports.values()]
    calls = {call.name for report in reports.values() for call in report.calls}
    uncounted = {name for run in runs for name in run.names} - calls
    figures: dict[Quantity, list[int]] = {}
    left_out: dict[str, str] = {}
    for quantity in _quantities(sorted(calls), sorted(uncounted), runs):
        found = [run.figure(quantity) for run in runs]
        if doubtful := next((figure for figure in found if not figure.is_known), None):
            left_out[str(quantity)] = doubtful.doubt
        else:
            figures[quantity] = [int(figure.low) for figure in found]
    differ = any(len(set(values)) > 1 for values in figures.values())
    room = head_room if differ else Fraction(0)
    polls = not calls.isdisjoint(POLLERS)
    limits = (
        _drafted(quantity, values, room, _least_spread(quantity, polls=polls))
        for quantity, values in figures.items()
    )
    runtime = _runtime_calls(reports) - calls if room else set()
    return Draft(
        tuple(limits),
        calls=tuple(sorted(calls)),
        runtime_calls=tuple(sorted(runtime)),
        uncounted=tuple(sorted(uncounted)),
        left_out=left_out,
    )


def _quantities(
    calls: Iterable[str], uncounted: Iterable[str], runs: Sequence[ReportFigures]
) -> Iterator[Quantity]:
    """What is limited: each call, and of one that the vDSO can serve how often it did not."""
    yield from _TOTALS
    for name in calls:
        yield (count := Quantity("count", name))
        ring3 = [run.figure(Quantity("ring3_calls", name)).high for run in runs]
        if any(ring3):
            yield replace(count, field="ring0_calls")
    for name in uncounted:
        yield Quantity("ring0_calls", name)


def _drafted(
    quantity: Quantity, values: Sequence[int], room: Fraction, least_spread: int
) -> Drafted:
    smallest, largest = min(values), max(values)
    spread = largest - smallest
    kind: Kind = "differs" if spread else "same"
    if spread:
        spread = max(spread, _LEAST_SPREAD)
    if room and least_spread:
        kind, spread = "runtime", max(spread, least_spread)
    if quantity in _TOTALS:
        kind = "total"
    return Drafted(quantity, kind, smallest, largest, largest + ceil(room * spread))


def _least_spread(quantity: Quantity, *, polls: bool) -> int:
    """How much a figure is taken to vary whatever the reports have, if they differ at all."""
    name = quantity.call
    if quantity == _RING0_CALLS or name in SYSTEM_CALLS:
        return _LEAST_RUNTIME_SPREAD
    if name in VDSO_CALLS and quantity.field == "count":
        return _LEAST_RUNTIME_SPREAD
    return _LEAST_SPREAD if polls and name in WAKE_UPS else 0


def _runtime_calls(reports: Mapping[str, Report]) -> set[str]:
    """Those that the reports could have had, by their selection, which is that of each."""
    selection = next(iter(reports.values())).selection
    return {name for name in SYSTEM_CALLS if selection is None or selection.admits(name)}


def _refuse(reports: Mapping[str, Report]) -> None:
    first, *others = reports
    for name, report in reports.items():
        total = ReportFigures(report).figure(_RING0_CALLS)
        if not total.is_known:
            raise InputError(f"no budget can be made from {name!r}: {total.doubt}")
        for call in report.calls:
            if is_pattern(call.name) or not may_name(call.name):
                raise InputError(f"{name!r}: {shown(call.name)} is no name of a call")
    for name in others:
        one, other = reports[first], reports[name]
        if (one.selected, one.selection) != (other.selected, other.selection):
            raise InputError(f"{first!r} and {name!r} do not count the same calls: see -e")
        if one.without_children != other.without_children:
            raise InputError(f"{first!r} and {name!r} are not alike: see --no-follow")
