"""Reports held against each other: what matches, what differs, and what changed ring."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systrace.comparison import Comparison, RingChange, Row, Side
from systrace.diff import compare, selected, series
from systrace.options import Selection
from systrace.report import Call, Probes, Report, Times, Via

from .conftest import GOAPP, REPORTS


def of(
    calls: Mapping[tuple[str, Via], int], elapsed_ns: int = 1_000_000, vdso: str = "patch"
) -> Report:
    rows = tuple(Call(name, via, "x86_64", count) for (name, via), count in calls.items())
    probes = Probes("raw_tracepoint", vdso)
    return replace(GOAPP, calls=rows, elapsed_ns=elapsed_ns, probes=probes)


def clock(vdso: int = 0, fallback: int = 0, syscall: int = 0) -> Report:
    counts: dict[tuple[str, Via], int] = {
        ("clock_gettime", "vdso"): vdso,
        ("clock_gettime", "vdso-fallback"): fallback,
        ("clock_gettime", "syscall"): syscall,
    }
    return of({key: count for key, count in counts.items() if count})


def runs(*reports: Report) -> Side:
    return Side("./goapp", reports, "command")


def row(comparison: Comparison, name: str, via: Via = "syscall") -> Row:
    (found,) = (row for row in comparison.rows if (row.name, row.via) == (name, via))
    return found


def test_a_report_and_itself_have_no_difference() -> None:
    comparison = compare(GOAPP, GOAPP)
    assert len(comparison.rows) == 4
    assert not any(row.changed for row in comparison.rows)
    assert {row.verdict for row in comparison.rows} == {"same"}
    assert comparison.ring_changes == ()
    assert comparison.runs_needed is None
    assert [
        change.difference
        for change in (comparison.ring3_calls, comparison.ring0_calls, comparison.elapsed_ns)
    ] == [0, 0, 0]


def test_counts_difference_factor_times_and_errors() -> None:
    other = replace(
        GOAPP,
        calls=(
            replace(
                GOAPP.calls[1],
                count=58,
                errors={"ETIMEDOUT": 4, "EAGAIN": 2},
                times=Times(total_ns=270_000_000, mean_ns=1.0),
            ),
        ),
    )
    futex = row(compare(GOAPP, other), "futex")
    assert (futex.count.difference, futex.count.factor) == (29, 2.0)
    assert futex.total_ns.difference == 135_000_000
    assert {error: change.difference for error, change in futex.errors.items()} == {
        "ETIMEDOUT": 3,
        "EAGAIN": 2,
    }
    assert futex.total_ns.verdict is None


def test_rows_are_matched_by_name_via_and_abi() -> None:
    a = replace(GOAPP, calls=(Call("read", "syscall", "x86_64", 3),))
    b = replace(GOAPP, calls=(Call("read", "syscall", "i386", 3),))
    comparison = compare(a, b)
    assert {(row.abi, row.only, row.count.difference) for row in comparison.rows} == {
        ("x86_64", "a", -3),
        ("i386", "b", 3),
    }


def test_a_row_of_one_side_has_been_made_0_times_on_the_other() -> None:
    comparison = compare(of({("openat", "syscall"): 3}), of({}))
    openat = row(comparison, "openat")
    assert openat.only == "a"
    assert openat.count.b is not None
    assert openat.count.b.values == (0,)
    assert openat.count.factor == 0
    assert row(compare(of({}), of({("openat", "syscall"): 3})), "openat").count.factor is None


def test_a_row_of_some_runs_belongs_to_both_sides() -> None:
    now_and_then = runs(of({}), of({("tgkill", "syscall"): 1}))
    comparison = series(now_and_then, now_and_then)
    assert row(comparison, "tgkill").only is None
    assert row(comparison, "tgkill").count.a is not None
    assert row(comparison, "tgkill").count.difference == 0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (clock(vdso=100), clock(syscall=90), [("vdso", "syscall", 90)]),
        (clock(vdso=100), clock(fallback=100), [("vdso", "vdso-fallback", 100)]),
        (clock(vdso=100), clock(vdso=60, fallback=40), [("vdso", "vdso-fallback", 40)]),
        (clock(syscall=9), clock(vdso=10), [("syscall", "vdso", 9)]),
        (
            clock(vdso=100),
            clock(fallback=30, syscall=70),
            [("vdso", "syscall", 70), ("vdso", "vdso-fallback", 30)],
        ),
        (clock(vdso=100, syscall=5), clock(vdso=200, syscall=9), []),
        (clock(fallback=10), clock(syscall=10), []),
        (clock(vdso=100), clock(vdso=90), []),
        (clock(), clock(syscall=10), []),
    ],
)
def test_a_ring_change_is_calls_that_left_one_ring_for_the_other(
    a: Report, b: Report, expected: Sequence[tuple[str, str, int]]
) -> None:
    found = compare(a, b).ring_changes
    assert [(change.before, change.after, change.calls) for change in found] == expected
    assert {change.verdict for change in found} <= {"unknown"}


def test_another_abi_is_no_other_ring() -> None:
    a = replace(GOAPP, calls=(Call("time", "vdso", "x86_64", 9),))
    b = replace(GOAPP, calls=(Call("time", "syscall", "i386", 9),))
    assert compare(a, b).ring_changes == ()


def test_a_ring_change_of_many_runs_is_one_that_both_rows_tell_from_noise() -> None:
    before = runs(*(clock(vdso=100 + i, fallback=3) for i in range(10)))
    after = runs(*(clock(vdso=50 + i, fallback=53) for i in range(10)))
    (change,) = series(before, after).ring_changes
    assert change == RingChange("clock_gettime", "x86_64", "vdso", "vdso-fallback", 50, "beyond")


def test_a_mere_jitter_between_rings_is_no_ring_change() -> None:
    before = runs(*(clock(vdso=100 + i % 3, fallback=3) for i in range(10)))
    after = runs(*(clock(vdso=99 + i % 3, fallback=4) for i in range(10)))
    assert series(before, after).ring_changes == ()
    assert row(series(before, after), "clock_gettime", "vdso-fallback").verdict == "beyond"


def test_one_run_each_gives_no_verdict_but_how_many_runs_would() -> None:
    comparison = compare(of({("read", "syscall"): 3}), of({("read", "syscall"): 300}))
    assert row(comparison, "read").verdict == "unknown"
    # the row and the total of ring 0
    assert comparison.runs_needed == 8


def test_a_deterministic_difference_is_beyond_noise_and_the_noisy_time_is_not() -> None:
    before = runs(*(of({("read", "syscall"): 1009}, 10_000 + 7 * i) for i in range(10)))
    after = runs(*(of({("read", "syscall"): 1010}, 9_990 + 9 * i) for i in range(10)))
    comparison = series(before, after)
    assert row(comparison, "read").verdict == "beyond"
    assert comparison.ring0_calls.verdict == "beyond"
    assert comparison.ring3_calls.verdict == "same"
    assert comparison.elapsed_ns.verdict == "within"
    assert comparison.runs_needed is None


def test_a_row_is_unchanged_where_noise_leaves_its_median_alone() -> None:
    still = runs(*(of({("read", "syscall"): count}) for count in (5, 5, 9)))
    other = runs(*(of({("read", "syscall"): count}) for count in (5, 5, 5)))
    assert row(series(still, other), "read").verdict == "within"
    assert not row(series(still, other), "read").changed
    moved = runs(*(of({("read", "syscall"): count}) for count in (5, 6, 7)))
    assert row(series(still, moved), "read").verdict == "within"
    assert row(series(still, moved), "read").changed


def test_errors_are_tested_by_their_names() -> None:
    def failing(error: str) -> Report:
        call = Call("openat", "syscall", "x86_64", 9, errors={error: 4, "EPERM": 1})
        return replace(GOAPP, calls=(call,))

    before, after = runs(*[failing("ENOENT")] * 10), runs(*[failing("EACCES")] * 10)
    openat = row(series(before, after), "openat")
    assert openat.count.verdict == "same"
    assert {error: change.verdict for error, change in openat.errors.items()} == {
        "ENOENT": "beyond",
        "EACCES": "beyond",
        "EPERM": "same",
    }
    assert openat.verdict == "beyond"
    assert openat.changed


@pytest.mark.parametrize("vdso", ["off", "uncounted"])
def test_what_was_not_counted_is_no_0(vdso: str) -> None:
    counted = of({("time", "vdso"): 9, ("read", "syscall"): 1})
    blind = of({("read", "syscall"): 1}, vdso=vdso)
    comparison = compare(counted, blind)
    time = row(comparison, "time", "vdso")
    assert time.count.b is None
    assert (time.count.difference, time.count.factor, time.only) == (None, None, None)
    assert time.verdict == "unknown"
    assert time.changed
    assert comparison.ring3_calls.b is None
    # of a better look there is no need of more runs
    assert comparison.runs_needed is None


def test_a_vdso_that_is_not_there_is_a_0() -> None:
    without = of({("time", "syscall"): 9}, vdso="removed")
    comparison = compare(of({("time", "vdso"): 9}), without)
    assert row(comparison, "time", "vdso").count.difference == -9
    assert comparison.ring3_calls.difference == -9
    assert comparison.without_vdso
    assert not compare(without, without).without_vdso
    assert not compare(replace(without, command=("./other",)), without).without_vdso


def test_a_time_that_one_run_did_not_measure_is_no_time() -> None:
    timed = replace(GOAPP, calls=(GOAPP.calls[2],))
    untimed = replace(GOAPP, calls=(replace(GOAPP.calls[2], times=None),))
    comparison = series(runs(timed, timed), runs(timed, untimed))
    total_ns = row(comparison, "rt_sigaction").total_ns
    assert total_ns.a is not None
    assert total_ns.a.values == (103_398, 103_398)
    assert total_ns.b is None


def test_an_estimated_time_is_marked() -> None:
    comparison = compare(GOAPP, GOAPP)
    assert row(comparison, "clock_gettime", "vdso").estimated
    assert not row(comparison, "futex").estimated


def test_what_changed_most_comes_first() -> None:
    counts: dict[tuple[str, Via], int] = {
        ("a", "syscall"): 10,
        ("b", "syscall"): 20,
        ("c", "syscall"): 30,
        ("d", "syscall"): 30,
    }
    changed = {**counts, ("a", "syscall"): 15, ("b", "syscall"): 1, ("d", "syscall"): 36}
    assert [row.name for row in compare(of(counts), of(changed)).rows] == ["b", "d", "a", "c"]


def test_what_is_beyond_noise_comes_before_a_larger_noise() -> None:
    def noisy(i: int, read: int) -> Report:
        return of({("read", "syscall"): read, ("futex", "syscall"): 1000 + 100 * i})

    a = runs(*(noisy(i, 1) for i in range(10)))
    b = runs(*(noisy(i + 2, 2) for i in range(10)))
    assert [(row.name, row.verdict) for row in series(a, b).rows] == [
        ("read", "beyond"),
        ("futex", "within"),
    ]


def test_a_change_of_errors_counts_as_a_change_for_the_order() -> None:
    def failing(errors: int) -> Report:
        call = Call("openat", "syscall", "x86_64", 9, errors={"ENOENT": errors})
        return replace(GOAPP, calls=(Call("read", "syscall", "x86_64", errors), call))

    a, b = failing(1), failing(8)
    assert [row.name for row in compare(a, b).rows] == ["openat", "read"]


def test_the_spread_is_over_the_runs_and_the_difference_between_medians() -> None:
    a = runs(*(of({("read", "syscall"): count}) for count in (5, 9, 1)))
    b = runs(*(of({("read", "syscall"): count}) for count in (9, 2, 30, 10)))
    count = row(series(a, b), "read").count
    assert count.a is not None
    assert count.b is not None
    assert (count.a.min, count.a.median, count.a.max) == (1, 5, 9)
    assert (count.b.min, count.b.median, count.b.max) == (2, 9.5, 30)
    assert (count.difference, count.factor) == (4.5, 1.9)
    assert count.b.values == (9, 2, 30, 10)


def test_times_without_probes_are_compared_where_both_sides_have_some() -> None:
    with_times = replace(runs(GOAPP), unprobed_ns=(5, 7))
    both = series(with_times, replace(with_times, unprobed_ns=(10, 14)))
    assert both.unprobed_ns is not None
    assert both.unprobed_ns.factor == 2
    assert series(with_times, runs(GOAPP)).unprobed_ns is None
    assert series(runs(GOAPP), with_times).unprobed_ns is None


def test_a_selection_leaves_rows_out_and_says_so() -> None:
    report = selected(GOAPP, Selection(frozenset({"futex"})))
    assert [call.name for call in report.calls] == ["futex"]
    assert report.selected
    assert selected(GOAPP, None) is GOAPP


def test_a_side_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one report"):
        series(runs(), runs(GOAPP))


UNIQUE = REPORTS.map(
    lambda report: replace(
        report,
        calls=tuple({(call.name, call.via, call.abi): call for call in report.calls}.values()),
    )
)


@given(a=UNIQUE, b=UNIQUE)
def test_the_rows_add_up_to_the_totals(a: Report, b: Report) -> None:
    comparison = compare(a, b)
    for ring, total in (("3", comparison.ring3_calls), ("3->0", comparison.ring0_calls)):
        differences = [row.count.difference for row in comparison.rows if row.ring == ring]
        if total.difference is not None:
            assert sum(filter(None, differences)) == total.difference
    assert len({(row.name, row.via, row.abi) for row in comparison.rows}) == len(comparison.rows)


@given(reports=st.lists(UNIQUE, min_size=1, max_size=3))
def test_the_same_runs_on_both_sides_have_no_difference(reports: list[Report]) -> None:
    side = runs(*reports)
    comparison = series(side, side)
    assert {row.count.difference or 0 for row in comparison.rows} <= {0}
    assert {row.verdict for row in comparison.rows} <= {"same", "within", "unknown"}
    assert comparison.ring_changes == ()


@given(a=UNIQUE, b=UNIQUE)
def test_the_other_way_round_every_difference_is_turned(a: Report, b: Report) -> None:
    there = {(row.name, row.via, row.abi): row for row in compare(a, b).rows}
    for back in compare(b, a).rows:
        forth = there[back.name, back.via, back.abi].count.difference
        assert (back.count.difference is None) == (forth is None)
        assert back.count.difference == (None if forth is None else -forth)
