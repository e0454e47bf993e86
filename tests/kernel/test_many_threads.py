"""Threads that come and go: each is counted, and none leaves anything in a table."""

import os
from collections.abc import Callable

import pytest

from .leftovers import nothing_left
from .tracing import Tracer

# SYSTRACE_THREADS=100003 for as many as anybody asked for; under ptrace each takes its time
THREADS = int(os.environ.get("SYSTRACE_THREADS", "0"))
WAYS = ((1_009, ()), (20_011, ("--follow=signal",)), (1_009, ("--vdso", "breakpoint")))


@pytest.mark.parametrize(("count", "way"), WAYS, ids=str)
def test_threads_one_after_another_are_counted_and_none_is_lost(
    trace: Tracer, build: Callable[..., str], count: int, way: tuple[str, ...]
) -> None:
    threads = THREADS or count
    with nothing_left() as environment:
        traced = trace(build("one_after_another"), str(threads), options=way, env=environment)
    assert traced.process.returncode == 0
    assert traced.totals["threads"] == threads + 1
    assert traced.row("getppid")["count"] == threads
    assert traced.row("clock_gettime", "vdso")["count"] == threads
    assert "threads" not in traced.report.get("incomplete", [])
