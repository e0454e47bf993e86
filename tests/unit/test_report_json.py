import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import systrace
from systrace.errors import InputError
from systrace.render.json import render, to_document
from systrace.report import Call, Exit, Process, Report, Times
from systrace.saved import from_document, load

SCHEMA = json.loads((Path(systrace.__file__).parent / "report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_report_survives_its_document_and_its_text(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    document = to_document(report)
    assert from_document(document) == report
    text = render(report)
    assert json.loads(text) == document
    assert from_document(json.loads(text)) == report
    VALIDATOR.validate(document)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_document_has_the_shape_of_the_design(goapp: Report) -> None:
    document = to_document(goapp)
    assert list(document) == [
        "schema",
        "systrace",
        "command",
        "exit",
        "started",
        "elapsed_ns",
        "machine",
        "probes",
        "totals",
        "calls",
        "processes",
        "warnings",
    ]
    assert document["schema"] == "systrace.report/1"
    assert document["systrace"] == systrace.__version__
    assert document["exit"] == {"code": 0, "signal": None}
    assert document["totals"] == {
        "ring3_calls": 2_000_152,
        "ring0_calls": 155,
        "vdso_fallbacks": 12,
        "errors": 1,
        "restarted": 3,
        "processes": 1,
        "threads": 4,
        "lost": 0,
    }
    assert document["calls"][0] == {
        "name": "clock_gettime",
        "via": "vdso",
        "ring": "3",
        "abi": "x86_64",
        "count": 2_000_152,
        "by_clock": {"CLOCK_REALTIME": 1_000_003, "CLOCK_MONOTONIC": 1_000_149},
        "total_ns": 42_000_000,
        "mean_ns": 21.0,
        "estimated": True,
    }
    assert document["calls"][1] == {
        "name": "futex",
        "via": "syscall",
        "ring": "3->0",
        "abi": "x86_64",
        "count": 29,
        "unfinished": 0,
        "filtered": 0,
        "restarted": 3,
        "errors": {"ETIMEDOUT": 1},
        "total_ns": 135_000_000,
        "min_ns": 900,
        "max_ns": 67_000_000,
        "mean_ns": 4_655_172.4,
        "p50_ns": 2_000,
        "p95_ns": 66_000_000,
        "p99_ns": 67_000_000,
        "histogram": [[512, 1024, 3], [1024, 2048, 26]],
    }
    assert document["processes"] == [
        {
            "pid": 4242,
            "pid_in_namespace": 0,
            "ppid": 4241,
            "comm": "goapp",
            "started_ns": 0,
            "ended_ns": None,
            "exit": {"code": None, "signal": None},
            "calls": [],
        }
    ]


def test_an_old_report_with_warnings_does_not_pass_for_complete(goapp: Report) -> None:
    document = to_document(replace(goapp, warnings=("something was not counted",)))
    assert from_document(document).incomplete == ()
    del document["incomplete"]
    assert from_document(document).incomplete == ("unknown",)
    assert from_document({**document, "warnings": []}).incomplete == ()


def test_rows_without_times_have_no_keys_for_them(goapp: Report) -> None:
    calls = (Call("getpid", "vdso", "x86_64", 1), Call("read", "syscall", "x86_64", 1))
    rows = to_document(replace(goapp, calls=calls))["calls"]
    assert list(rows[0]) == ["name", "via", "ring", "abi", "count"]
    assert list(rows[1])[5:] == ["unfinished", "filtered", "restarted", "errors"]


def test_a_measured_time_of_a_vdso_row_is_not_written(goapp: Report) -> None:
    call = Call("time", "vdso", "x86_64", 1, times=Times(total_ns=1, mean_ns=1.0))
    assert "total_ns" not in to_document(replace(goapp, calls=(call,)))["calls"][0]


def test_the_rows_of_a_process_are_kept_small(goapp: Report) -> None:
    process = Process(1, 0, "init", calls=goapp.calls)
    rows = to_document(replace(goapp, processes=(process,)))["processes"][0]["calls"]
    assert list(rows[0]) == ["name", "via", "ring", "abi", "count"]
    assert rows[1] == {
        "name": "futex",
        "via": "syscall",
        "ring": "3->0",
        "abi": "x86_64",
        "count": 29,
        "errors": {"ETIMEDOUT": 1},
        "total_ns": 135_000_000,
    }


def test_a_signal_is_written_by_name(goapp: Report) -> None:
    document = to_document(replace(goapp, exit=Exit(signal=15)))
    assert document["exit"] == {"code": None, "signal": "SIGTERM"}
    assert from_document(document).exit == Exit(signal=15)


def test_that_a_selection_left_calls_out_is_written_only_if_it_did(goapp: Report) -> None:
    assert "selected" not in to_document(goapp)
    assert to_document(replace(goapp, selected=True))["selected"] is True


def test_text_from_outside_is_inert_and_its_bytes_survive(goapp: Report) -> None:
    argument = os.fsdecode(b"\x1b[31m\xff\x80\n\xe2\x80\xae")
    text = render(replace(goapp, command=(argument,)))
    assert text.isascii()
    assert "\x1b" not in text
    assert r"\u001b[31m\udcff\udc80\n\u202e" in text
    assert os.fsencode(json.loads(text)["command"][0]) == b"\x1b[31m\xff\x80\n\xe2\x80\xae"


def test_a_bucket_stays_in_a_line_and_the_text_ends_with_a_newline(goapp: Report) -> None:
    text = render(goapp)
    assert text.endswith("}\n")
    assert '\n  "schema": "systrace.report/1",\n' in text
    assert '"histogram": [[512, 1024, 3], [1024, 2048, 26]]' in text


@pytest.mark.parametrize("key", ["schema", "exit", "totals", "calls", "processes", "warnings"])
def test_the_schema_and_the_reader_want_the_same_keys(goapp: Report, key: str) -> None:
    document = to_document(goapp)
    del document[key]
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(InputError, match=f"^{key} is missing$"):
        from_document(document)


def changed(report: Report, path: str, value: Any) -> dict[str, Any]:
    document = to_document(report)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = document
    for step in parents:
        place = place[step]
    place[last] = value
    return document


WRONG: list[tuple[str, Any, str]] = [
    ("command", "./goapp", "command: expected a list, found './goapp'"),
    ("command", [1], "command: expected a list of strings, found [1]"),
    ("elapsed_ns", -1, "elapsed_ns: expected a whole number, found -1"),
    ("elapsed_ns", True, "elapsed_ns: expected a whole number, found True"),
    ("machine", [], "machine: expected an object, found []"),
    ("exit.signal", "TERM", "exit.signal: expected the name of a signal, found 'TERM'"),
    ("totals.lost", None, "totals.lost: expected a whole number, found None"),
    ("calls.1.count", "x" * 99, f"calls[1].count: expected a whole number, found '{'x' * 36}..."),
    (
        "calls.1.via",
        "magic",
        "calls[1].via: expected one of vdso, vdso-fallback, syscall, vsyscall, found 'magic'",
    ),
    ("calls.1.ring", "3", "calls[1].ring: expected '3->0' for 'syscall', found '3'"),
    ("calls.0.ring", "3->0", "calls[0].ring: expected '3' for 'vdso', found '3->0'"),
    ("calls.1.errors", {"EIO": 1.5}, "calls[1].errors.EIO: expected a whole number, found 1.5"),
    ("calls.1.mean_ns", "1", "calls[1].mean_ns: expected a number, found '1'"),
    (
        "calls.1.histogram",
        [[1, 2]],
        "calls[1].histogram: expected a list of [low, high, count], found [[1, 2]]",
    ),
    ("calls.0.estimated", 1, "calls[0].estimated: expected true or false, found 1"),
    ("processes", [None], "processes[0]: expected an object, found None"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_what_is_wrong_is_named_by_its_place(
    goapp: Report, path: str, value: Any, message: str
) -> None:
    document = changed(goapp, path, value)
    with pytest.raises(InputError) as refused:
        from_document(document)
    assert str(refused.value) == message
    if path != "exit.signal":  # whose names a schema cannot list
        assert not VALIDATOR.is_valid(document)


def test_a_whole_float_is_a_whole_number_and_infinity_is_none(goapp: Report) -> None:
    assert from_document(changed(goapp, "elapsed_ns", 5.0)).elapsed_ns == 5
    for value in (float("inf"), float("nan"), 10**400):
        with pytest.raises(InputError, match="expected a number"):
            from_document(changed(goapp, "calls.1.mean_ns", value))


def test_a_later_schema_is_refused_by_name(goapp: Report) -> None:
    with pytest.raises(InputError) as refused:
        from_document(changed(goapp, "schema", "systrace.report/2"))
    assert str(refused.value) == (
        "its schema is 'systrace.report/2', and this systrace reads 'systrace.report/1'"
    )


def test_keys_that_are_added_later_are_passed_over(goapp: Report) -> None:
    document = changed(goapp, "calls.1.cpu_ns", 5)
    document["colour"] = "blue"
    VALIDATOR.validate(document)
    assert from_document(document) == goapp


def test_a_file_is_read_back(goapp: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(render(goapp))
    assert load(str(path)) == goapp


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a systrace report: it is empty"),
        (b"{\n]", "is not a systrace report: line 2, column 1: "),
        (b'{"a":' * 200_000, "is not a systrace report: its brackets are nested too deep"),
        (b'{"a": NaN}', "is not a systrace report: NaN is not JSON"),
        (b"[]", "is not a systrace report: it begins with '[]', and a report with '{'"),
        (b" \n9", "is not a systrace report: it begins with '9', and a report with '{'"),
        (b"{}[]", "is not a systrace report: report 1: schema is missing"),
        (b"{}", "is not a systrace report: schema is missing"),
        (b'{"a": ' + b"9" * 5000, "is not a systrace report: Exceeds the limit"),
        (b"\xff", "is not a systrace report: it begins with '\ufffd', and a report with '{'"),
        (b"{\xff", "cannot read"),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        load(str(path))
    assert message in str(refused.value)
    assert repr(str(path)) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_status == 2


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*': No such file or directory"):
        load(str(tmp_path / "none.json"))
    with pytest.raises(InputError, match=r"cannot read '.*': Is a directory"):
        load(str(tmp_path))
    with pytest.raises(InputError, match=r"cannot read 'a.x00'"):
        load("a\0")
