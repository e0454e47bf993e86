"""The report as CSV, read back by the csv module."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.options import TableOptions
from systrace.render.csv import COLUMNS, cell, render
from systrace.render.text import printable
from systrace.report import Call, Exit, Probes, Process, Report

Row = dict[str, str]
TABLE = TableOptions()


def read(text: str) -> list[Row]:
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    for row in rows:
        assert tuple(row) == tuple(COLUMNS)
        assert None not in row.values()
    return rows


def of(rows: list[Row], kind: str) -> Iterator[Row]:
    return (row for row in rows if row["row"] == kind)


def totals(rows: list[Row]) -> dict[str, str]:
    return {row["name"]: row["count"] for row in of(rows, "total")}


def test_a_row_a_call_with_its_ring_and_its_times_in_ns(goapp: Report) -> None:
    rows = {(row["name"], row["via"]): row for row in of(read(render(goapp, TABLE)), "call")}
    assert len(rows) == 4
    futex = rows["futex", "syscall"]
    assert (futex["ring"], futex["abi"], futex["count"]) == ("3->0", "x86_64", "29")
    assert (futex["errors"], futex["by_errno"]) == ("1", "ETIMEDOUT 1")
    assert (futex["unfinished"], futex["filtered"], futex["restarted"]) == ("0", "0", "3")
    assert (futex["total_ns"], futex["mean_ns"]) == ("135000000", "4655172.4")
    assert (futex["min_ns"], futex["max_ns"]) == ("900", "67000000")
    assert (futex["p50_ns"], futex["p95_ns"], futex["p99_ns"]) == ("2000", "66000000", "67000000")
    assert futex["estimated"] == ""
    served = rows["clock_gettime", "vdso"]
    assert served["ring"] == "3"
    assert served["estimated"] == "true"
    assert served["errors"] == served["unfinished"] == served["p99_ns"] == ""
    assert served["by_clock"] == "CLOCK_MONOTONIC 1000149; CLOCK_REALTIME 1000003"


def test_totals_facts_and_warnings_are_rows_of_their_own(goapp: Report) -> None:
    rows = read(render(replace(goapp, lost=7, warnings=("one", "two\nlines")), TABLE))
    assert totals(rows) == {
        "ring3_calls": "2000152",
        "ring0_calls": "155",
        "vdso_fallbacks": "12",
        "errors": "1",
        "restarted": "3",
        "processes": "1",
        "threads": "4",
        "lost": "7",
    }
    rings = [row["ring"] for row in of(rows, "total") if row["ring"]]
    assert rings == ["3", "3->0"]
    assert [row["text"] for row in of(rows, "warning")] == ["one", r"two\nlines"]
    facts = {row["name"]: row["text"] for row in of(rows, "run")}
    assert facts["command"] == "./goapp"
    assert facts["exit"] == "exit 0"
    assert facts["started"] == "2026-11-22T10:00:00Z"
    assert facts["vdso"] == "patch"
    assert facts["selected"] == "false"


@pytest.mark.parametrize(
    ("end", "text"),
    [(Exit(code=3), "exit 3"), (Exit(signal=9), "killed by SIGKILL"), (Exit(), "still running")],
)
def test_how_it_ended_is_said(goapp: Report, end: Exit, text: str) -> None:
    rows = read(render(replace(goapp, exit=end), TABLE))
    assert [row["text"] for row in of(rows, "run") if row["name"] == "exit"] == [text]


def test_what_nobody_counted_is_empty_and_not_zero(goapp: Report) -> None:
    without = replace(goapp, calls=goapp.calls[1:])
    for vdso, count in (("off", ""), ("uncounted", ""), ("removed", "0"), ("patch", "0")):
        rows = read(render(replace(without, probes=Probes("raw_tracepoint", vdso)), TABLE))
        assert totals(rows)["ring3_calls"] == count


def test_reports_follow_one_another_under_one_header(goapp: Report) -> None:
    text = (
        render(replace(goapp, since_ns=0), TABLE)
        + render(replace(goapp, since_ns=67_200_000, elapsed_ns=5), TABLE, header=False)
        + render(goapp, TABLE, header=False)
    )
    parts = [(row["report"], row["start_ns"], row["end_ns"]) for row in of(read(text), "call")]
    assert list(dict.fromkeys(parts)) == [
        ("interval", "0", "67200000"),
        ("interval", "67200000", "67200005"),
        ("cumulative", "0", "67200000"),
    ]


def test_calls_by_process_are_rows_with_its_pid_and_name(goapp: Report) -> None:
    calls = (Call("read", "syscall", "x86_64", 5, errors={"EINTR": 2}),)
    process = Process(7, 1, "=1+1", calls=calls, exit=Exit(signal=15))
    rows = list(of(read(render(replace(goapp, processes=(process,)), TABLE)), "process"))
    assert [(row["pid"], row["ppid"], row["comm"], row["name"]) for row in rows] == [
        ("7", "1", "'=1+1", "read")
    ]
    assert (rows[0]["count"], rows[0]["errors"], rows[0]["text"]) == ("5", "2", "killed by SIGTERM")


def test_rows_come_in_the_order_that_was_asked_for_and_all_of_them(goapp: Report) -> None:
    rows = read(render(goapp, TableOptions(sort="name", top=1)))
    assert [row["name"] for row in of(rows, "call")] == [
        *("clock_gettime", "clock_gettime", "futex", "rt_sigaction"),
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("  =1", "'  =1"),
        ("\t=1", r"\t=1"),
        ("\N{FULLWIDTH COMMERCIAL AT}x", "'\N{FULLWIDTH COMMERCIAL AT}x"),
        ("a;=1", "a;'=1"),
        ("a=1", "a=1"),
        ("3->0", "3->0"),
        ("a\n=1", r"a\n=1"),
    ],
)
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str, written: str) -> None:
    assert cell(text) == written


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_report_is_read_back(reports: st.SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    text = render(report, TABLE)
    rows = read(text)
    # No cell begins with what a formula begins with, whatever stands before it.
    for row in rows:
        for value in row.values():
            assert value.lstrip()[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20"), value
            assert printable(value) == value
    calls = {(row["name"], row["via"], row["abi"]): row for row in of(rows, "call")}
    for call in report.calls:
        row = calls[cell(call.name), call.via, call.abi]
        assert row["ring"] == call.ring
    assert sum(int(row["count"]) for row in of(rows, "call")) == sum(
        call.count for call in report.calls
    )
    assert [row["text"] for row in of(rows, "warning")] == [cell(text) for text in report.warnings]
    by_process = sum(int(row["count"]) for row in of(rows, "process"))
    assert by_process == sum(call.count for one in report.processes for call in one.calls)
    assert totals(rows)["lost"] == str(report.lost)
