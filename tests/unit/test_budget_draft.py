"""Budgets drafted from reports: the limits, and what the file says of them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from systrace.budget import write
from systrace.budget.draft import HEAD_ROOM, Draft, Drafted, draft
from systrace.budget.read import read
from systrace.budget.runtime import POLLERS, SYSTEM_CALLS, VDSO_CALLS, WAKE_UPS
from systrace.errors import InputError
from systrace.limits.evaluate import evaluate
from systrace.limits.figures import ReportFigures
from systrace.options import Selection
from systrace.report import Call, Exit, Probes, Report
from systrace.syscalls import VDSO_FUNCTIONS, is_known

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Counts = dict[str, int]


def made(goapp: Report, counts: Counts, ring3: int = 0, **more: object) -> Report:
    calls = [Call(name, "syscall", "x86_64", count) for name, count in counts.items()]
    if ring3:
        calls.append(Call("clock_gettime", "vdso", "x86_64", ring3))
    return replace(goapp, calls=tuple(calls), **more)  # type: ignore[arg-type]


def drafted(reports: Sequence[Report], head_room: Fraction = HEAD_ROOM) -> Draft:
    return draft({f"{index}.json": report for index, report in enumerate(reports)}, head_room)


def text(reports: Sequence[Report], head_room: Fraction = HEAD_ROOM) -> str:
    return write.text(drafted(reports, head_room), reports, head_room)


def limits(found: Draft) -> dict[str, int]:
    return {str(limit.quantity): limit.limit for limit in found.limits}


def broken(file: Path, report: Report) -> list[str]:
    """The quantities that are over budget."""
    found = evaluate(read(str(file)), ReportFigures(report)).violations
    return [str(violation.quantity) for violation in found]


def test_where_all_reports_agree_there_is_no_head_room(goapp: Report) -> None:
    report = made(goapp, {"openat": 38, "futex": 3}, ring3=100)
    found = drafted([report] * 10)
    assert limits(found) == {
        "ring0_calls": 41,
        "processes": 1,
        "openat.count": 38,
        "futex.count": 3,
        "clock_gettime.count": 100,
        "clock_gettime.ring0_calls": 0,
    }
    assert found.calls == ("clock_gettime", "futex", "openat")
    assert found.runtime_calls == found.uncounted == ()
    assert not found.differs


def test_where_they_differ_head_room_of_five_spreads_lies_above_the_largest(goapp: Report) -> None:
    found = drafted([made(goapp, {"read": count, "openat": 1}) for count in (205, 219, 207)])
    assert limits(found)["read.count"] == 219 + 5 * (219 - 205)
    assert limits(found)["openat.count"] == 1
    assert Drafted(found.limits[3].quantity, "differs", 205, 219, 289) == found.limits[3]


def test_the_head_room_is_as_it_was_asked_for(goapp: Report) -> None:
    reports = [made(goapp, {"read": count, "futex": 7}) for count in (205, 219)]
    assert limits(drafted(reports, Fraction("2.5")))["read.count"] == 219 + 35
    assert limits(drafted(reports, Fraction("0.1")))["read.count"] == 221
    none = drafted(reports, Fraction(0))
    assert limits(none)["read.count"] == 219
    assert limits(none)["futex.count"] == 7
    assert none.runtime_calls == ()


def test_a_small_spread_may_be_chance_and_counts_as_four(goapp: Report) -> None:
    found = drafted([made(goapp, {"accept4": count}) for count in (2, 3)])
    assert limits(found)["accept4.count"] == 3 + 5 * 4


def test_a_call_that_one_report_lacks_differs_from_0(goapp: Report) -> None:
    found = drafted([made(goapp, {"read": 30}), made(goapp, {"write": 1})])
    assert limits(found)["read.count"] == 30 + 5 * 30
    assert limits(found)["write.count"] == 1 + 5 * 4


def test_runtimes_get_head_room_even_where_they_agree_if_anything_differs(goapp: Report) -> None:
    found = drafted([made(goapp, {"futex": 9, "read": count}, ring3=50) for count in (1, 2)])
    assert limits(found)["futex.count"] == 9 + 5 * 50
    assert limits(found)["clock_gettime.count"] == 50 + 5 * 50
    # that the vDSO leaves calls to the kernel is no runtime's whim
    assert limits(found)["clock_gettime.ring0_calls"] == 0
    assert limits(found)["ring0_calls"] == 11 + 5 * 50
    assert limits(found)["processes"] == 1
    assert set(found.runtime_calls) == SYSTEM_CALLS - {"futex"}


def test_a_large_spread_of_a_runtimes_call_counts_as_it_is(goapp: Report) -> None:
    found = drafted([made(goapp, {"futex": count}) for count in (10, 90)])
    assert limits(found)["futex.count"] == 90 + 5 * 80


def test_what_the_vdso_serves_is_limited_as_a_whole_and_in_ring_0(goapp: Report) -> None:
    mixed = made(goapp, {"clock_gettime": 3}, ring3=100)
    assert limits(drafted([mixed]))["clock_gettime.count"] == 103
    assert limits(drafted([mixed]))["clock_gettime.ring0_calls"] == 3
    sometimes = drafted([mixed, made(goapp, {"clock_gettime": 3})])
    assert limits(sometimes)["clock_gettime.ring0_calls"] == 3
    # one that never stayed in ring 3 may begin to
    assert "clock_gettime.ring0_calls" not in limits(drafted([made(goapp, {"clock_gettime": 3})]))


def test_reads_and_writes_may_wake_an_event_loop_where_there_is_one(goapp: Report) -> None:
    counts = {"read": 7, "write": 8, "openat": 9}
    without = drafted([made(goapp, {**counts, "futex": n}) for n in (1, 2)])
    assert [limits(without)[f"{name}.count"] for name in counts] == [7, 8, 9]
    reports = [made(goapp, {**counts, "epoll_create1": n}) for n in (0, 1)]
    assert [limits(drafted(reports))[f"{name}.count"] for name in counts] == [27, 28, 9]
    assert [limits(drafted(reports[1:]))[f"{name}.count"] for name in counts] == [7, 8, 9]


def test_every_call_of_a_runtime_exists() -> None:
    named = SYSTEM_CALLS | POLLERS | WAKE_UPS
    assert {name for name in named if not is_known(name)} == set()
    assert VDSO_CALLS <= VDSO_FUNCTIONS


def test_runtime_calls_are_those_that_the_selection_admits(goapp: Report) -> None:
    chosen = Selection(frozenset({"futex", "read", "madvise"}))
    reports = [made(goapp, {"read": count}, selected=True, selection=chosen) for count in (1, 2)]
    assert drafted(reports).runtime_calls == ("futex", "madvise")


def test_reports_that_count_different_calls_make_no_budget(goapp: Report) -> None:
    one = made(goapp, {"read": 1})
    other = replace(one, selected=True, selection=Selection(frozenset({"read"})))
    with pytest.raises(InputError, match=r"'0\.json' and '1.json' do not count the same calls"):
        drafted([one, other])
    alone = replace(one, without_children=True)
    with pytest.raises(InputError, match=r"'0\.json' and '1.json' are not alike: see --no-follow"):
        drafted([one, alone])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lost": 3}, "3 calls were lost"),
        ({"incomplete": ("threads",)}, "some threads were not followed"),
        ({"exit": Exit()}, "the report was made while the command still ran"),
        ({"calls": ()}, "no call at all was counted"),
    ],
)
def test_a_report_that_may_be_too_low_makes_no_budget(
    goapp: Report, change: dict[str, object], reason: str
) -> None:
    report = made(goapp, {"read": 1})
    with pytest.raises(InputError) as refused:
        drafted([report, replace(report, **change)])  # type: ignore[arg-type]
    assert str(refused.value) == f"no budget can be made from '1.json': {reason}"


def test_a_name_that_no_limit_can_hold_makes_no_budget(goapp: Report) -> None:
    with pytest.raises(InputError, match=r"'0.json': 'a\\x1b\[2J' is no name of a call"):
        drafted([made(goapp, {"a\x1b[2J": 1})])
    for name in ("", "0", "a b", "open*", "errors", "a-b", "\N{LATIN SMALL LETTER E WITH ACUTE}"):
        with pytest.raises(InputError, match="is no name of a call"):
            drafted([made(goapp, {name: 1})])


def test_vdso_calls_that_were_not_counted_get_no_limit_and_are_no_new_calls(
    goapp: Report, tmp_path: Path
) -> None:
    report = made(goapp, {"read": 1}, probes=Probes("raw_tracepoint", "off"))
    found = drafted([report])
    assert limits(found) == {
        "ring0_calls": 1,
        "processes": 1,
        "read.count": 1,
        **{f"{name}.ring0_calls": 0 for name in sorted(VDSO_FUNCTIONS)},
    }
    assert set(found.uncounted) == VDSO_FUNCTIONS
    file = tmp_path / "budget.toml"
    file.write_text(text([report]))
    assert broken(file, report) == []
    assert broken(file, made(goapp, {"read": 1, "time": 1})) == ["ring0_calls", "time.ring0_calls"]


def test_a_limit_that_one_report_cannot_tell_is_left_out_with_the_reason(goapp: Report) -> None:
    whole = made(goapp, {"read": 1}, ring3=5)
    found = drafted([whole, replace(whole, probes=Probes("raw_tracepoint", "off"))])
    assert "clock_gettime.count" not in limits(found)
    assert limits(found)["clock_gettime.ring0_calls"] == 0
    assert found.left_out == {"clock_gettime.count": "vDSO calls were not counted (--vdso off)"}


BUDGET = """\
# A budget of calls, written by systrace 0.1.0 from 2 reports
# made: 2026-11-22T10:00:00Z
# of: ./goapp
# on: Linux 6.18.44, x86_64, 2 CPUs, tsc
#
# Each limit is the largest figure of all reports. Where they differ, head-room of 5 times their
# spread lies above it (--head-room).
schema = "systrace.budget/1"

