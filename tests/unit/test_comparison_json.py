"""A comparison as JSON, held against its schema."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import systrace
from systrace.comparison import Side
from systrace.diff import series
from systrace.options import TableOptions
from systrace.render.comparison_json import render, to_document
from systrace.report import Call, Probes, Report

from .conftest import GOAPP

SCHEMA = json.loads((Path(systrace.__file__).parent / "comparison.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

BEFORE = replace(
    GOAPP,
    calls=(
        Call("clock_gettime", "vdso", "x86_64", 2_000),
        Call("read", "syscall", "x86_64", 7, errors={"EAGAIN": 2}),
    ),
)
AFTER = replace(
    GOAPP,
    elapsed_ns=134_400_000,
    calls=(
        Call("clock_gettime", "syscall", "x86_64", 1_999),
        Call("read", "syscall", "x86_64", 7, errors={"EAGAIN": 2}),
    ),
)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_comparison_is_what_the_schema_says(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    some = st.lists(reports, min_size=1, max_size=3).map(tuple)
    times = data.draw(st.sampled_from([(), (5, 7)]))
    sides = [Side(name, data.draw(some), "command", times) for name in "AB"]
    comparison = series(*sides)
    text = render(comparison, TableOptions())
    assert text.endswith("}\n")
    assert text.isascii()
    assert json.loads(text) == to_document(comparison)
    VALIDATOR.validate(to_document(comparison))


def test_the_document_says_what_changed() -> None:
    a, b = Side("a.json", (BEFORE,)), Side("./b", (AFTER,) * 12, "command")
    document = to_document(series(a, b))
    assert document["schema"] == "systrace.comparison/1"
    assert document["systrace"] == systrace.__version__
    assert (document["a"]["label"], document["a"]["kind"]) == ("a.json", "report")
    assert (document["b"]["label"], document["b"]["kind"]) == ("./b", "command")
    assert document["a"]["command"] == ["./goapp"]
    assert [len(document[side]["runs"]) for side in "ab"] == [1, 12]
    assert document["a"]["runs"][0]["totals"]["ring3_calls"] == 2_000
    assert document["ring_changes"] == [
        {
            "name": "clock_gettime",
            "abi": "x86_64",
            "before": "vdso",
            "after": "syscall",
            "calls": 1_999,
            "verdict": "unknown",
        }
    ]
    vdso = document["rows"][0]
    assert (vdso["name"], vdso["via"], vdso["ring"], vdso["only"]) == (
        "clock_gettime",
        "vdso",
        "3",
        "a",
    )
    assert vdso["count"]["difference"] == -2_000
    assert vdso["count"]["a"] == {"min": 2_000, "median": 2_000, "max": 2_000, "values": [2_000]}
    assert vdso["count"]["b"]["values"] == [0] * 12
    assert document["totals"]["elapsed_ns"]["factor"] == 2
    assert document["noise"]["level"] == 0.001
    # five quantities: two rows, three totals
    assert document["noise"]["runs_needed"] == 8


def test_rows_that_did_not_change_are_in_it() -> None:
    rows = to_document(series(Side("a", (BEFORE,)), Side("b", (AFTER,))))["rows"]
    read = rows[-1]
    assert (read["name"], read["verdict"], read["count"]["verdict"]) == ("read", "same", "same")
    assert read["errors"]["EAGAIN"]["difference"] == 0
    assert "total_ns" not in read


def test_times_and_whether_they_are_estimated() -> None:
    rows = to_document(series(Side("a", (GOAPP,)), Side("b", (GOAPP,))))["rows"]
    found = {(row["name"], row["via"]): row for row in rows}
    assert found["clock_gettime", "vdso"]["estimated"]
    assert found["clock_gettime", "vdso"]["total_ns"]["a"]["values"] == [42_000_000]
    assert "estimated" not in found["futex", "syscall"]
    assert "verdict" not in found["futex", "syscall"]["total_ns"]


def test_what_was_not_counted_is_null() -> None:
    blind = replace(GOAPP, calls=(), probes=Probes("raw_tracepoint", "off"))
    document = to_document(series(Side("a", (GOAPP,)), Side("b", (blind,))))
    assert document["totals"]["ring3_calls"]["b"] is None
    assert document["totals"]["ring3_calls"]["difference"] is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"schema": "systrace.comparison/2"},
        {"rows": [{"name": "read"}]},
        {"totals": {}},
        {"ring_changes": [{"name": "time", "abi": "x86_64"}]},
    ],
)
def test_the_schema_refuses_what_is_something_else(spoilt: dict[str, object]) -> None:
    document = to_document(series(Side("a", (BEFORE,)), Side("b", (AFTER,))))
    VALIDATOR.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document | spoilt)
