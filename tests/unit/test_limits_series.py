"""Limits held against series of runs: B's figures in each run, changes between the medians."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from systrace.limits.evaluate import Verdict
from systrace.limits.grammar import parse
from systrace.limits.series import hold
from systrace.report import Call, Probes, Report, Times

from .conftest import GOAPP


def runs(*counts: int, name: str = "read", **more: object) -> list[Report]:
    return [
        replace(GOAPP, calls=(Call(name, "syscall", "x86_64", count, **more),))  # type: ignore[arg-type]
        for count in counts
    ]


def held(a: Sequence[Report], b: Sequence[Report], *limits: str) -> Verdict:
    return hold([parse(limit) for limit in limits], a, b)


def texts(a: Sequence[Report], b: Sequence[Report], *limits: str) -> list[str]:
    return [violation.text for violation in held(a, b, *limits).violations]


def test_an_absolute_limit_is_b_s_alone_and_holds_in_each_run() -> None:
    assert texts(runs(900), runs(5, 7, 6), "read.count > 7") == []
    assert texts(runs(1), runs(5, 9, 8, 5), "read.count > 7") == [
        "read.count is 9 (run 2 of 4), over the limit of 7 (--fail-if 'read.count > 7')"
    ]
    assert texts(runs(1), runs(5, 3, 8), "read.count < 6") == [
        "read.count is 3 (run 2 of 3), under the limit of 6 (--fail-if 'read.count < 6')"
    ]


def test_what_one_run_did_not_count_fails_and_what_one_lost_is_found() -> None:
    b = runs(5, 5, 5)
    b[1] = replace(b[1], lost=40)
    assert texts(runs(5), b, "read.count > 7", "lost > 0") == [
        "read.count is 5 to 45 (run 2 of 3): 40 calls were lost (--fail-if 'read.count > 7')",
        "lost is 40 (run 2 of 3), over the limit of 0 (--fail-if 'lost > 0')",
    ]


def test_one_report_of_each_side_is_compared_as_it_is() -> None:
    assert texts(runs(100), runs(106), "read.count > +5%", "read.count > +6") == [
        (
            "read.count is 106, 100 in the baseline: +6 %, over the limit of +5% "
            "(--fail-if 'read.count > +5%')"
        )
    ]


NOISE = (100, 104, 98, 101, 109, 97, 100, 103, 102, 99)


def test_a_change_of_medians_counts_beyond_the_noise_alone() -> None:
    limit = "read.count > +1"
    assert texts(runs(*NOISE), runs(*(count + 3 for count in NOISE)), limit) == []
    (said,) = texts(runs(*NOISE), runs(*(count + 30 for count in NOISE)), limit)
    assert said == (
        "read.count is 130.5 (the median of 10 runs), 100.5 in the baseline: +29.9 %, over the "
        "limit of +1 (--fail-if 'read.count > +1')"
    )


def test_a_change_beyond_the_noise_and_within_the_limit_holds() -> None:
    assert texts(runs(*[100] * 10), runs(*[104] * 10), "read.count > +5%", "read.count > +4") == []


@pytest.mark.parametrize("limit", ["read.count > -10%", "read.count >= +0", "read.count == +0"])
def test_a_limit_that_asks_for_a_change_is_not_met_by_noise(limit: str) -> None:
    assert len(texts(runs(*NOISE), runs(*NOISE), limit)) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([100] * 3, [120] * 3),
        ([100], [120] * 10),
        # nothing that two runs find could be told from noise
        ([100, 130], [120, 125]),
    ],
)
def test_too_few_runs_to_tell_are_no_reason_to_pass(a: list[int], b: list[int]) -> None:
    verdict = held(runs(*a), runs(*b), "read.count > +5")
    (violation,) = verdict.violations
    assert violation.text.endswith("'read.count > +5'): too few runs to tell this from noise")
    assert verdict.remarks == ("7 runs of each side can tell whether such a change is noise",)


def test_too_few_runs_for_so_many_quantities_are_too_few() -> None:
    a, b = runs(*[100] * 7), runs(*[120] * 7)
    assert "noise" not in texts(a, b, "read.count > +5")[0]
    both = texts(a, b, "read.count > +5", "ring0_calls > +5")
    assert all(text.endswith("noise") for text in both)
    assert held(a, b, "read.count > +5", "ring0_calls > +5").remarks[-1].startswith("8 runs")
    # an absolute limit needs no test
    assert "noise" not in texts(a, b, "read.count > +5", "ring0_calls > 5")[0]


def test_a_pattern_is_judged_call_by_call() -> None:
    def calling(read: int, write: int) -> Report:
        counts = (("read", read), ("write", write))
        return replace(GOAPP, calls=tuple(Call(n, "syscall", "x86_64", c) for n, c in counts))

    a = [calling(count, 7) for count in NOISE]
    b = [calling(count + 2, 9) for count in NOISE]
    assert [str(found.quantity) for found in held(a, b, "*.count > +1").violations] == [
        "write.count"
    ]


def test_a_time_is_compared_like_a_count() -> None:
    def timed(p99_us: int) -> Report:
        return runs(5, times=Times(10**6, 10.0, p99_ns=1000 * p99_us))[0]

    a, b = [timed(n) for n in NOISE], [timed(2 * n) for n in NOISE]
    assert len(texts(a, b, "read.p99 > +20%")) == 1
    assert texts(a, [timed(n + 3) for n in NOISE], "read.p99 > +1us") == []


def test_a_call_that_only_b_makes_is_new_where_that_is_no_noise() -> None:
    a, old = runs(*[5] * 10), [*runs(*[5] * 5), *runs(*[5] * 5, name="write")]
    new = runs(*[5] * 10, name="write")
    assert texts(a, new, "new_calls > 0") == [
        "new_calls is 5 (write 5), over the limit of 0 (--fail-if 'new_calls > 0')"
    ]
    # A makes it in some of its runs
    assert texts(old, new, "new_calls > 0") == []
    # in half of B's runs: nine in a hundred such pairs do that by chance
    assert texts(a, [*a[:4], *new[:6]], "new_calls > 0") == []
    assert texts(a[:1], new[:1], "new_calls > 0", "new_calls > 5")[0].startswith("new_calls is 5")


def test_a_call_that_the_baseline_could_not_see_is_not_known_not_to_be_new() -> None:
    blind = [replace(report, probes=Probes("raw_tracepoint", "off")) for report in runs(5)]
    clock = Call("clock_gettime", "vdso", "x86_64", 12)
    seen = replace(GOAPP, calls=(*runs(5)[0].calls, clock))
    assert texts(runs(5), [seen], "new_calls > 12") == []
    assert texts(blind, [seen], "new_calls > 12") == []
    assert texts(blind, [seen], "new_calls > 11") == [
        (
            "new_calls is 0 to 12: vDSO calls were not counted (--vdso off) in the baseline "
            "(--fail-if 'new_calls > 11')"
        )
    ]
    assert texts(blind, runs(5), "new_calls > 0") == []
    # one run of the baseline that makes the call is enough
    assert texts([*blind, seen], [seen], "new_calls > 0") == []


def test_a_baseline_that_was_not_counted_passes_nothing() -> None:
    blind = [replace(report, probes=Probes("raw_tracepoint", "off")) for report in runs(*NOISE)]
    clock = Call("clock_gettime", "vdso", "x86_64", 12)
    seen = [replace(report, calls=(*report.calls, clock)) for report in runs(*NOISE)]
    (said,) = texts(blind, seen, "clock_gettime.count > +5")
    assert "in the baseline not known: vDSO calls were not counted" in said


def test_limits_come_in_their_order_and_all_of_them() -> None:
    verdict = held(runs(5), runs(50), "read.count > 8", "read.count > +5%", "lost > 0")
    assert [str(limit) for limit in verdict.limits] == [
        "read.count > 8",
        "read.count > +5%",
        "lost > 0",
    ]
    assert [str(found.limit) for found in verdict.violations] == [
        "read.count > 8",
        "read.count > +5%",
    ]
    assert all(found.limit in verdict.limits for found in verdict.violations)
