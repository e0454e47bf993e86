"""What ``compare`` found: plain values, for renderers and limits; shapes as in the JSON schema.

A is the side that was there before, B the one that is held against it: a difference is B less A.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from systrace.report import RING, Report, Ring, Via
from systrace.significance import Verdict

if TYPE_CHECKING:
    # A comparison without limits does without their modules.
    from systrace.limits.evaluate import Verdict as LimitsVerdict

SCHEMA = "systrace.comparison/1"


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity in each run of a side, in the order of the runs; never empty."""

    values: tuple[int, ...]

    @property
    def min(self) -> int:
        """The smallest."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The middle one; of an even number of runs the mean of the two in the middle."""
        return _whole(statistics.median(self.values))

    @property
    def max(self) -> int:
        """The largest."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity on both sides; a side is None where it was not counted or not measured.

    ``verdict`` and ``p`` are those of ``significance.Judgement``; a count that one side lacks is
    ``unknown`` too. None for what is not tested: the times of single calls.
    """

    a: Spread | None
    b: Spread | None
    verdict: Verdict | None = None
    p: float | None = None

    @property
    def difference(self) -> float | None:
        """The median of B less that of A."""
        if self.a is None or self.b is None:
            return None
        return _whole(self.b.median - self.a.median)

    @property
    def factor(self) -> float | None:
        """The median of B over that of A; None where A's is 0."""
        if self.a is None or self.b is None or not self.a.median:
            return None
        return self.b.median / self.a.median

    @property
    def differs(self) -> bool:
        """Whether any two runs have different values, noise or not, or one side was not counted."""
        if self.a is None or self.b is None:
            return self.a is not self.b
        return len({*self.a.values, *self.b.values}) > 1


@dataclass(frozen=True, slots=True)
class Row:
    """One call of either side; a run without it has made it 0 times.

    ``errors`` holds the calls that returned an error, by errno name. ``total_ns`` is wall clock,
    waiting included, summed over threads; ``estimated`` where it was calibrated, not measured.
    """

    name: str
    via: Via
    abi: str
    count: Change
    errors: Mapping[str, Change] = field(default_factory=dict)
    total_ns: Change = field(default_factory=lambda: Change(None, None))
    estimated: bool = False

    @property
    def ring(self) -> Ring:
        """The ring that served the call."""
        return RING[self.via]

    @property
    def only(self) -> Literal["a", "b"] | None:
        """The side that alone makes this call, in any of its runs; None where both do."""
        if self.count.a is None or self.count.b is None:
            return None
        if not self.count.a.max:
            return "b"
        return None if self.count.b.max else "a"

    @property
    def changed(self) -> bool:
        """Whether a median of its count or its errors differs, or more than noise may be there."""
        differences = (change.difference for change in (self.count, *self.errors.values()))
        return self.verdict in ("beyond", "unknown") or any(differences)

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict among its count and its errors."""
        found = {change.verdict for change in (self.count, *self.errors.values())}
        return next((verdict for verdict in STRONGEST if verdict in found), "same")


STRONGEST: tuple[Verdict, ...] = ("beyond", "unknown", "within", "same")


@dataclass(frozen=True, slots=True)
class RingChange:
    """Calls that another ring serves in B: fewer went ``before``, more go ``after``.

    ``calls`` is how many, at most: the smaller of the two differences between medians.
    """

    name: str
    abi: str
    before: Via
    after: Via
    calls: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Side:
    """One side: its runs' reports, at least one, without their lists of processes.

    ``label`` is what the user called it: a file, or a command. ``unprobed_ns`` is how long the
    command took in further runs with no probe in place, empty where there were none.
    """

    label: str
    reports: tuple[Report, ...]
    kind: Literal["report", "command"] = "report"
    unprobed_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, row by row; ``rows`` holds the unchanged ones too, what changed most first.

    ``ring_changes`` are those that are not mere noise, the largest first. ``runs_needed`` is how
    many runs on each side could tell a difference from noise, where these were too few to; None
    where they were not. ``limits`` is what came of the limits, None where there were none.
    """

    a: Side
    b: Side
    rows: tuple[Row, ...]
    ring_changes: tuple[RingChange, ...]
    ring3_calls: Change
    ring0_calls: Change
    elapsed_ns: Change
    unprobed_ns: Change | None = None
    runs_needed: int | None = None
    limits: "LimitsVerdict | None" = None

    @property
    def without_vdso(self) -> bool:
        """Whether B is what A is, but that its vDSO was taken away (``--without-vdso``)."""
        removed = [
            all(report.probes.vdso == "removed" for report in side.reports)
            for side in (self.a, self.b)
        ]
        return removed == [False, True] and len(self.commands) == 1

    @property
    def commands(self) -> frozenset[tuple[str, ...]]:
        """The different commands of all reports."""
        return frozenset(report.command for side in (self.a, self.b) for report in side.reports)


def _whole(number: float) -> float:
    """Keep what is a whole number one, however large; a mean of two may have a half."""
    return int(number) if number == int(number) else number
