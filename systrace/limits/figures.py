"""The figures of a report, each with how far it can be trusted.

A count that may be too low, and a time that was not measured, are ranges: no limit may hold because
something was not counted.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import Final, Protocol

from systrace.limits import knowledge
from systrace.limits.quantity import Quantity, matches
from systrace.report import Call, Report, Times

_MEASURE: Final[dict[str, Callable[[Call], int]]] = {
    "count": lambda call: call.count,
    "ring0_calls": lambda call: call.count if call.ring == "3->0" else 0,
    "ring3_calls": lambda call: call.count if call.ring == "3" else 0,
    "vdso": lambda call: call.count if call.via == "vdso" else 0,
    "vdso-fallback": lambda call: call.count if call.via == "vdso-fallback" else 0,
    "syscall": lambda call: call.count if call.via == "syscall" else 0,
    "vsyscall": lambda call: call.count if call.via == "vsyscall" else 0,
    "errors": lambda call: call.error_count,
    "filtered": lambda call: call.filtered,
    "restarted": lambda call: call.restarted,
    "unfinished": lambda call: call.unfinished,
    "vdso_fallbacks": lambda call: call.count if call.via == "vdso-fallback" else 0,
}

_LISTED: Final = 20
# Of these a part is no more than the whole.
_AT_LEAST: Final = ("total", "max", "elapsed")

# Calls or ns; a float where it is a mean, a median or infinite.
Number = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity lies between ``low`` and ``high``: calls, or ns. They are equal where it is known.

    ``doubt`` says why they are not. ``of`` adds what a message should tell of the number.
    """

    low: Number
    high: Number
    doubt: str = ""
    of: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high


class Figures(Protocol):
    """Whatever limits can be held against."""

    @property
    def names(self) -> Collection[str]:
        """The calls that it has figures of; those of every other are 0, or not known."""

    @property
    def unseen(self) -> Collection[str]:
        """Those of them that may have been made or not, for nobody would have seen them."""

    def figure(self, quantity: Quantity) -> Figure:
        """Look a quantity up; for a pattern nothing matches, too, but never ``new_calls``."""


