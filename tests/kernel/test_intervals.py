"""Each interval holds what happened since the last one: together they are the whole run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from .live import loud, started
from .tracing import HANGS_S, Tracer


def counts(report: dict[str, Any]) -> Counter[str]:
    return Counter({row["name"]: row["count"] for row in report["calls"]})


def test_intervals_add_up_to_the_whole_run(trace: Tracer, build: Callable[..., str]) -> None:
    argv = loud(trace, build("bursts"), options=("-i", "0.1", "-F", "json"))
    seen: Counter[str] = Counter()
    with started(*argv) as live:
        reports = live.reports()
        for round_ in range(1, 6):
            live.tell("go")
            assert live.line() == "done"
            while seen["getppid"] < round_ * 1_009:
                seen += counts(next(reports))
            assert seen["getppid"] == round_ * 1_009
        live.end_input()
        *rest, final = reports
        live.process.wait(HANGS_S)
    for interval in rest:
        seen += counts(interval)
    whole = counts(final)
    assert whole["getppid"] == 5 * 1_009
    assert whole == seen


def test_what_ends_before_the_first_interval_has_none(
    trace: Tracer, build: Callable[..., str]
) -> None:
    argv = loud(trace, build("bursts"), options=("-i", "600", "-F", "json"))
    with started(*argv) as live:
        live.end_input()
        (final,) = live.reports()
        live.process.wait(HANGS_S)
    assert "since_ns" not in final


def test_an_interval_in_which_nothing_happens_is_empty(
    trace: Tracer, build: Callable[..., str]
) -> None:
    argv = loud(trace, build("bursts"), options=("-i", "0.1", "-F", "json"))
    with started(*argv) as live:
        reports = live.reports()
        next(reports)
        next(reports)
        idle = next(reports)
        live.end_input()
        list(reports)
        live.process.wait(HANGS_S)
    assert idle["totals"]["ring0_calls"] == 0
