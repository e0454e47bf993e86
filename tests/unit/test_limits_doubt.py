"""A limit never holds because something was not counted."""

from dataclasses import replace
from typing import Any

import pytest

from systrace.errors import UsageError
from systrace.limits.before import refuse_changes, refuse_unknowable
from systrace.limits.evaluate import evaluate
from systrace.limits.figures import ReportFigures
from systrace.limits.grammar import parse
from systrace.options import Selection, TraceOptions
from systrace.report import Call, Exit, Probes, Report, Times
from systrace.syscalls import VDSO_FUNCTIONS

TIMES = Times(1_000, 100.0, 10, 400, 90, 300, 400)
CALLS = (
    Call("write", "syscall", "x86_64", 10, times=TIMES),
    Call("clock_gettime", "syscall", "x86_64", 3, times=TIMES),
)


@pytest.fixture
def report(goapp: Report) -> Report:
    return replace(goapp, calls=CALLS)


def said(report: Report, *limits: str) -> list[str]:
    found = evaluate([parse(limit) for limit in limits], ReportFigures(report)).violations
    return [violation.text.rpartition(" (--")[0] for violation in found]


# Every one holds for CALLS when all is known; most by far.
GENEROUS = {
    "ring0_calls": "ring0_calls > 1000",
    "ring3_calls": "ring3_calls > 1000",
    "errors": "errors > 1000",
    "write.count": "write.count > 1000",
    "write.errors": "write.errors > 1000",
    "write.filtered": "write.filtered > 1000",
    "write.max": "write.max > 1h",
    "write.mean": "write.mean > 1h",
    "clock_gettime.count": "clock_gettime.count > 1000",
    "clock_gettime.ring0_calls": "clock_gettime.ring0_calls > 1000",
    "clock_gettime.vdso": "clock_gettime.vdso > 1000",
    "clock_gettime.p99": "clock_gettime.p99 > 1h",
    "openat.count": "openat.count > 1000",
    "processes": "processes > 1000",
    "elapsed": "elapsed > 1h",
    "lost": "lost > 1000",
}
EVERY = set(GENEROUS)
COUNTS = EVERY - {"elapsed", "lost"}
OF_THE_VDSO = {"ring3_calls", "clock_gettime.count", "clock_gettime.vdso", "clock_gettime.p99"}


def unknown(report: Report) -> set[str]:
    return {name for name, limit in GENEROUS.items() if said(report, limit)}


def test_generous_limits_hold_when_all_is_known(report: Report) -> None:
    assert unknown(report) == set()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"incomplete": ("threads",)}, COUNTS),
        ({"incomplete": ("unknown",)}, COUNTS),
        ({"incomplete": ("errors",)}, {"errors", "write.errors"}),
        ({"incomplete": ("vdso",)}, OF_THE_VDSO),
        ({"incomplete": ("vdso clock_gettime",)}, OF_THE_VDSO),
        ({"incomplete": ("vdso getcpu",)}, {"ring3_calls"}),
        ({"exit": Exit()}, EVERY),
        ({"since_ns": 0}, EVERY),
        ({"calls": ()}, COUNTS),
        ({"probes": Probes("raw_tracepoint", "off")}, OF_THE_VDSO),
        ({"probes": Probes("raw_tracepoint", "uncounted")}, OF_THE_VDSO),
        ({"probes": Probes("raw_tracepoint", "none")}, set()),
        ({"probes": Probes("raw_tracepoint", "removed")}, set()),
        # of selected calls, but known
        ({"selected": True}, {"openat.count"}),
        ({"selected": True, "selection": Selection(frozenset({"write"}))}, {"openat.count"}),
        ({"selected": True, "selection": Selection(frozenset({"write", "openat"}))}, set()),
        ({"selected": True, "selection": Selection(frozenset({"read"}), negated=True)}, set()),
        ({"lost": 5000}, {
            "ring0_calls", "errors", "write.count", "write.errors", "write.filtered", "write.max",
            "write.mean", "clock_gettime.count", "clock_gettime.ring0_calls", "clock_gettime.p99",
            "openat.count", "processes", "lost",
        }),
        # few enough that counts cannot be over, though times can
        ({"lost": 5}, {"write.max", "write.mean", "clock_gettime.p99"}),
    ],
)  # fmt: skip
def test_what_was_not_counted_to_the_last_call_holds_no_limit(
    report: Report, change: dict[str, Any], names: set[str]
) -> None:
    assert unknown(replace(report, **change)) == names


def test_a_process_that_was_attached_to_may_make_no_call_and_need_not_end(goapp: Report) -> None:
    idle = replace(goapp, command=(), exit=Exit(), calls=())
    assert said(idle, "ring0_calls > 0", "openat.count > 0") == []


def test_a_selection_may_select_nothing_that_was_called(goapp: Report) -> None:
    chosen = Selection(frozenset({"socket"}))
    report = replace(goapp, calls=(), selected=True, selection=chosen)
    assert said(report, "socket.count > 0", "sock*.count > 0", "ring0_calls > 0") == []
    assert said(report, "open*.count > 5") == [
        "open*.count is not known: a selection (-e) left it out"
    ]


