import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.options import SORT_KEYS, SortKey, TableOptions
from systrace.render.table import render
from systrace.render.text import columns, printable
from systrace.report import Call, Report

from .tables import read, table, with_calls

GOLDEN = """\
./goapp: exit 0, 67.2 ms, 1 process, 4 threads; clocksource tsc; lost 0

call                     calls via           ring errs    total    mean    p99
-------------------- --------- ------------- ---- ---- -------- ------- ------
clock_gettime        2,000,152 vdso          3       - ~42.0 ms  ~21 ns      -
  MONOTONIC          1,000,149
  REALTIME           1,000,003
rt_sigaction               114 syscall       3->0    0   103 us  907 ns 6.2 us
futex                       29 syscall       3->0    1   135 ms 4.66 ms  67 ms
clock_gettime               12 vdso-fallback 3->0    0  3.41 us  284 ns 400 ns
  PROCESS_CPUTIME_ID        12
-------------------- --------- ------------- ---- ---- -------- ------- ------
stayed in ring 3     2,000,152                         ~42.0 ms
entered ring 0             155                       1   135 ms

2,000,152 calls stayed in ring 3; 155 entered ring 0.
clock_gettime fell back 12 times: CPU-time clocks always need the kernel.
Errors: futex ETIMEDOUT 1. Interrupted by a signal (restarted or EINTR): 3.
Times are wall clock, waiting included, summed over threads; ~ is estimated.
"""

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def cells(report: Report, **options: object) -> list[list[str]]:
    """The words of each row between the rules."""
    return [line.split() for line in table(report, **options).split("\n\n")[1].splitlines()]


def names(report: Report, **options: object) -> list[str]:
    return [
        row[0] for row in cells(report, **options)[2:-3] if len(row) > 2 and not row[0].isupper()
    ]


def test_the_example_of_the_design_looks_as_it_does_there(goapp: Report) -> None:
    assert table(goapp) == GOLDEN


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(40, 130), colour=st.booleans())
def test_no_line_is_wider_than_it_may_be(
    reports: st.SearchStrategy[Report], data: st.DataObject, width: int, *, colour: bool
) -> None:
    options = TableOptions(
        sort=data.draw(st.sampled_from(SORT_KEYS)),
        top=data.draw(st.none() | st.integers(0, 9)),
        width=width,
        colour=colour,
    )
    text = render(data.draw(reports), options)
    for line in text.split("\n"):
        bare = ESCAPES.sub("", line)
        assert columns(bare) <= width, bare
        assert printable(bare) == bare
        assert bare == bare.rstrip(" ")
    assert text.endswith("\n")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_colour_changes_nothing_but_colour(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    coloured = render(report, TableOptions(colour=True))
    assert "\x1b[1m" in coloured
    assert ESCAPES.sub("", coloured) == render(report, TableOptions())


def test_the_ring_is_green_or_yellow(goapp: Report) -> None:
    text = table(goapp, colour=True)
    assert text.count("\x1b[32m3\x1b[0m") == 1
    assert text.count("\x1b[33m3->0\x1b[0m") == 3
    assert text.startswith("\x1b[1m./goapp: exit 0")


@pytest.mark.parametrize(
    "name", ["clock_nanosleep_time64", "rt_sigtimedwait", "sched_get_priority_max", "syscall_9999"]
)
def test_long_names_and_long_counts_keep_every_digit_in_80_columns(
    goapp: Report, name: str
) -> None:
    long = replace(goapp.calls[1], name=name, count=999_999_999_999)
    text = table(with_calls(goapp, *goapp.calls, long))
    assert max(map(len, text.splitlines())) <= 80
    row = next(line for line in text.splitlines() if line.startswith(name))
    assert "999,999,999,999" in row
    assert "135 ms" in row


def test_what_gives_way_first_is_what_matters_least(goapp: Report) -> None:
    def head(width: int) -> list[str]:
        return cells(goapp, width=width)[0]

    everything = ["call", "calls", "via", "ring", "errs", "total", "time%", "mean", "p99"]
    assert head(100) == everything
    assert head(80) == [key for key in everything if key != "time%"]
    assert "fallback" in table(goapp, width=75)
    assert "vdso-fallback" not in table(goapp, width=75)
    assert head(66) == ["call", "calls", "via", "ring", "errs", "total", "mean"]
    assert head(60) == ["call", "calls", "via", "ring", "errs", "total"]
    assert head(45) == ["call", "calls", "via", "ring"]
    assert "2,000,152" in table(goapp, width=60)
    assert "2000152" in table(goapp, width=40)


def test_times_are_shares_of_the_whole_where_there_is_room(goapp: Report) -> None:
    rows = {row[0]: row for row in cells(goapp, width=100)}
    assert "76.2" in rows["futex"]


def test_the_time_of_some_calls_is_not_told_as_that_of_all(goapp: Report) -> None:
    of_unknown_time = Call("getrandom", "vdso", "x86_64", 10_007)
    for calls, total in (((), "~49.7 ms"), ((of_unknown_time,), "-")):
        text = table(replace(goapp, calls=goapp.calls + calls))
        (line,) = [line for line in text.splitlines() if line.startswith("stayed in ring 3")]
        assert line.split()[-1] == total.split()[-1]


def test_counts_only_reports_have_no_columns_for_times(goapp: Report) -> None:
    counted = [replace(call, times=None) for call in goapp.calls]
    text = table(with_calls(goapp, *counted), width=120)
    assert cells(with_calls(goapp, *counted))[0] == ["call", "calls", "via", "ring", "errs"]
    assert "Times" not in text


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("count", ["clock_gettime", "rt_sigaction", "futex", "clock_gettime"]),
        ("errors", ["futex", "clock_gettime", "clock_gettime", "rt_sigaction"]),
        ("total", ["futex", "clock_gettime", "rt_sigaction", "clock_gettime"]),
        ("mean", ["futex", "rt_sigaction", "clock_gettime", "clock_gettime"]),
        ("p99", ["futex", "rt_sigaction", "clock_gettime", "clock_gettime"]),
        ("max", ["futex", "rt_sigaction", "clock_gettime", "clock_gettime"]),
        ("name", ["clock_gettime", "clock_gettime", "futex", "rt_sigaction"]),
    ],
)
def test_rows_are_sorted_as_asked(goapp: Report, sort: SortKey, expected: list[str]) -> None:
    assert names(goapp, sort=sort) == expected


