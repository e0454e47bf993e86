"""Limits held against reports: what is violated, with which words, and what stays quiet."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from systrace.limits.evaluate import Verdict, evaluate
from systrace.limits.figures import Medians, ReportFigures
from systrace.limits.grammar import parse
from systrace.limits.quantity import Quantity
from systrace.report import Call, Report, Times
from systrace.significance import Verdict as Noise


def verdict(report: Report, *limits: str, baseline: Report | None = None) -> Verdict:
    before = None if baseline is None else ReportFigures(baseline)
    names = {call.name for call in report.calls}
    return evaluate([parse(limit, names) for limit in limits], ReportFigures(report), before)


def violations(report: Report, *limits: str, baseline: Report | None = None) -> list[str]:
    found = verdict(report, *limits, baseline=baseline).violations
    return [violation.text for violation in found]


def figure(report: Report, text: str) -> float:
    """The one number that a quantity is."""
    call, dot, field = text.rpartition(".")
    found = ReportFigures(report).figure(Quantity(field, call if dot else None))
    assert found.is_known, found
    return float(found.low)


def calling(goapp: Report, *calls: Call) -> Report:
    return replace(goapp, calls=calls)


def called(name: str, count: int, **more: int) -> Call:
    return Call(name, "syscall", "x86_64", count, **more)  # type: ignore[arg-type]


MIXED = (
    Call("write", "syscall", "x86_64", 10, errors={"EAGAIN": 2, "EPIPE": 1}, restarted=4,
         times=Times(1_000, 100.0, 10, 400, 90, 300, 400)),
    Call("write", "syscall", "i386", 5, unfinished=1, filtered=3,
         times=Times(2_000, 500.0, 5, 900, 480, 800, 900)),
    Call("clock_gettime", "vdso", "x86_64", 100),
    Call("clock_gettime", "vdso-fallback", "x86_64", 7, times=Times(70, 10.0, 1, 20, 9, 19, 20)),
    Call("clock_gettime", "syscall", "x86_64", 3, times=Times(90, 30.0, 2, 40, 29, 39, 40)),
    Call("time", "vsyscall", "x86_64", 2),
)  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("ring0_calls", 10 + 5 + 7 + 3 + 2),
        ("ring3_calls", 100),
        ("vdso_fallbacks", 7),
        ("errors", 3),
        ("restarted", 4),
        ("processes", 1),
        ("threads", 4),
        ("lost", 0),
        ("elapsed", 67_200_000),
        ("write.count", 15),
        ("write.errors", 3),
        ("write.filtered", 3),
        ("write.restarted", 4),
        ("write.unfinished", 1),
        ("clock_gettime.count", 110),
        ("clock_gettime.ring0_calls", 10),
        ("clock_gettime.ring3_calls", 100),
        ("clock_gettime.vdso", 100),
        ("clock_gettime.vdso-fallback", 7),
        ("clock_gettime.syscall", 3),
        ("clock_gettime.vsyscall", 0),
        ("time.vsyscall", 2),
        ("openat.count", 0),
        ("write.total", 3_000),
        ("write.mean", 3_000 / 14),
        ("write.min", 5),
        ("write.max", 900),
        ("write.p50", 480),
        ("write.p95", 800),
        ("write.p99", 900),
        ("openat.p99", 0),
    ],
)
def test_every_quantity_is_a_number_and_rows_that_share_a_name_are_taken_together(
    goapp: Report, quantity: str, value: float
) -> None:
    assert figure(calling(goapp, *MIXED), quantity) == pytest.approx(value)


@pytest.mark.parametrize(
    ("operator", "fails_at"),
    [
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
def test_each_operator_fails_where_it_is_true(
    goapp: Report, operator: str, fails_at: list[bool]
) -> None:
    reports = [calling(goapp, called("read", count)) for count in (37, 38, 39)]
    found = [bool(violations(report, f"read.count {operator} 38")) for report in reports]
    assert found == fails_at


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("openat.count > 38", "openat.count is 41, over the limit of 38"),
        ("openat.count >= 41", "openat.count is 41, and has to be below 41"),
        ("openat.count < 50", "openat.count is 41, under the limit of 50"),
        ("openat.count <= 41", "openat.count is 41, and has to be above 41"),
        ("openat.count == 41", "openat.count is 41, and may not be 41"),
        ("openat.count != 38", "openat.count is 41, and has to be 38"),
        ("read.count > 1_000", "read.count is 2,000,152, over the limit of 1_000"),
        ("openat.p99 > 200us", "openat.p99 is 1.30 ms, over the limit of 200us"),
        ("openat.p99 > 1300us", "openat.p99 is 1,300,001 ns, over the limit of 1300us"),
    ],
)
def test_a_violation_has_its_figures_and_the_limit_that_was_typed(
    goapp: Report, limit: str, said: str
) -> None:
    times = Times(1, 1.0, 1, 1_300_001, 1, 1, 1_300_001)
    report = calling(
        goapp,
        Call("openat", "syscall", "x86_64", 41, times=times),
        called("read", 2_000_152),
    )
    assert violations(report, limit) == [f"{said} (--fail-if '{limit}')"]


def test_all_limits_are_held_and_all_violations_come_in_their_order(goapp: Report) -> None:
    report = calling(goapp, called("read", 5), called("write", 6))
    limits = ("write.count > 1", "read.count > 9", "errors > 0", "read.count > 2")
    found = violations(report, *limits)
    assert [text.split()[0] for text in found] == ["write.count", "read.count"]


def test_a_pattern_stands_for_each_call_by_itself_and_not_for_their_sum(goapp: Report) -> None:
    report = calling(goapp, called("open", 30), called("openat", 41), called("read", 99))
    assert violations(report, "open*.count > 40") == [
        "openat.count is 41, over the limit of 40 (--fail-if 'open*.count > 40')"
    ]
    assert violations(report, "open*.count > 41") == []
    assert len(violations(report, "*.count > 29")) == 3


def test_a_pattern_that_no_call_matches_is_a_call_that_was_never_made(goapp: Report) -> None:
    report = calling(goapp, called("read", 1))
    assert violations(report, "open*.count > 0") == []
    assert violations(report, "open*.count < 1") == [
        "open*.count is 0, under the limit of 1 (--fail-if 'open*.count < 1')"
    ]


def test_calls_that_a_filter_answered_alone_are_found_by_a_pattern(goapp: Report) -> None:
    report = calling(goapp, called("getppid", 0, filtered=4), called("read", 1))
    assert violations(report, "*.filtered > 0") == [
        "getppid.filtered is 4, over the limit of 0 (--fail-if '*.filtered > 0')"
    ]


@pytest.mark.parametrize(
    ("limit", "before", "after", "fails"),
    [
        ("read.count > +10", 38, 48, False),
        ("read.count > +10", 38, 49, True),
        ("read.count > +5%", 100, 105, False),
        ("read.count > +5%", 100, 106, True),
        ("read.count > +5%", 0, 1, True),
        ("read.count > +5%", 0, 0, False),
        ("read.count > -10", 38, 28, False),
        ("read.count > -10", 38, 29, True),
        ("read.count < -5%", 100, 95, False),
        ("read.count < -5%", 100, 94, True),
        ("read.count != +0", 38, 38, False),
        ("read.count != +0", 38, 37, True),
        # not by floats: 1.1 times 3 billion and 3 is no whole number
        ("read.count >= +10%", 3_000_000_030, 3_300_000_033, True),
        ("read.count >= +10%", 3_000_000_030, 3_300_000_032, False),
        ("read.p99 > +200us", 38, 38, False),
        ("ring0_calls > +5%", 100, 106, True),
    ],
)
def test_a_change_is_counted_from_the_baseline(
    goapp: Report, limit: str, before: int, after: int, fails: bool
) -> None:
    old, new = (
        calling(goapp, Call("read", "syscall", "x86_64", count, times=Times(1, 1, 1, 1, 1, 1, 1)))
        for count in (before, after)
    )
    assert bool(violations(new, limit, baseline=old)) == fails


def test_a_change_is_told_with_both_figures(goapp: Report) -> None:
    old = calling(goapp, called("openat", 38))
    new = calling(goapp, called("openat", 41), called("read", 3))
    found = violations(new, "openat.count > +5%", "*.count > +1", baseline=old)
    assert [text.partition(" (")[0] for text in found] == [
        "openat.count is 41, 38 in the baseline: +7.89 %, over the limit of +5%",
        "openat.count is 41, 38 in the baseline: +7.89 %, over the limit of +1",
        "read.count is 3, 0 in the baseline, over the limit of +1",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (2, 34, "+1,600"),
        (7, 1_000_000, "+14,285,614"),
        (100_000, 1_099_999, "+1,000"),
        (1_000, 10_949, "+995"),
        (2_000_000_000, 2_000_000_001, "+0.00000005"),
    ],
)
def test_a_percentage_has_no_exponent(goapp: Report, before: int, after: int, said: str) -> None:
    old, new = (calling(goapp, called("read", count)) for count in (before, after))
    (found,) = violations(new, "read.count > +0", baseline=old)
    assert f"in the baseline: {said} %, over" in found


def test_a_pattern_finds_a_call_that_only_the_baseline_has(goapp: Report) -> None:
    old, new = calling(goapp, called("fsync", 5)), calling(goapp, called("read", 5))
    found = violations(new, "*.count < -1", baseline=old)
    assert [text.split(",")[0] for text in found] == ["fsync.count is 0"]
    # what is no change has no baseline
    assert violations(new, "*.count < 1", baseline=old) == []


def test_new_calls_are_those_that_the_baseline_does_not_make(goapp: Report) -> None:
    old = calling(goapp, called("read", 5))
    new = calling(goapp, called("read", 50), called("socket", 2), called("connect", 1))
    assert violations(new, "new_calls > 2", baseline=old) == [
        "new_calls is 3 (connect 1, socket 2), over the limit of 2 (--fail-if 'new_calls > 2')"
    ]
    assert violations(new, "new_calls > 3", baseline=old) == []


def test_many_new_calls_are_not_all_named(goapp: Report) -> None:
    old = calling(goapp, called("read", 1))
    for number, ending in ((100, "call_019 1 and 80 more"), (20, "call_019 1")):
        new = calling(goapp, *(called(f"call_{index:03}", 1) for index in range(number)))
        (said,) = violations(new, "new_calls > 0", baseline=old)
        assert f"{ending}), over the limit of 0" in said


def test_a_change_without_a_baseline_is_a_mistake_of_the_caller(goapp: Report) -> None:
    for limit in ("errors > +1", "new_calls > 0"):
        with pytest.raises(ValueError, match="baseline"):
            violations(goapp, limit)


def test_a_change_within_the_noise_violates_nothing_but_an_absolute_limit_does(
    goapp: Report,
) -> None:
    old, new = calling(goapp, called("read", 5)), calling(goapp, called("read", 50))
    limits = [parse("read.count > +5%"), parse("read.count > 40"), parse("write.count > +5%")]
    asked: list[Quantity] = []

    def within(quantity: Quantity) -> Noise:
        asked.append(quantity)
        return "within"

    figures = ReportFigures(new), ReportFigures(old)
    found = evaluate(limits, *figures, noise=within).violations
    assert [str(violation.limit) for violation in found] == ["read.count > 40"]
    assert asked == [Quantity("count", "read")]


def test_noise_does_not_hide_that_a_figure_is_not_known(goapp: Report) -> None:
    old, new = goapp, replace(goapp, probes=replace(goapp.probes, vdso="off"), calls=())
    limits = [parse("clock_gettime.count > +5%")]
    figures = ReportFigures(replace(new, calls=(called("execve", 1),))), ReportFigures(old)
    assert evaluate(limits, *figures, noise=lambda _: "within").violations


def medians(goapp: Report, counts: Sequence[int]) -> Medians:
    return Medians([ReportFigures(calling(goapp, called("read", count))) for count in counts])


@pytest.mark.parametrize(("counts", "value"), [((9, 1, 5), 5), ((4, 1, 2, 9), 3), ((1, 2), 1.5)])
def test_several_runs_have_the_median(goapp: Report, counts: tuple[int, ...], value: float) -> None:
    runs = medians(goapp, counts)
    found = runs.figure(Quantity("count", "read"))
    assert (found.low, found.high) == (value, value)
    said = evaluate([parse("read.count > 0")], runs).violations[0].text
    assert said.startswith(f"read.count is {value} (the median of {len(counts)} runs), over")


def test_one_run_is_no_median(goapp: Report) -> None:
    said = evaluate([parse("read.count > 0")], medians(goapp, [7])).violations[0].text
    assert said.startswith("read.count is 7, over")


def test_what_one_of_several_runs_does_not_know_is_not_known(goapp: Report) -> None:
    runs = [calling(goapp, called("read", 5)) for _ in range(4)]
    runs[1] = replace(runs[1], lost=40)
    runs[2] = replace(runs[2], lost=50)
    found = Medians([ReportFigures(run) for run in runs]).figure(Quantity("count", "read"))
    assert (found.low, found.high, found.doubt) == (5, 55, "50 calls were lost")


def test_a_time_limit_that_held_for_want_of_calls_says_so(goapp: Report) -> None:
    report = calling(goapp, called("read", 0, filtered=1))
    remarks = verdict(report, "write.p99 > 1ms", "*.p99 > 1ms", "write.count > 1").remarks
    assert remarks == ("write.p99 is 0, for no write returned (--fail-if 'write.p99 > 1ms')",)


def test_a_mean_of_rows_that_do_not_say_how_many_returned_is_the_largest(goapp: Report) -> None:
    rows = [
        replace(called("read", count, unfinished=unfinished), abi=abi, times=Times(100, mean))
        for count, unfinished, abi, mean in ((10, 0, "x86_64", 10.0), (3, 3, "i386", 50.0))
    ]
    assert figure(calling(goapp, *rows), "read.mean") == 50


def test_a_time_of_calls_that_did_not_return_is_0(goapp: Report) -> None:
    report = calling(goapp, called("pause", 2, unfinished=2))
    assert verdict(report, "pause.max > 1ms").violations == ()
    assert len(verdict(report, "pause.max > 1ms").remarks) == 1
