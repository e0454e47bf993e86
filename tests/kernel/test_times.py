"""Times have lower bounds that sleeps give; a loaded machine has no upper ones."""

from collections.abc import Callable

import pytest

from systrace.layout import HIST_BUCKETS, bucket_bounds

from .tracing import Row, Tracer, example

TEN_MS = 10_000_000


def check(row: Row) -> None:
    """What one row's times say of each other."""
    assert row["min_ns"] <= row["p50_ns"] <= row["p95_ns"] <= row["p99_ns"] <= row["max_ns"]
    buckets = row["histogram"]
    returned = sum(count for _, _, count in buckets)
    assert buckets[0][0] <= row["min_ns"] < buckets[0][1]
    assert buckets[-1][0] <= row["max_ns"] < buckets[-1][1]
    assert row["min_ns"] * returned <= row["total_ns"] <= row["max_ns"] * returned
    assert abs(row["mean_ns"] - row["total_ns"] / returned) <= 0.1
    known = {bucket_bounds(index) for index in range(HIST_BUCKETS)}
    assert all((low, high) in known and count for low, high, count in buckets)
    lows = [low for low, _, _ in buckets]
    assert lows == sorted(set(lows))


def test_a_call_that_sleeps_takes_at_least_as_long(
    trace: Tracer, build: Callable[..., str]
) -> None:
    row = trace(build("sleeps")).row("nanosleep")
    assert row["count"] == 20
    assert row["min_ns"] >= TEN_MS
    assert row["total_ns"] >= 20 * TEN_MS
    # a percentile may be off by an eighth, and never lies outside of the extremes
    assert row["p50_ns"] >= row["min_ns"]


def test_every_row_is_consistent_in_itself(trace: Tracer) -> None:
    rows = trace(example("threads")).rows.values()
    timed = [row for row in rows if "min_ns" in row]
    assert len(timed) > 10
    for row in timed:
        check(row)


@pytest.mark.exact
@pytest.mark.parametrize("options", [(), ("--vdso", "off"), ("--follow=signal",)], ids=" ".join)
def test_a_run_takes_no_less_than_the_calls_of_its_one_thread(
    trace: Tracer, options: tuple[str, ...]
) -> None:
    traced = trace("true", options=options)
    assert traced.report["elapsed_ns"] >= sum(
        row.get("total_ns", 0) for row in traced.rows.values()
    )