def test_lost_calls_may_be_anywhere(report: Report) -> None:
    lost = replace(report, lost=5)
    assert said(lost, "write.count > 15", "write.count > 14", "write.count > 9") == [
        "write.count is 10 to 15: 5 calls were lost",
        "write.count is at least 10, over the limit of 9",
    ]
    assert said(replace(report, lost=1), "openat.count != 0") == [
        "openat.count is 0 to 1: 1 call was lost"
    ]


def test_a_lost_call_may_have_been_the_longest_but_no_shorter_than_the_longest(
    report: Report,
) -> None:
    lost = replace(report, lost=1)
    assert said(lost, "write.max > 300ns", "write.total > 300ns", "write.p99 > 300ns") == [
        "write.max is at least 400 ns, over the limit of 300ns",
        "write.total is at least 1.00 us, over the limit of 300ns",
        "write.p99 is not known: 1 call was lost",
    ]


def test_a_lower_limit_may_hold_where_a_count_is_too_low(report: Report) -> None:
    lost = replace(report, lost=5)
    assert said(lost, "write.count < 10") == []
    assert said(lost, "write.count < 11") == ["write.count is 10 to 15: 5 calls were lost"]


def test_a_fallback_that_was_lost_is_an_entry_counted_as_served(report: Report) -> None:
    calls = (*report.calls, Call("clock_gettime", "vdso", "x86_64", 100))
    lost = replace(report, calls=calls, lost=5)
    assert said(lost, "clock_gettime.vdso > 100") == []
    assert said(lost, "clock_gettime.vdso < 96") == [
        "clock_gettime.vdso is 95 to 100: 5 calls were lost"
    ]


def test_without_following_vdso_calls_may_be_fewer_too(report: Report) -> None:
    calls = (*report.calls, Call("clock_gettime", "vdso", "x86_64", 100))
    known = replace(report, calls=calls, without_children=True)
    assert said(known, "ring3_calls < 1", "ring0_calls > 13") == []
    doubtful = replace(known, incomplete=("vdso",))
    why = "vDSO calls of some program were not counted, or those of children were"
    assert said(doubtful, "ring3_calls < 1", "ring3_calls > 99", "ring0_calls > 13") == [
        f"ring3_calls is not known: {why}",
        f"ring3_calls is not known: {why}",
    ]


def test_a_pattern_includes_vdso_calls_that_nobody_counted(report: Report) -> None:
    off = replace(report, probes=Probes("raw_tracepoint", "off"))
    found = said(off, "*.count > 1000")
    assert {text.split(".")[0] for text in found} == VDSO_FUNCTIONS
    assert "getcpu.count is not known: vDSO calls were not counted (--vdso off)" in found
    assert said(off, "w*.count > 1000", "*.ring0_calls > 1000", "*.errors > 1") == []


def test_a_call_over_its_limit_in_ring_0_alone_is_over_whatever_the_vdso_served(
    report: Report,
) -> None:
    off = replace(report, probes=Probes("raw_tracepoint", "off"))
    assert said(off, "clock_gettime.count > 2") == [
        "clock_gettime.count is at least 3, over the limit of 2"
    ]
    (text,) = said(off, "clock_gettime.count > 3")
    assert text == (
        "clock_gettime.count is at least 3, and how much more is not known: "
        "vDSO calls were not counted (--vdso off)"
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            Call("write", "vdso", "x86_64", 7, times=Times(70, 10.0, estimated=True)),
            "7 of its calls were served by the vDSO, and not timed",
        ),
        (
            Call("write", "vsyscall", "x86_64", 7),
            "7 of its calls were served by the vsyscall page, and not timed",
        ),
        (Call("write", "syscall", "i386", 7), "not all of its calls were timed"),
        (Call("write", "syscall", "i386", 7, unfinished=6), "not all of its calls were timed"),
    ],
)
def test_a_time_that_was_not_measured_holds_no_limit(
    report: Report, row: Call, reason: str
) -> None:
    mixed = replace(report, calls=(*CALLS, row))
    for field in ("total", "mean", "min", "p50", "p95", "p99", "max"):
        (text,) = said(mixed, f"write.{field} > 1h")
        assert text.endswith(reason)
    # what was measured is over all the same
    assert said(mixed, "write.max > 300ns") == [
        "write.max is at least 400 ns, over the limit of 300ns"
    ]
    assert said(mixed, "write.p99 > 300ns") == [f"write.p99 is not known: {reason}"]


def test_calls_that_never_returned_have_no_time_and_no_part_in_one(report: Report) -> None:
    row = Call("write", "syscall", "i386", 7, unfinished=7)
    assert said(replace(report, calls=(*CALLS, row)), "write.max > 1ms") == []


