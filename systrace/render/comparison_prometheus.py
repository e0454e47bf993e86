"""A comparison as Prometheus text, for the node exporter's textfile collector.

The labels ``a`` and ``b``, what the user called the two sides, keep the series of several files
apart. Values are medians over the runs of a side; ``side`` says whose. What was not counted has no
series, nor has a verdict that so few runs cannot give.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import Metric

from systrace import __version__
from systrace.comparison import Change, Comparison, Row
from systrace.options import TableOptions
from systrace.render import comparison_wording as wording
from systrace.render.prometheus import SECOND_NS, Labels, comments, exposition, metric
from systrace.render.verdict_prometheus import metrics as limits

Sample = tuple[str, Labels, float]


def render(comparison: Comparison, _: TableOptions) -> str:
    """Write all rows, those that did not change too; the text of warnings stands in comments."""
    said = [*wording.lost(comparison), *wording.caveats(comparison)]
    verdict = comparison.limits
    texts = () if verdict is None else (violation.text for violation in verdict.violations)
    return comments("Warning", said) + comments("Violated", texts) + exposition(_all(comparison))


def _all(comparison: Comparison) -> Iterator[Metric]:
    sides = {"a": comparison.a.label, "b": comparison.b.label}
    for name, what, samples in _gauges(comparison):
        yield metric(f"comparison_{name}", "gauge", what, samples, **sides)
    if comparison.limits is not None:
        yield from limits(comparison.limits, **sides)


def _gauges(comparison: Comparison) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    yield "info", "What compared; always 1.", [("", {"version": __version__}, 1)]
    sides = {"a": comparison.a.reports, "b": comparison.b.reports}
    runs = [("", {"side": side}, float(len(reports))) for side, reports in sides.items()]
    yield "runs", "Runs of a side.", runs
    lost = [
        ("", {"side": side}, float(sum(report.lost for report in reports)))
        for side, reports in sides.items()
    ]
    yield "lost_calls", "By how much the counts of a side may be too low, all runs.", lost
    rings = {"3": comparison.ring3_calls, "3->0": comparison.ring0_calls}
    yield (
        "ring_calls",
        "Calls by the ring that served them.",
        [sample for ring, change in rings.items() for sample in _sides(change, {"ring": ring})],
    )
    yield "duration_seconds", "How long it took.", list(_seconds(comparison.elapsed_ns, {}))
    if comparison.unprobed_ns is not None:
        unprobed = list(_seconds(comparison.unprobed_ns, {}))
        yield "unprobed_duration_seconds", "How long it took with no probe in place.", unprobed
    yield from _of_calls(comparison)


def _of_calls(comparison: Comparison) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    rows = [(row, _row(row)) for row in comparison.rows]
    yield "calls", "Calls.", [one for row, call in rows for one in _sides(row.count, call)]
    yield (
        "call_beyond_noise",
        "Whether the difference is beyond the noise of the runs, 1 or 0.",
        [
            ("", call, float(row.count.verdict == "beyond"))
            for row, call in rows
            if row.count.verdict != "unknown"
        ],
    )
    yield (
        "call_errors",
        "Calls that returned an error.",
        [
            one
            for row, call in rows
            for error, change in row.errors.items()
            for one in _sides(change, {**call, "error": error})
        ],
    )
    yield (
        "call_seconds",
        "Time in calls, summed over threads, waiting included.",
        [one for row, call in rows for one in _seconds(row.total_ns, call)],
    )
    changed = [
        (
            "",
            {"call": one.name, "abi": one.abi, "before": one.before, "after": one.after},
            float(one.calls),
        )
        for one in comparison.ring_changes
    ]
    yield "ring_changed_calls", "Calls that another ring serves in B.", changed


def _row(row: Row) -> Mapping[str, str]:
    return {"call": row.name, "via": row.via, "ring": row.ring, "abi": row.abi}


def _sides(change: Change, labels: Labels, factor: float = 1) -> Iterator[Sample]:
    """Yield the medians; a side that was not counted has none."""
    for side, spread in (("a", change.a), ("b", change.b)):
        if spread is not None:
            yield "", {**labels, "side": side}, spread.median / factor


def _seconds(change: Change, labels: Labels) -> Iterator[Sample]:
    return _sides(change, labels, SECOND_NS)
