"""A comparison as a table: what people see, in 80 columns."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.comparison import Comparison, Side
from systrace.diff import series
from systrace.options import TableOptions
from systrace.render.comparison_table import render
from systrace.render.text import columns, printable
from systrace.report import Call, Exit, Machine, Probes, Report, Times

from .conftest import GOAPP, TEXT

SLOWER = replace(
    GOAPP,
    command=("./goapp", "--new"),
    elapsed_ns=90_000_000,
    calls=(
        replace(GOAPP.calls[0], count=152, times=Times(3_200, 21.0, estimated=True)),
        replace(GOAPP.calls[1], count=41, errors={"ETIMEDOUT": 3, "EAGAIN": 1}),
        GOAPP.calls[2],
        Call("clock_gettime", "syscall", "x86_64", 9_001, times=Times(428_000, 214.0)),
        Call("getpid", "syscall", "i386", 2),
    ),
)

GOLDEN = """\
A  before.json: ./goapp
   exit 0, 67.2 ms, 1 process, 4 threads; clocksource tsc; lost 0
B  after.json: ./goapp --new
   exit 0, 90.0 ms, 1 process, 4 threads; clocksource tsc; lost 0

call             via            A       B   change    factor   time A   time B
---------------- -------- ------- ------- -------- --------- -------- --------
clock_gettime    vdso     2000152     152 -2000000 x1/13,159 ~42.0 ms ~3.20 us
clock_gettime    syscall        0    9001    +9001    only B        -   428 us
clock_gettime    fallback      12       0      -12    only A  3.41 us        -
futex            syscall       29      41      +12     x1.41   135 ms   135 ms
getpid [i386]    syscall        0       2       +2    only B        -        -
---------------- -------- ------- ------- -------- --------- -------- --------
stayed in ring 3          2000152     152 -2000000 x1/13,159
entered ring 0                155    9158    +9003     x59.1
elapsed time              67.2 ms 90.0 ms +22.8 ms     x1.34

Changed ring: clock_gettime: vdso -> syscall, 9,001 calls
5 of 6 rows differ. B makes 9,003 more calls that enter ring 0, and 2,000,000
fewer calls that stay in ring 3.
Errors: futex ETIMEDOUT 1 -> 3, futex EAGAIN 0 -> 1.
Unchanged, and shown by --all: 1 row.
One run each: -r 9 of two commands would tell whether a difference is noise.
Times are wall clock, with what counting costs in them; ~ is estimated.
"""

RUNS = """\
A  ./a
   10 runs, exit 0; clocksource tsc; lost 0
B  ./b
   10 runs, exit 0; clocksource tsc; lost 0

call             via           A       B  change factor noise
---------------- ------- ------- ------- ------- ------ ------
openat           syscall       3       4      +1  x1.33 beyond
futex            syscall   104.5   107.5      +3  x1.03 within
  min                        100     103
  max                        109     112
---------------- ------- ------- ------- ------- ------ ------
stayed in ring 3               0       0       0
entered ring 0             114.5   118.5      +4  x1.03 within
  min                        110     114
  max                        119     123
elapsed time             67.2 ms 67.4 ms +200 us  x1.00 beyond