def test_a_baseline_that_is_not_known_holds_no_change(report: Report) -> None:
    old = ReportFigures(replace(report, incomplete=("threads",)))
    new = ReportFigures(replace(report, calls=(Call("write", "syscall", "x86_64", 11),)))
    (found,) = evaluate([parse("write.count > +5%")], new, old).violations
    assert found.text == (
        "write.count is 11, in the baseline at least 10, and how much more is not known: "
        "some threads were not followed (--fail-if 'write.count > +5%')"
    )
    # no more than the least that it can have been
    assert not evaluate([parse("write.count > +10%")], new, old).violations


@pytest.mark.parametrize("limit", ["write.count > +5", "write.count > +50%"])
@pytest.mark.parametrize(
    ("count", "said"),
    [
        (15, None),
        (16, "write.count is 16, in the baseline 10 to 12: 2 calls were lost"),
        (17, "write.count is 17, in the baseline 10 to 12: 2 calls were lost"),
        (19, "write.count is 19, 10 in the baseline, over the limit of "),
    ],
)
def test_a_baseline_that_is_a_range_makes_the_limit_one(
    report: Report, limit: str, count: int, said: str | None
) -> None:
    old = ReportFigures(replace(report, lost=2))
    new = ReportFigures(replace(report, calls=(Call("write", "syscall", "x86_64", count),)))
    found = [violation.text for violation in evaluate([parse(limit)], new, old).violations]
    assert [text.startswith(said) for text in found if said] == ([True] if said else [])
    assert len(found) == bool(said)


def test_new_calls_may_be_among_what_was_lost_or_not_counted(report: Report) -> None:
    old = ReportFigures(report)
    limits = [parse("new_calls > 0")]
    lost = evaluate(limits, ReportFigures(replace(report, lost=2)), old).violations
    assert lost[0].text.startswith("new_calls is 0 to 2: 2 calls were lost")
    off = replace(report, probes=Probes("raw_tracepoint", "off"))
    (found,) = evaluate(limits, ReportFigures(off), old).violations
    assert found.text.startswith("new_calls is not known: vDSO calls were not counted")


@pytest.mark.parametrize(
    ("limit", "trace", "reason"),
    [
        ("write.p99 > 1ms", TraceOptions(counts_only=True), "no times were taken (--counts-only)"),
        ("*.max > 1ms", TraceOptions(counts_only=True), "no times were taken (--counts-only)"),
        ("ring3_calls > 5", TraceOptions(vdso="off"), "vDSO calls were not counted (--vdso off)"),
        ("time.count > 5", TraceOptions(vdso="off"), "vDSO calls were not counted (--vdso off)"),
        ("*.count > 5", TraceOptions(vdso="off"), "vDSO calls were not counted (--vdso off)"),
        (
            "read.count > 5",
            TraceOptions(selection=Selection(frozenset({"write"}))),
            "a selection (-e) left it out",
        ),
        (
            "read.count > 5",
            TraceOptions(selection=Selection(frozenset({"read"}), negated=True)),
            "a selection (-e) left it out",
        ),
        (
            "open*.count > 5",
            TraceOptions(selection=Selection(frozenset({"write"}))),
            "a selection (-e) left it out",
        ),
    ],
)
def test_what_will_not_be_counted_is_refused_before_anything_starts(
    limit: str, trace: TraceOptions, reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_unknowable([parse("errors > 1"), parse(limit)], trace)
    quantity = limit.partition(" ")[0]
    assert str(refused.value) == f"{quantity} cannot be known: {reason} (--fail-if '{limit}')"


@pytest.mark.parametrize(
    ("limit", "trace"),
    [
        ("elapsed > 1s", TraceOptions(counts_only=True)),
        ("write.count > 1", TraceOptions(counts_only=True)),
        ("time.ring0_calls > 1", TraceOptions(vdso="off")),
        ("w*.count > 1", TraceOptions(vdso="off")),
        ("ring3_calls > 1", TraceOptions(vdso="off", without_vdso=True)),
        ("*.count > 1", TraceOptions(vdso="off", selection=Selection(frozenset({"write"})))),
        ("ring3_calls > 1", TraceOptions(vdso="off", selection=Selection(frozenset({"write"})))),
        ("write.count > 1", TraceOptions(selection=Selection(frozenset({"write"})))),
        ("w*.count > 1", TraceOptions(selection=Selection(frozenset({"write"})))),
        ("r*.count > 1", TraceOptions(selection=Selection(frozenset({"read"}), negated=True))),
        ("ring0_calls > 1", TraceOptions(selection=Selection(frozenset({"write"})))),
    ],
)
def test_what_will_be_counted_is_not_refused(limit: str, trace: TraceOptions) -> None:
    refuse_unknowable([parse(limit)], trace)


@pytest.mark.parametrize("limit", ["errors > +5", "errors > +5%", "new_calls > 0"])
def test_a_change_without_a_baseline_is_refused_with_a_line_that_has_one(limit: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_changes([parse("errors > 5"), parse(limit)])
    said, pasted = str(refused.value).splitlines()
    assert said == f"--fail-if '{limit}': a change needs a report to compare with:"
    assert pasted.endswith(f"check --baseline OLD.json --fail-if '{limit}' REPORT.json")
    refuse_changes([parse("errors > 5")])
