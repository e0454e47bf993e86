"""What came of limits as Prometheus text: a series a limit, and the violations in comments."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from systrace.limits.evaluate import Verdict
from systrace.render.prometheus import command, comments, exposition, metric
from systrace.report import Report


def render(verdict: Verdict, report: Report) -> str:
    """Write ``systrace_limit_violated``, 1 or 0 for each limit."""
    texts = (violation.text for violation in verdict.violations)
    return comments("Violated", texts) + exposition(metrics(verdict, command=command(report)))


def metrics(verdict: Verdict, **labels: str) -> Iterable[Metric]:
    """Make the metric; a limit that was given twice is one series."""
    broken = {(str(one.limit), one.limit.file) for one in verdict.violations}
    named = dict.fromkeys((str(limit), limit.file) for limit in verdict.limits)
    samples = (
        ("", {"limit": limit, "file": file}, float((limit, file) in broken))
        for limit, file in named
    )
    what = "Whether a limit is violated, 1 or 0; the figures are in comments of this file."
    return [metric("limit_violated", "gauge", what, samples, **labels)]