def test_rows_that_tie_are_sorted_by_name(goapp: Report) -> None:
    tied = [replace(read(5), name=name) for name in ("write", "close", "read")]
    assert names(with_calls(goapp, *tied)) == ["close", "read", "write"]


def test_what_rows_are_sorted_by_is_seen(goapp: Report) -> None:
    assert cells(goapp, sort="max")[0][-1] == "max"


def test_top_hides_rows_and_says_so_and_totals_stay_whole(goapp: Report) -> None:
    text = table(goapp, top=2)
    assert names(goapp, top=2) == ["clock_gettime", "rt_sigaction"]
    assert "Left out by --top: 41 calls in 2 rows; the totals include them.\n" in text
    assert re.search(r"entered ring 0 +155", text)
    assert "Left out" not in table(goapp, top=4)
    assert "Left out by --top: 12 calls in 1 row;" in table(goapp, top=3)


def test_calls_of_another_abi_are_marked(goapp: Report) -> None:
    foreign = Call("getpid", "syscall", "i386", 7, errors={"EPERM": 2})
    text = table(with_calls(goapp, foreign))
    assert re.search(r"^getpid \[i386\] +7 syscall", text, re.MULTILINE)
    assert "Errors: getpid [i386] EPERM 2." in text


def test_what_nobody_saw_return_has_no_number_of_errors(goapp: Report) -> None:
    legacy = Call("time", "vsyscall", "x86_64", 5)
    report = with_calls(goapp, legacy, read(4))
    assert ["time", "5", "vsyscall", "3->0", "-"] in cells(report)
    assert ["read", "4", "syscall", "3->0", "0"] in cells(report)


def test_an_empty_report_is_still_a_table(goapp: Report) -> None:
    text = table(with_calls(goapp))
    assert re.search(r"^entered ring 0 +0 +0$", text, re.MULTILINE)
    assert text.endswith("\nNo call was counted.\n")