class ReportFigures:
    """The figures of one report. Rows that share a name are taken together.

    A count that has no row is 0. Counts of several rows are added up, and so is ``total``; ``min``
    is the smallest of them, ``mean`` that of all their calls, ``max`` and the percentiles are those
    of the row where they are largest. A time of a call that never returned is 0.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._known = knowledge.of_report(report)
        self._rows: defaultdict[str, list[Call]] = defaultdict(list)
        for call in report.calls:
            self._rows[call.name].append(call)

    @property
    def names(self) -> Collection[str]:
        """The calls that have a row, and those that nobody would have seen."""
        return self._rows.keys() | self._known.unseen

    @property
    def unseen(self) -> Collection[str]:
        """The calls that have no row, and that nobody would have seen."""
        return self._known.unseen - self._rows.keys()

    def figure(self, quantity: Quantity) -> Figure:
        """Look it up; a figure that cannot be known is a range up to infinity."""
        if quantity.call is None:
            figure = self._total(quantity)
        elif quantity.is_time:
            figure = self._time(quantity)
        else:
            rows = self._rows.get(quantity.call, ())
            count = sum(_MEASURE[quantity.field](row) for row in rows)
            figure = Figure(count, count)
        return self._doubted(quantity, figure)

    def _total(self, quantity: Quantity) -> Figure:
        report = self._report
        match quantity.field:
            case "elapsed":
                value = report.elapsed_ns
            case "processes":
                value = report.process_count
            case "threads":
                value = report.thread_count
            case "lost":
                value = report.lost
            case field:
                value = sum(_MEASURE[field](call) for call in report.calls)
        return Figure(value, value)

    def _time(self, quantity: Quantity) -> Figure:
        rows = [row for row in self._rows.get(quantity.call or "", ()) if row.count]
        times = [(row, row.times) for row in rows if row.times and not row.times.estimated]
        measured = [
            (row, found) for row, found in times if _time_of(found, quantity.field) is not None
        ]
        value = _of_rows(quantity.field, measured) if measured else 0
        unmeasured = [row for row in rows if not _is_measured(row, quantity.field)]
        if not unmeasured:
            return Figure(value, value)
        certain = value if quantity.field in _AT_LEAST else 0
        return Figure(certain, inf, _why_unmeasured(unmeasured[0]))

    def _doubted(self, quantity: Quantity, figure: Figure) -> Figure:
        doubt = self._known.doubt(quantity, has_row=quantity.call in self._rows)
        if doubt is None:
            return figure
        low = max(0, figure.low - doubt.excess)
        if quantity.is_time and quantity.field not in _AT_LEAST:
            low = 0
        return replace(figure, low=low, high=figure.high + doubt.missing, doubt=doubt.reason)


class Medians:
    """The figures of several runs, each the median over the runs."""

    def __init__(self, runs: Sequence[Figures]) -> None:
        self._runs = runs

    @property
    def names(self) -> Collection[str]:
        """The calls that any of the runs made."""
        return frozenset().union(*(run.names for run in self._runs))

    @property
    def unseen(self) -> Collection[str]:
        """The calls that no run is known to make, and that some would not have seen."""
        made = (frozenset(run.names) - frozenset(run.unseen) for run in self._runs)
        return frozenset(self.names).difference(*made)

    def figure(self, quantity: Quantity) -> Figure:
        """Look it up in every run; the doubt is that of the first that has one."""
        found = [run.figure(quantity) for run in self._runs]
        low = _median([figure.low for figure in found])
        of = f"the median of {len(found)} runs" if len(found) > 1 else ""
        unknown = [figure for figure in found if not figure.is_known]
        if not unknown:
            return Figure(low, low, of=of)
        # not known in one run is not known: a median would drop it
        widest = max(unknown, key=lambda figure: figure.high)
        return Figure(low, max(low, widest.high), widest.doubt, of)


def _median(values: Sequence[Number]) -> Number:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return Fraction(ordered[middle - 1] + ordered[middle]) / 2


def plain(value: Number) -> str:
    """Write a finite number in full; a median may have a half: ``1,009``, ``304.5``."""
    return f"{int(value):,}" if value == int(value) else f"{float(value):,.1f}"


def calls_since(figures: Figures, baseline: Figures) -> Figure:
    """Count the calls that the baseline lacks; what it may lack is in the range only."""
    new = new_calls(figures, baseline.names)
    counts = {name: Quantity("count", name) for name in sorted(baseline.unseen)}
    doubtful = {name: figures.figure(count).high for name, count in counts.items()}
    first = next((name for name, most in doubtful.items() if most), None)
    if first is None:
        return new
    doubt = new.doubt or f"{baseline.figure(counts[first]).doubt} in the baseline"
    return replace(new, high=new.high + sum(doubtful.values()), doubt=doubt)


def new_calls(figures: Figures, known: Iterable[str]) -> Figure:
    """Count the calls whose names are not among ``known``, which may be patterns."""
    patterns = tuple(known)
    new = [name for name in figures.names if not any(matches(name, one) for one in patterns)]
    counts = {name: figures.figure(Quantity("count", name)) for name in sorted(new)}
    made = [f"{name} {plain(count.low)}" for name, count in counts.items() if count.low]
    more = f" and {len(made) - _LISTED:,} more" if len(made) > _LISTED else ""
    # what has been lost may have been new
    every = figures.figure(Quantity("ring0_calls"))
    doubtful = max((*counts.values(), every), key=lambda figure: figure.high - figure.low)
    low = sum(count.low for count in counts.values())
    missing = doubtful.high - doubtful.low
    return Figure(
        low, low + missing, doubtful.doubt if missing else "", ", ".join(made[:_LISTED]) + more
    )


def _time_of(times: Times, field: str) -> float | None:
    value: float | None = getattr(times, f"{field}_ns")
    return value


def _of_rows(field: str, rows: Sequence[tuple[Call, Times]]) -> float:
    values = [value for _, times in rows if (value := _time_of(times, field)) is not None]
    if field == "total":
        return sum(values)
    if field == "min":
        return min(values)
    returned = [row.count - row.unfinished for row, _ in rows]
    if field == "mean" and len(rows) > 1 and all(count > 0 for count in returned):
        return sum(times.total_ns for _, times in rows) / sum(returned)
    return max(values)


def _is_measured(row: Call, field: str) -> bool:
    """Whether the row says how long its calls took; of none that returned there is nothing."""
    if row.times is None:
        return row.ring == "3->0" and row.via != "vsyscall" and row.unfinished >= row.count
    return not row.times.estimated and _time_of(row.times, field) is not None


def _why_unmeasured(row: Call) -> str:
    if row.via == "vdso":
        return f"{row.count:,} of its calls were served by the vDSO, and not timed"
    if row.via == "vsyscall":
        return f"{row.count:,} of its calls were served by the vsyscall page, and not timed"
    return "not all of its calls were timed"
