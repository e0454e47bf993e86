"""Targets that turn against systrace: with what it gave them, and against the process that it is."""

from collections.abc import Callable

import pytest

from .attaching import attached
from .live import loud, started
from .tracing import Tracer, check

Build = Callable[..., str]

OVERWRITTEN = "vDSO calls of 1 program were not counted: it wrote into its counters"


@pytest.mark.parametrize("byte", ["255", "127", "1"])
@pytest.mark.parametrize("option", ["--no-follow", "-P", "--follow=signal"])
def test_counters_that_cannot_be_true_are_no_counts_and_the_report_says_so(
    trace: Tracer, build: Build, byte: str, option: str
) -> None:
    traced = trace(build("scribbles"), byte, "0", options=(option,))
    assert traced.process.returncode == 7
    assert traced.count("clock_gettime", "vdso") == 0
    assert traced.report["incomplete"] == ["vdso"]
    assert OVERWRITTEN in traced.warnings


def test_counters_that_run_backwards_do_not_in_an_interval(trace: Tracer, build: Build) -> None:
    """All are valid reports, whatever is in them."""
    options = ("-i", "0.05", "-F", "json")
    argv = loud(trace, build("scribbles"), "0", "0.3", "0", options=options)
    with started(*argv) as live:
        reports = list(live.reports())
        traced = live.end(trace)
    assert traced.process.returncode == 7
    assert traced.report["incomplete"] == ["vdso"]
    for report in reports:
        check(report)
        assert report["totals"]["ring3_calls"] <= 3 * 1_009


def test_system_calls_are_out_of_its_reach(trace: Tracer, build: Build) -> None:
    honest = trace(build("scribbles"), "0", "0")
    traced = trace(build("scribbles"), "255", "0")
    assert traced.totals["ring0_calls"] == honest.totals["ring0_calls"]
