"""Comparisons in formats that programs read, each read back by a reader that is not ours."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from systrace.comparison import Comparison, Side
from systrace.diff import series
from systrace.limits import series as limits
from systrace.limits.evaluate import Verdict
from systrace.limits.grammar import parse as limit
from systrace.options import TableOptions
from systrace.render import (
    comparison_csv,
    comparison_github,
    comparison_markdown,
    comparison_prometheus,
)
from systrace.render.csv import cell
from systrace.render.text import printable
from systrace.report import Call, Probes, Report

from .conftest import GOAPP, HOSTILE, REPORTS, TEXT
from .test_github import Command, commands
from .test_markdown import HARMLESS, Document
from .test_markdown import parse as markdown

TABLE = TableOptions()
Row = dict[str, str]
BEFORE = replace(
    GOAPP,
    calls=(
        Call("clock_gettime", "vdso", "x86_64", 2_000),
        Call("read", "syscall", "x86_64", 7, errors={"EAGAIN": 2}),
        Call("brk", "syscall", "x86_64", 3),
    ),
)
AFTER = replace(
    GOAPP,
    elapsed_ns=134_400_000,
    calls=(
        Call("clock_gettime", "syscall", "x86_64", 1_999),
        Call("read", "syscall", "x86_64", 7, errors={"EAGAIN": 5}),
        Call("brk", "syscall", "x86_64", 3),
    ),
)


def compared(
    a: Sequence[Report] = (BEFORE,), b: Sequence[Report] = (AFTER,), *held: str
) -> Comparison:
    found = series(Side("a.json", tuple(a)), Side("./b", tuple(b), "command"))
    if not held:
        return found
    return replace(found, limits=limits.hold([limit(text) for text in held], a, b))


LIMITS = ("clock_gettime.ring0_calls > 0", "read.count > +5%", "lost > 0")
VIOLATION = (
    "clock_gettime.ring0_calls is 1,999, over the limit of 0 "
    "(--fail-if 'clock_gettime.ring0_calls > 0')"
)


def hostile(data: st.DataObject) -> Comparison:
    """Any two sides, named by anything, and limits that name anything."""
    some = st.lists(REPORTS, min_size=1, max_size=2).map(tuple)
    sides = [Side(data.draw(HOSTILE | TEXT), data.draw(some), "command") for _ in "AB"]
    comparison = series(*sides)
    held = limits.hold([limit("ring0_calls > 0"), limit("lost > +1")], *(s.reports for s in sides))
    text = data.draw(HOSTILE | TEXT)
    spoilt = [replace(found, text=text) for found in held.violations]
    return replace(comparison, limits=Verdict(held.limits, tuple(spoilt), (text,)))


def rows(comparison: Comparison) -> list[Row]:
    text = comparison_csv.render(comparison, TABLE)
    found = list(csv.DictReader(io.StringIO(text), strict=True))
    assert all(tuple(row) == tuple(comparison_csv.COLUMNS) for row in found)
    assert not any(None in row.values() for row in found)
    return found


def of(found: list[Row], kind: str) -> list[Row]:
    return [row for row in found if row["row"] == kind]


def test_csv_has_a_row_a_call_with_both_sides() -> None:
    found = rows(compared())
    calls = {(row["name"], row["via"]): row for row in of(found, "call")}
    assert len(calls) == 4
    new = calls["clock_gettime", "syscall"]
    assert (new["a_median"], new["b_median"], new["difference"]) == ("0", "1999", "1999")
    assert (new["ring"], new["only"], new["verdict"]) == ("3->0", "b", "unknown")
    assert calls["brk", "syscall"]["factor"] == "1.0"
    (error,) = of(found, "error")
    assert (error["error"], error["a_max"], error["b_min"]) == ("EAGAIN", "2", "5")
    (change,) = of(found, "ring_change")
    assert (change["via"], change["via_after"], change["difference"]) == ("vdso", "syscall", "1999")
    totals = {row["name"]: row for row in of(found, "total")}
    assert totals["elapsed_ns"]["factor"] == "2.0"
    assert [row["name"] for row in of(found, "side")] == ["a", "b"]


def test_csv_has_times_and_what_was_not_counted_is_empty() -> None:
    off = replace(GOAPP, calls=GOAPP.calls[1:], probes=Probes("raw_tracepoint", "off"))
    found = rows(compared((GOAPP,), (off,)))
    futex = next(row for row in of(found, "time") if row["name"] == "futex")
    assert (futex["a_median"], futex["estimated"], futex["verdict"]) == ("135000000", "", "")
    (vdso,) = [row for row in of(found, "call") if row["via"] == "vdso"]
    assert (vdso["a_median"], vdso["b_median"], vdso["difference"]) == ("2000152", "", "")
    assert of(found, "warning")[0]["text"].startswith("vDSO calls of B were not counted")


def test_csv_has_what_came_of_limits() -> None:
    found = rows(compared((BEFORE,), (AFTER,), *LIMITS))
    (violation,) = of(found, "violation")
    assert (violation["limit"], violation["figure_low"]) == (LIMITS[0], "1999")
    assert [row["limit"] for row in of(found, "held")] == list(LIMITS[1:])


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_csv_is_read_back_whatever_stands_in_it(data: st.DataObject) -> None:
    comparison = hostile(data)
    found = rows(comparison)
    numbers = ("difference", "figure_low", "baseline_low")
    for row in found:
        for key, value in row.items():
            assert printable(value) == value
            assert key in numbers or value.lstrip()[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20")
    named = [(cell(row.name), row.via, row.abi) for row in comparison.rows]
    assert [(row["name"], row["via"], row["abi"]) for row in of(found, "call")] == named


def document(comparison: Comparison, **options: bool) -> Document:
    return markdown(comparison_markdown.render(comparison, TableOptions(**options)))  # type: ignore[arg-type]


def test_markdown_begins_with_the_verdict_and_the_ring_change() -> None:
    found = document(compared())
    assert found.after("heading_open") == ["a.json -> ./b"]
    assert found.after("paragraph_open")[0].startswith("3 of 4 rows differ.")
    assert found.alerts == [
        "[!WARNING] Changed ring: clock_gettime: vdso -> syscall, 1,999 calls",
    ]
    totals, calls = found.tables
    assert totals[0] == ["", "A", "B", "change", "factor"]
    assert totals[1] == ["stayed in ring 3", "2,000", "0", "-2,000", ""]
    assert totals[3] == ["elapsed time", "67.2 ms", "134 ms", "+67.2 ms", "x2.00"]
    assert calls[0] == ["call", "via", "A", "B", "change", "factor", "errs"]
    assert calls[1] == ["clock_gettime", "vdso", "2,000", "0", "-2,000", "only A", "-"]
    assert calls[2] == ["clock_gettime", "syscall", "0", "1,999", "+1,999", "only B", "0"]
    assert calls[3] == ["read", "syscall", "7", "7", "0", "x1.00", "2->5"]
    assert len(calls) == 4
    assert len(document(compared(), unchanged=True).tables[1]) == 5


def test_markdown_has_the_spread_of_several_runs() -> None:
    b = [replace(AFTER, elapsed_ns=n * 10**6, calls=AFTER.calls[:n]) for n in (1, 2, 2)]
    totals, calls = document(compared((BEFORE,) * 3, b)).tables
    elapsed = ["elapsed time", "67.2 ms (67.2 ms to 67.2 ms)", "2.00 ms (1.00 ms to 2.00 ms)"]
    assert totals[3][:3] == elapsed
    read = next(row for row in calls if row[0] == "read")
    assert read == ["read", "syscall", "7 (7 to 7)", "7 (0 to 7)", "0", "x1.00", "within"]
    assert calls[1][2:4] == ["2,000", "0"]


def test_markdown_folds_many_rows_and_never_what_is_violated() -> None:
    many = tuple(Call(f"syscall_{n}", "syscall", "x86_64", n) for n in range(1, 30))
    comparison = compared((BEFORE,), (replace(AFTER, calls=many, lost=2),), "ring0_calls > 5")
    text = comparison_markdown.render(comparison, TABLE)
    assert "<summary>Calls that changed: 32 rows</summary>" in text
    alerts = markdown(text).alerts
    assert alerts[0] == "[!CAUTION] 1 of 1 limit violated"
    assert alerts[1].startswith("ring0_calls is at least 435")
    assert "LOST: up to 2 calls missing from the counts of B." in " ".join(alerts)
    assert text.index("[!CAUTION]") < text.index("[!WARNING]") < text.index("<details>")


def test_markdown_says_that_limits_held() -> None:
    text = comparison_markdown.render(compared((BEFORE,), (BEFORE,), *LIMITS), TABLE)
    assert markdown(text).after("paragraph_open")[0] == "3 limits held"
    assert "CAUTION" not in text
    assert "WARNING" not in text


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_markdown_has_no_markup_but_ours(data: st.DataObject) -> None:
    comparison = hostile(data)
    found = document(comparison, unchanged=True)
    assert found.kinds <= HARMLESS
    for token in found.tokens:
        if token.type == "html_block":
            assert set(token.content.split()) & {"<details>", "</details>"}
    totals, *calls = found.tables
    assert len(totals) == 4
    assert sum(len(table) - 1 for table in calls) == len(comparison.rows)


Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics(comparison: Comparison) -> Series:
    text = comparison_prometheus.render(comparison, TABLE)
    families = list(text_string_to_metric_families(text))
    assert all(family.type == "gauge" and family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    found = {(one.name, frozenset(one.labels.items())): one.value for one in samples}
    assert len(found) == len(samples)
    # The exporter joins files: what does not say what it compares would clash.
    assert all({"a", "b"} <= set(one.labels) for one in samples)
    return found


def value(found: Series, name: str, **labels: str) -> float:
    (only,) = (
        number
        for (called, named), number in found.items()
        if called == f"systrace_{name}" and named >= set(labels.items())
    )
    return only


def test_prometheus_has_a_series_a_side_and_call() -> None:
    found = metrics(compared((BEFORE,) * 9, (AFTER,) * 9, *LIMITS))
    call = {"call": "clock_gettime", "via": "syscall", "ring": "3->0", "abi": "x86_64"}
    assert value(found, "comparison_calls", **call, side="a", a="a.json", b="./b") == 0
    assert value(found, "comparison_calls", **call, side="b") == 1_999
    assert value(found, "comparison_call_beyond_noise", **call) == 1
    assert value(found, "comparison_call_beyond_noise", call="brk") == 0
    assert value(found, "comparison_call_errors", call="read", error="EAGAIN", side="b") == 5
    assert value(found, "comparison_ring_calls", ring="3", side="a") == 2_000
    assert value(found, "comparison_duration_seconds", side="b") == 0.1344
    assert value(found, "comparison_runs", side="a") == 9
    assert value(found, "comparison_lost_calls", side="a") == 0
    changed = {"call": "clock_gettime", "before": "vdso", "after": "syscall"}
    assert value(found, "comparison_ring_changed_calls", **changed) == 1_999
    assert value(found, "limit_violated", limit=LIMITS[0]) == 1
    assert value(found, "limit_violated", limit=LIMITS[2]) == 0


def test_prometheus_has_no_series_for_what_is_not_known() -> None:
    off = replace(GOAPP, calls=GOAPP.calls[1:], probes=Probes("raw_tracepoint", "off"))
    found = metrics(compared((GOAPP,), (off,)))
    rings = {named for name, named in found if name == "systrace_comparison_ring_calls"}
    assert len(rings) == 3
    assert value(found, "comparison_call_seconds", call="futex", side="a") == 0.135
    verdicts = {dict(named)["call"] for name, named in found if name.endswith("_beyond_noise")}
    assert verdicts == {"clock_gettime", "futex", "rt_sigaction"}


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_prometheus_is_read_back_whatever_stands_in_it(data: st.DataObject) -> None:
    comparison = hostile(data)
    found = metrics(comparison)
    calls = [named for name, named in found if name == "systrace_comparison_calls"]
    counted = sum((row.count.a is not None) + (row.count.b is not None) for row in comparison.rows)
    assert len(calls) == counted


def annotations(comparison: Comparison) -> list[Command]:
    return commands(comparison_github.render(comparison, TABLE))


def test_github_has_violations_as_errors_and_ring_changes_as_warnings() -> None:
    error, notice, warning = annotations(compared((BEFORE,), (AFTER,), *LIMITS))
    assert (error.level, error.message) == ("error", VIOLATION)
    assert notice.properties == {"title": "systrace: a.json -> ./b"}
    lines = notice.message.split("\n")
    assert lines[0].startswith("3 of 4 rows differ.")
    assert "entered ring 0: 10 -> 2,009 (+1,999, x201, ?)" in lines
    assert "clock_gettime syscall: 0 -> 1,999 (+1,999, only B, ?)" in lines
    assert "read syscall: 7 -> 7 (0, x1.00), errors 2->5" in lines
    assert not any(line.startswith("brk") for line in lines)
    assert warning.level == "warning"
    assert warning.message == "Changed ring: clock_gettime: vdso -> syscall, 1,999 calls"


def test_github_does_not_warn_of_calls_that_moved_to_ring_3() -> None:
    (notice,) = annotations(compared((AFTER,), (BEFORE,)))
    assert "Changed ring: clock_gettime: syscall -> vdso, 1,999 calls" in notice.message


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_no_text_becomes_an_annotation_of_its_own(data: st.DataObject) -> None:
    comparison = hostile(data)
    found = annotations(comparison)
    assert comparison.limits is not None
    levels = [command.level for command in found]
    assert levels.count("error") == len(comparison.limits.violations)
    assert levels.count("notice") == 1
    assert all(set(command.properties) == {"title"} for command in found)


@pytest.mark.parametrize(
    "render",
    [
        comparison_csv.render,
        comparison_markdown.render,
        comparison_prometheus.render,
        comparison_github.render,
    ],
)
def test_a_comparison_says_nothing_of_limits_where_there_were_none(render: object) -> None:
    text = render(compared(), TABLE)  # type: ignore[operator]
    assert "violated" not in text
    assert "held" not in text