2 of 3 rows differ, 1 beyond the noise of the runs.
Unchanged, and shown by --all: 1 row.
Noise: Mann-Whitney test of 10 and 10 runs, Holm's correction for all
quantities, level 0.1 %.
Times are wall clock, with what counting costs in them.
"""

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def two(a: Report, b: Report) -> Comparison:
    return series(Side("before.json", (a,)), Side("after.json", (b,)))


def many(a: Sequence[Report], b: Sequence[Report]) -> Comparison:
    return series(Side("./a", tuple(a), "command"), Side("./b", tuple(b), "command"))


def calls(report: Report = GOAPP, **counts: int) -> Report:
    rows = tuple(Call(name, "syscall", "x86_64", count) for name, count in counts.items())
    return replace(report, calls=rows)


def shown(comparison: Comparison, **options: object) -> str:
    return render(comparison, replace(TableOptions(), **options))  # type: ignore[arg-type]  # kwargs


def said(comparison: Comparison, **options: object) -> str:
    """What stands below the table, in one line."""
    return " ".join(shown(comparison, **options).split("\n\n")[2].split())


def test_two_reports() -> None:
    assert shown(two(GOAPP, SLOWER)) == GOLDEN


def test_two_series_of_runs() -> None:
    a = [calls(openat=3, futex=100 + i, read=7) for i in range(10)]
    b = [replace(calls(openat=4, futex=103 + i, read=7), elapsed_ns=67_400_000) for i in range(10)]
    assert shown(many(a, b)) == RUNS


def test_all_shows_the_rows_that_did_not_change() -> None:
    assert "rt_sigaction" not in shown(two(GOAPP, SLOWER))
    whole = shown(two(GOAPP, SLOWER), unchanged=True, width=120)
    assert re.search(r"rt_sigaction +syscall +114 +114 +0 +x1.00 +103 us +103 us +0", whole)
    assert "Unchanged" not in whole


def test_errors_stand_in_a_column_where_there_is_room() -> None:
    assert re.search(r"futex .* 1->4\n", shown(two(GOAPP, SLOWER), width=100))
    # nobody sees a vDSO call return
    assert re.search(r"clock_gettime +vdso .* -\n", shown(two(GOAPP, SLOWER), width=100))


def test_without_times_there_are_no_columns_for_them() -> None:
    header = shown(two(calls(read=1), calls(read=2))).splitlines()[5]
    assert header.split() == ["call", "via", "A", "B", "change", "factor"]


def test_nothing_that_differs() -> None:
    assert said(two(GOAPP, GOAPP)).startswith("No call differs. Unchanged, and shown by --all: 4")
    assert "-r" not in said(two(GOAPP, GOAPP))


def test_noise_alone() -> None:
    a = [calls(futex=100 + i, read=i % 3) for i in range(10)]
    b = [calls(futex=101 + i, read=i % 3) for i in range(10)]
    assert said(many(a, b)).startswith(
        "1 of 2 rows differs, none beyond the noise of the runs. Unchanged, and shown by --all: 1 "
    )
    assert "read" not in shown(many(a, b))
    assert "read" in shown(many(a, b), unchanged=True)


def test_too_few_runs_say_how_many_would_do() -> None:
    text = shown(many([calls(read=1)] * 5, [calls(read=2)] * 5))
    assert re.search(r"read +syscall +1 +2 +\+1 +x2.00 +\?\n", text)
    assert "?: too few runs to tell it from noise; -r 8 can." in text


def test_a_single_report_cannot_be_told_from_noise_by_more_runs_of_the_other_side() -> None:
    comparison = series(
        Side("before.json", (calls(read=1),)), Side("./b", (calls(read=2),) * 10, "command")
    )
    assert "A is one run: its command instead, and -r 8 can." in said(comparison)


@pytest.mark.parametrize(
    ("before", "after", "colour"),
    [
        (Call("time", "vdso", "x86_64", 9), Call("time", "syscall", "x86_64", 8), "1;31"),
        (Call("time", "syscall", "x86_64", 9), Call("time", "vdso", "x86_64", 8), "32"),
    ],
)
def test_a_ring_change_is_named_red_into_ring_0_and_green_out_of_it(
    before: Call, after: Call, colour: str
) -> None:
    comparison = two(replace(GOAPP, calls=(before,)), replace(GOAPP, calls=(after,)))
    line = f"Changed ring: time: {before.via} -> {after.via}, 8 calls"
    assert line in shown(comparison).splitlines()
    assert f"\x1b[{colour}m{line}\x1b[0m" in shown(comparison, colour=True).splitlines()


def test_every_ring_change_has_a_line() -> None:
    def rows(**vias: int) -> Report:
        return replace(
            GOAPP,
            calls=tuple(
                Call("time", via.replace("_", "-"), "x86_64", count)  # type: ignore[arg-type]
                for via, count in vias.items()
            ),
        )

    text = shown(two(rows(vdso=9), rows(vdso_fallback=4, syscall=5)))
    assert re.findall("Changed ring: .*", text) == [
        "Changed ring: time: vdso -> syscall, 5 calls",
        "Changed ring: time: vdso -> vdso-fallback, 4 calls",
    ]


def vdso_taken_away(calls: int, a_ns: Sequence[int], b_ns: Sequence[int]) -> Comparison:
    with_it = replace(GOAPP, calls=(Call("clock_gettime", "vdso", "x86_64", calls),))
    without = replace(
        GOAPP,
        calls=(Call("clock_gettime", "syscall", "x86_64", calls),),
        probes=Probes("raw_tracepoint", "removed"),
    )
    return series(
        Side("./goapp, with its vDSO", (with_it,) * len(a_ns), "command", tuple(a_ns)),
        Side("./goapp, without its vDSO", (without,) * len(b_ns), "command", tuple(b_ns)),
    )


def test_what_the_vdso_saves() -> None:
    comparison = vdso_taken_away(2_000_006, (60_000_000,) * 10, (480_000_000,) * 10)
    assert (
        "Without its vDSO the program makes 2,000,006 more calls that enter ring 0, and takes "
        "8.00 times as long (480 ms, not 60.0 ms; both without probes)."
    ) in said(comparison)
    assert "B makes" not in said(comparison)
    assert re.search(
        r"without probes +60.0 ms +480 ms +\+420 ms +x8.00 beyond\n", shown(comparison)
    )


def test_the_vdso_is_said_to_save_no_time_where_that_may_be_noise() -> None:
    noisy = range(700_000, 800_000, 10_000)
    assert (
        "the program makes 1 more call that enters ring 0, and takes no longer beyond the noise "
        "(755 us, not 745 us; both without probes)."
    ) in said(vdso_taken_away(1, noisy, [ns + 10_000 for ns in noisy]))
    assert "the program makes no more calls that enter ring 0, and takes no longer" in said(
        vdso_taken_away(0, noisy, noisy)
    )
    assert (
        "takes 1.50 times as long (900 us, not 600 us; both without probes; too few runs to tell "
        "it from noise)."
    ) in said(vdso_taken_away(1, (600_000,) * 2, (900_000,) * 2))


def test_one_call_is_one_call() -> None:
    more = replace(GOAPP, calls=(*GOAPP.calls, Call("getpid", "syscall", "x86_64", 1)))
    assert "B makes 1 more call that enters ring 0." in said(two(GOAPP, more))
    assert "B makes 1 fewer call that enters ring 0." in said(two(more, GOAPP))


def test_what_was_not_counted_is_a_dash_and_no_0() -> None:
    blind = replace(GOAPP, calls=(GOAPP.calls[1],), probes=Probes("raw_tracepoint", "uncounted"))
    text = shown(two(GOAPP, blind))
    assert re.search(r"clock_gettime +vdso +2,?000,?152 +- +-  ", text)
    assert re.search(r"stayed in ring 3 +2,?000,?152 +- +-\n", text)
    assert "vDSO calls of B were not counted: there, - is no 0." in text
    assert "vDSO calls of A" not in text


def test_lost_calls_are_told_loudly() -> None:
    text = shown(two(GOAPP, replace(GOAPP, lost=1)), colour=True)
    assert "\x1b[1;31mLOST: up to 1 call missing from the counts of B.\x1b[0m" in text
    assert "counts of A" not in text


@pytest.mark.parametrize(
    ("a", "b", "whose"), [(True, True, "both sides"), (True, False, "A"), (False, True, "B")]
)
def test_a_selection_is_told(a: bool, b: bool, whose: str) -> None:
    text = said(two(replace(GOAPP, selected=a), replace(GOAPP, selected=b)))
    assert f"A selection (-e) left calls of {whose} out: what is missing there is no 0." in text


def test_children_of_one_side_only_are_told() -> None:
    alone = replace(GOAPP, without_children=True)
    assert "B was counted without its children (--no-follow), A with them." in said(
        two(GOAPP, alone)
    )
    assert "A was counted without" in said(two(alone, GOAPP))
    assert "children" not in said(two(alone, alone))


def test_another_machine_is_told() -> None:
    other = replace(GOAPP, machine=Machine("6.1.0", "x86_64", 8, "hpet"))
    assert (
        "Not the same machine: A on Linux 6.18.44, x86_64, 2 CPUs, clocksource tsc; "
        "B on Linux 6.1.0, x86_64, 8 CPUs, clocksource hpet."
    ) in said(two(GOAPP, other))
    assert "machine" not in said(two(GOAPP, GOAPP))


def test_warnings_are_told_once_with_the_number_of_runs() -> None:
    warned = replace(GOAPP, warnings=("breakpoints cost 5 us",))
    text = said(many([GOAPP] * 3, [warned, warned, GOAPP]))
    assert text.count("breakpoints") == 1
    assert "Warning, B (2 of 3 runs): breakpoints cost 5 us" in text
    assert "Warning, A: breakpoints cost 5 us" in said(two(warned, GOAPP))


def test_runs_that_ended_differently_are_counted() -> None:
    failed = replace(GOAPP, exit=Exit(code=1))
    text = shown(many([GOAPP, failed, GOAPP], [GOAPP] * 3))
    assert "3 runs, exit 0 (2 times), exit 1 (1 times); clocksource tsc; lost 0" in text


def test_many_errors_are_cut_short() -> None:
    def failing(number: int) -> Report:
        errors = {f"E{place}": number + place for place in range(9)}
        return replace(GOAPP, calls=(Call("openat", "syscall", "x86_64", 99, errors=errors),))

    text = said(two(failing(0), failing(5)))
    assert text.count("openat E") == 6
    assert "and 3 more." in text


def test_errors_within_noise_are_left_out() -> None:
    def failing(number: int) -> Report:
        errors = {"EAGAIN": number}
        return replace(GOAPP, calls=(Call("read", "syscall", "x86_64", 99, errors=errors),))

    runs = [failing(i) for i in range(10)]
    assert "Errors" not in said(many(runs, runs[::-1]))
    assert "Errors: read EAGAIN 4.5 -> 50 (beyond)." in said(many(runs, [failing(50)] * 10))


@pytest.mark.parametrize(
    ("a", "b", "factor"),
    [(3, 4, "x1.33"), (40, 3, "x1/13.3"), (4, 3, "x0.75"), (1, 1234, "x1,234"), (7, 0, "only A")],
)
def test_factors(a: int, b: int, factor: str) -> None:
    line = shown(two(calls(read=a), calls(read=b))).splitlines()[7]
    assert " ".join(line.split()).endswith(factor)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(50, 130), colour=st.booleans(), whole=st.booleans())
def test_no_line_is_wider_than_it_may_be_and_nothing_reaches_the_terminal(
    reports: st.SearchStrategy[Report],
    data: st.DataObject,
    width: int,
    *,
    colour: bool,
    whole: bool,
) -> None:
    some = st.lists(reports, min_size=1, max_size=3).map(tuple)
    a, b = (Side(data.draw(TEXT), data.draw(some)) for _ in "AB")
    options = TableOptions(width=width, colour=colour, unchanged=whole)
    for line in ESCAPES.sub("", render(series(a, b), options)).splitlines():
        assert columns(line) <= max(width, 64)
        assert printable(line) == line
