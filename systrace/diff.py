"""Two reports, or two series of reports, held against each other. Pure: no root, no bcc."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from systrace.comparison import STRONGEST, Change, Comparison, RingChange, Row, Side, Spread
from systrace.options import Selection
from systrace.report import RING, UNCOUNTED, Call, Report, Via
from systrace.significance import Verdict, judge, runs_needed

_Key = tuple[str, Via, str]  # name, via, ABI
_Quantity = tuple[str, ...]  # what is tested: a total, or a row's count or error


def compare(a: Report, b: Report) -> Comparison:
    """Hold one report against another; with one run each, noise cannot be told.

    Raises TypeError for what is no report, such as the name of a file.
    """
    for given in (a, b):
        if not isinstance(given, Report):
            raise TypeError(
                f"compare takes reports, as load() and run() return them, not {given!r}"
            )
    return series(Side(shlex.join(a.command), (a,)), Side(shlex.join(b.command), (b,)))


def series(a: Side, b: Side) -> Comparison:
    """Hold the runs of B against those of A. Raises ValueError for a side without any."""
    if not a.reports or not b.reports:
        raise ValueError("each side of a comparison needs at least one report")
    sides = _Runs(a), _Runs(b)
    keys = list(dict.fromkeys(key for side in sides for key in side.called()))
    tested = _judged(dict(_quantities(keys, *sides)))
    rows = [_row(key, tested, *sides) for key in keys]
    return Comparison(
        a,
        b,
        rows=tuple(sorted(rows, key=_rank)),
        ring_changes=tuple(sorted(_ring_changes(rows), key=lambda change: -change.calls)),
        ring3_calls=tested[("ring3_calls",)],
        ring0_calls=tested[("ring0_calls",)],
        elapsed_ns=tested[("elapsed_ns",)],
        unprobed_ns=tested.get(("unprobed_ns",)),
        runs_needed=_runs_needed(tested.values()),
    )


def selected(report: Report, selection: Selection | None) -> Report:
    """Leave out of a report what a selection leaves out; None leaves it whole."""
    if selection is None:
        return report
    calls = tuple(call for call in report.calls if selection.admits(call.name))
    known = None if report.selected else selection
    if report.selection is not None:
        known = report.selection.and_(selection)
    return replace(report, calls=calls, selected=True, selection=known)


class _Runs:
    """One side's runs, with the calls of each by their key."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.vdso_counted = all(report.probes.vdso not in UNCOUNTED for report in side.reports)
        self._calls: Sequence[Mapping[_Key, Call]] = [
            {(call.name, call.via, call.abi): call for call in report.calls}
            for report in side.reports
        ]

    def called(self) -> Iterator[_Key]:
        """Every call of any run."""
        for calls in self._calls:
            yield from calls

    def found(self, key: _Key) -> Iterator[Call]:
        """The call's row in each run that has it."""
        return (calls[key] for calls in self._calls if key in calls)

    def count(self, key: _Key) -> Spread | None:
        """How often the call was made; None where vDSO calls were not counted."""
        if key[1] == "vdso" and not self.vdso_counted:
            return None
        return Spread(tuple(calls[key].count if key in calls else 0 for calls in self._calls))

    def errors(self, key: _Key, error: str) -> Spread:
        """How often the call returned this error."""
        found = (calls[key].errors if key in calls else {} for calls in self._calls)
        return Spread(tuple(errors.get(error, 0) for errors in found))

    def total_ns(self, key: _Key) -> Spread | None:
        """How long the call took, in all; None where a run that makes it did not measure that."""
        times = [calls[key].times if key in calls else None for calls in self._calls]
        if any(call.times is None for call in self.found(key)) or not any(times):
            return None
        return Spread(tuple(0 if taken is None else taken.total_ns for taken in times))

    def totals(self) -> Iterator[tuple[str, Spread | None]]:
        """What is told of a run as a whole."""
        ring3 = self._each(lambda report: report.ring_calls("3"))
        yield "ring3_calls", ring3 if self.vdso_counted else None
        yield "ring0_calls", self._each(lambda report: report.ring_calls("3->0"))
        yield "elapsed_ns", self._each(lambda report: report.elapsed_ns)
        if self.side.unprobed_ns:
            yield "unprobed_ns", Spread(self.side.unprobed_ns)

    def _each(self, measure: Callable[[Report], int]) -> Spread:
        return Spread(tuple(measure(report) for report in self.side.reports))


def _quantities(keys: Sequence[_Key], a: _Runs, b: _Runs) -> Iterator[tuple[_Quantity, Change]]:
    """Everything that is tested, not judged yet."""
    totals = dict(b.totals())
    for name, spread in a.totals():
        if name in totals:
            yield (name,), Change(spread, totals[name])
    for key in keys:
        yield key, Change(a.count(key), b.count(key))
        for error in _error_names(key, a, b):
            yield (*key, error), Change(a.errors(key, error), b.errors(key, error))


def _error_names(key: _Key, a: _Runs, b: _Runs) -> list[str]:
    found = (call.errors for side in (a, b) for call in side.found(key))
    return list(dict.fromkeys(error for errors in found for error in errors))


def _judged(quantities: Mapping[_Quantity, Change]) -> dict[_Quantity, Change]:
    """Test all quantities that both sides have, together."""
    judged = {key: replace(change, verdict="unknown") for key, change in quantities.items()}
    both = {
        key: (change.a.values, change.b.values)
        for key, change in quantities.items()
        if change.a is not None and change.b is not None
    }
    for key, found in zip(both, judge(list(both.values())), strict=True):
        judged[key] = replace(judged[key], verdict=found.verdict, p=found.p)
    return judged


def _runs_needed(changes: Iterable[Change]) -> int | None:
    counted = [change for change in changes if change.a is not None and change.b is not None]
    if all(change.verdict != "unknown" for change in counted):
        return None
    return runs_needed(sum(change.differs for change in counted))


def _row(key: _Key, tested: Mapping[_Quantity, Change], a: _Runs, b: _Runs) -> Row:
    times = [call.times for side in (a, b) for call in side.found(key) if call.times is not None]
    return Row(
        *key,
        count=tested[key],
        errors={error: tested[(*key, error)] for error in _error_names(key, a, b)},
        total_ns=Change(a.total_ns(key), b.total_ns(key)),
        estimated=any(taken.estimated for taken in times),
    )


def _rank(row: Row) -> tuple[int, float, str, str, str]:
    """What changed most first: what is beyond noise, then by how many calls."""
    changed = max(abs(change.difference or 0) for change in (row.count, *row.errors.values()))
    return STRONGEST.index(row.verdict), -changed, row.name, row.via, row.abi


def _ring_changes(rows: Sequence[Row]) -> Iterator[RingChange]:
    """Pair each row that lost calls with the rows in the other ring that gained some."""
    by_call: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_call.setdefault((row.name, row.abi), []).append(row)
    for (name, abi), ways in by_call.items():
        for old, new in product(ways, ways):
            lost, gained = old.count.difference or 0, new.count.difference or 0
            verdict = _weaker(old, new)
            if RING[old.via] != RING[new.via] and lost < 0 < gained and verdict != "within":
                yield RingChange(name, abi, old.via, new.via, min(-lost, gained), verdict)


def _weaker(one: Row, other: Row) -> Verdict:
    """Tell calls that moved from noise only as surely as both of their rows do."""
    return max(
        one.count.verdict or "unknown", other.count.verdict or "unknown", key=STRONGEST.index
    )