# Fail if one of these is true.
fail-if = [
  # the whole run
  "ring0_calls > 467",  # 212 to 217
  "processes > 1",
  # the same in every report: no head-room
  "clock_gettime.ring0_calls > 0",
  "openat.count > 1",
  # different from report to report
  "read.count > 237",  # 207 to 212
  # what runtimes do when they please: threads, timers, memory, readings of the clock
  "clock_gettime.count > 300",  # 50 in every report
  "futex.count > 254",  # 4 in every report
]

# Every call that may be made at all, by name or pattern ("open*"): a new one fails.
calls = [
  "clock_gettime", "futex", "openat", "read",
  # in no report, and no surprise: what runtimes do
"""


def test_the_file_says_of_each_limit_what_it_was_made_from(goapp: Report) -> None:
    reports = [made(goapp, {"read": n, "openat": 1, "futex": 4}, ring3=50) for n in (207, 212)]
    found = text(reports)
    head, rest = found[: len(BUDGET)], found[len(BUDGET) :]
    assert head == BUDGET
    assert set(tomllib.loads(found)["calls"]) == SYSTEM_CALLS | {"clock_gettime", "openat", "read"}
    assert rest.endswith(",\n]\n")
    assert max(map(len, found.splitlines())) <= 100


def test_the_file_says_where_there_is_no_head_room(goapp: Report) -> None:
    report = made(goapp, {"read": 1})
    assert "the figure of the one report, with no head-room: make it from ten." in text([report])
    assert "All reports agree, so that no limit has head-room." in text([report, report])
    assert "-e selected" not in text([report])
    chosen = replace(report, selected=True, selection=Selection(frozenset({"read"})))
    assert "# Only calls that -e selected" in text([chosen])


HOSTILE = ("./a\n]\x1b[2J", '"""', "\u2028x = 1", "\udc80", "\u202e")


def test_no_text_of_a_report_leaves_its_comment(goapp: Report, tmp_path: Path) -> None:
    report = made(goapp, {"read": 1}, command=HOSTILE, started='1\n"x"\x07')
    report = replace(report, machine=replace(report.machine, kernel="6\n[x]", clocksource="\r\n"))
    found = text([report])
    assert set(tomllib.loads(found)) == {"schema", "fail-if", "calls"}
    assert found.replace("\n", "").isprintable()
    (tmp_path / "b.toml").write_text(found)
    assert broken(tmp_path / "b.toml", report) == []


def test_many_commands_and_machines_are_not_all_named(goapp: Report) -> None:
    report = made(goapp, {"read": 1})
    found = text([replace(report, command=(f"./{n}",)) for n in range(9)])
    assert "# of: ./2\n# and 6 other commands\n" in found
    assert "# of: attach" in text([replace(report, command=())])


_NAMES = st.sampled_from(["openat", "read", "futex", "clock_gettime", "syscall_9999"])
_COUNTS = st.dictionaries(_NAMES, st.integers(0, 10**12))


@settings(deadline=None)
@given(
    counts=st.lists(st.tuples(_COUNTS, st.integers(0, 10**12)), min_size=1, max_size=4),
    head_room=st.sampled_from([Fraction(0), Fraction("0.5"), Fraction(5)]),
)
def test_a_budget_holds_for_the_reports_that_it_was_made_from_and_not_for_one_call_too_many(
    goapp: Report,
    counts: list[tuple[Counts, int]],
    head_room: Fraction,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    reports = [made(goapp, {"execve": 1, **by_name}, ring3) for by_name, ring3 in counts]
    file = tmp_path_factory.getbasetemp() / "holds.toml"
    file.write_text(text(reports, head_room))
    for report in reports:
        assert broken(file, report) == []
    for limit in drafted(reports, head_room).limits:
        name = limit.quantity.call
        if name is None:
            continue
        found = ReportFigures(reports[0]).figure(limit.quantity)
        more = Call(name, "syscall", "x86_64", limit.limit - int(found.low) + 1)
        over = replace(reports[0], calls=(*reports[0].calls, more))
        assert str(limit.quantity) in broken(file, over)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_report_makes_a_budget_that_holds_for_it_or_none(
    reports: st.SearchStrategy[Report],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    report = data.draw(reports)
    file = tmp_path_factory.getbasetemp() / "or_none.toml"
    try:
        file.write_text(text([report]))
    except InputError:
        return
    assert broken(file, report) == []
