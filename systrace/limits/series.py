"""Limits held against two series of runs: B has to keep them, and A is the baseline."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from systrace import significance
from systrace.limits.evaluate import Verdict, Violation, evaluate, quantities
from systrace.limits.figures import Figure, Figures, Medians, ReportFigures, new_calls
from systrace.limits.grammar import Limit
from systrace.limits.quantity import NEW_CALLS, Quantity
from systrace.report import Report


def hold(limits: Iterable[Limit], a: Sequence[Report], b: Sequence[Report]) -> Verdict:
    """Hold all limits against the runs of B; neither side may be empty.

    An absolute limit has to hold in each run: where it does not, the worst one is told. A change
    is one of the medians, and with more than one run of a side it violates a limit only beyond
    the noise: by the test of ``significance``, for the quantities of all these limits together.
    """
    held = tuple(limits)
    old, new = ([ReportFigures(report) for report in side] for side in (a, b))
    noise = _noise([limit for limit in held if limit.needs_baseline], old, new)
    found = [
        evaluate([limit], Medians(new), Medians(old), noise=lambda quantity: noise[quantity])
        if limit.needs_baseline
        else _in_each(limit, new)
        for limit in held
    ]
    violations = tuple(violation for verdict in found for violation in verdict.violations)
    remarks = dict.fromkeys(remark for verdict in found for remark in verdict.remarks)
    undecided = any(
        violation.limit.needs_baseline and noise[violation.quantity] == "unknown"
        for violation in violations
    )
    if undecided:
        needed = significance.runs_needed(len(noise))
        remarks[f"{needed} runs of each side can tell whether such a change is noise"] = None
    return Verdict(held, violations, tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Run:
    """The figures of one of several runs, each with the run's number."""

    figures: Figures
    of: str

    @property
    def names(self) -> Collection[str]:
        return self.figures.names

    @property
    def unseen(self) -> Collection[str]:
        return self.figures.unseen

    def figure(self, quantity: Quantity) -> Figure:
        return replace(self.figures.figure(quantity), of=self.of)


def _in_each(limit: Limit, runs: Sequence[Figures]) -> Verdict:
    """Hold an absolute limit against every run, and keep the worst violation of each figure."""
    if len(runs) == 1:
        return evaluate([limit], runs[0])
    numbered = [_Run(run, f"run {place} of {len(runs)}") for place, run in enumerate(runs, 1)]
    verdicts = [evaluate([limit], run) for run in numbered]
    found: defaultdict[Quantity, list[Violation]] = defaultdict(list)
    for verdict in verdicts:
        for violation in verdict.violations:
            found[violation.quantity].append(violation)
    lowest = limit.operator in ("<", "<=")
    worst = [
        min(each, key=lambda one: one.figure.low)
        if lowest
        else max(each, key=lambda one: one.figure.high)
        for each in found.values()
    ]
    remarks = dict.fromkeys(remark for verdict in verdicts for remark in verdict.remarks)
    return Verdict((limit,), tuple(worst), tuple(remarks))


def _noise(
    limits: Iterable[Limit], old: Sequence[Figures], new: Sequence[Figures]
) -> Mapping[Quantity, significance.Verdict]:
    """Judge all that these limits are held against, together."""
    a, b = Medians(old), Medians(new)
    tested = {
        quantity: _values(quantity, a, old, new)
        for limit in limits
        for quantity in quantities(limit, b, a)
    }
    if len(old) == len(new) == 1:
        # two single reports: no noise is known, and the change is what it is
        return dict.fromkeys(tested, "beyond")
    judged = significance.judge(list(tested.values()))
    decidable = significance.decidable(len(old), len(new), len(tested))
    return {
        quantity: found.verdict if decidable or found.verdict != "within" else "unknown"
        for quantity, found in zip(tested, judged, strict=True)
    }


def _values(
    quantity: Quantity, a: Medians, old: Sequence[Figures], new: Sequence[Figures]
) -> tuple[list[float], list[float]]:
    if quantity == Quantity(NEW_CALLS):
        # a side lacks none of its own
        counts = [new_calls(run, a.names).low for run in new]
        return [0.0] * len(old), [float(count) for count in counts]
    before, after = ([run.figure(quantity).low for run in side] for side in (old, new))
    return [float(value) for value in before], [float(value) for value in after]
