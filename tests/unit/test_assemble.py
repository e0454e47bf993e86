"""From counters to a report."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from systrace import assemble
from systrace.assemble import Facts
from systrace.layout import HIST_BUCKETS, Space, Total, bucket_bounds
from systrace.render.json import to_document
from systrace.report import Call, Machine, Probes
from systrace.saved import from_document
from systrace.tally import Entries, Key, RowTally, Tally

CLOCK_GETTIME = 228


def facts() -> Facts:
    machine = Machine("6.18", "x86_64", 2, "tsc")
    return Facts(("a",), "2026-11-23T00:00:00Z", 0, machine, Probes("raw_tracepoint", "patch"))


def tally(
    rows: Mapping[Key, RowTally], entries: Entries, clocks: Mapping[str, Mapping[int, int]]
) -> Tally:
    return Tally(1, rows, clocks, dict.fromkeys(Total, 0), 0, (), entries)


def calls(counted: Tally) -> dict[tuple[str, str], Call]:
    return {(call.name, call.via): call for call in assemble.report(counted, facts()).calls}


def test_fallbacks_are_taken_off_the_entries_by_clock() -> None:
    found = calls(
        tally(
            {(Space.FALLBACK, CLOCK_GETTIME): RowTally(count=3, histogram={5: 3})},
            Entries({}, {"clock_gettime": {1: 10, 2: 3}}),
            {"clock_gettime": {2: 3}},
        )
    )
    assert found["clock_gettime", "vdso"].count == 10
    assert found["clock_gettime", "vdso"].by_clock == {"CLOCK_MONOTONIC": 10}
    assert found["clock_gettime", "vdso-fallback"].by_clock == {"CLOCK_PROCESS_CPUTIME_ID": 3}


def test_a_function_that_was_never_served_in_ring_3_has_no_vdso_row() -> None:
    found = calls(
        tally(
            {(Space.FALLBACK, CLOCK_GETTIME): RowTally(count=3, histogram={5: 3})},
            Entries({}, {"clock_gettime": {2: 3}}),
            {"clock_gettime": {2: 3}},
        )
    )
    assert list(found) == [("clock_gettime", "vdso-fallback")]


def test_what_has_not_returned_is_unfinished() -> None:
    found = calls(tally({(Space.X86_64, 231): RowTally(count=2)}, Entries(), {}))
    assert found["exit_group", "syscall"].unfinished == 2
    assert found["exit_group", "syscall"].times is None


def test_a_report_is_what_is_read_back_from_its_file() -> None:
    counted = tally(
        {(Space.X86_64, 39): RowTally(count=7, histogram={5: 7}, total_ns=100)},
        Entries({"time": 3}),
        {},
    )
    told = assemble.report(counted, replace(facts(), vdso_ns=lambda *_: 22.27))
    found = {call.name: call.times.mean_ns for call in told.calls if call.times}
    assert found == {"getpid": 14.3, "time": 22.3}
    assert from_document(to_document(told)) == replace(told, processes=tuple(told.processes))


def test_an_interval_knows_where_it_begins() -> None:
    counted = tally({}, Entries(), {})
    began = replace(facts(), started_ns=5)
    assert assemble.report(counted, began).since_ns is None
    assert assemble.report(counted, began, since_ns=5).since_ns == 0
    assert assemble.report(counted._replace(at_ns=30), began, since_ns=12).since_ns == 7
    assert assemble.report(counted._replace(at_ns=30), began, since_ns=12).elapsed_ns == 18


def test_what_is_missing_and_no_number_of_calls_is_named() -> None:
    found = tally({}, Entries(), {})
    assert assemble.report(found, facts()).incomplete == ()
    for total, name in ((Total.LOST_TASKS, "threads"), (Total.LOST_ERRORS, "errors")):
        lost = found._replace(totals={**found.totals, total: 1})
        session = replace(facts(), incomplete=frozenset({"vdso getcpu"}))
        assert set(assemble.report(lost, session).incomplete) == {name, "vdso getcpu"}
        assert assemble.report(lost, session).warnings


def test_the_buckets_touch_and_are_an_eighth_wide_at_most() -> None:
    end = 0
    for index in range(HIST_BUCKETS):
        low, high = bucket_bounds(index)
        assert low == end
        assert high > low
        assert (high - low) * 8 <= low or low < 8
        end = high
    assert end == 2**45


@given(st.lists(st.integers(min_value=0, max_value=2**45 - 1), min_size=1, max_size=200))
def test_percentiles_are_off_by_an_eighth_at_most(durations: list[int]) -> None:
    histogram: dict[int, int] = {}
    for duration in durations:
        index = next(i for i in range(HIST_BUCKETS) if duration < bucket_bounds(i)[1])
        histogram[index] = histogram.get(index, 0) + 1
    row = RowTally(
        len(durations), sum(durations), min(durations), max(durations), histogram=histogram
    )
    times = assemble.times(row)
    assert times is not None
    ordered = sorted(durations)
    for percent, found in ((50, times.p50_ns), (95, times.p95_ns), (99, times.p99_ns)):
        exact = ordered[-(-len(ordered) * percent // 100) - 1]
        assert found is not None
        assert abs(found - exact) <= exact / 8
