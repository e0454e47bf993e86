"""Saved reports: one or several in a file, whole or damaged."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.cli import formats
from systrace.errors import InputError
from systrace.options import FORMATS, TableOptions
from systrace.render.json import render, to_document
from systrace.report import Report
from systrace.saved import from_document, load, load_all


def refusal(path: Path, content: str) -> str:
    path.write_text(content)
    with pytest.raises(InputError) as refused:
        load_all(path)
    assert str(refused.value).startswith(f"{str(path)!r} is not a systrace report: ")
    return str(refused.value).removeprefix(f"{str(path)!r} is not a systrace report: ")


def test_several_reports_in_a_file_are_read_in_their_order(goapp: Report, tmp_path: Path) -> None:
    path = tmp_path / "reports.json"
    reports = (replace(goapp, since_ns=0), replace(goapp, since_ns=67_200_000), goapp)
    path.write_text(" \n".join(map(render, reports)) + "\n\n")
    assert load_all(path) == reports


def test_where_one_is_wanted_several_are_refused(goapp: Report, tmp_path: Path) -> None:
    path = tmp_path / "reports.json"
    path.write_text(render(goapp) * 3)
    with pytest.raises(InputError, match=r"reports.json' holds 3 reports, as -i makes them"):
        load(path)


def test_what_is_wrong_in_one_of_several_is_named_with_its_number(
    goapp: Report, tmp_path: Path
) -> None:
    wrong = json.dumps(to_document(goapp) | {"elapsed_ns": -1})
    path = tmp_path / "reports.json"
    said = "elapsed_ns: expected a whole number, found -1"
    assert refusal(path, wrong) == said
    assert refusal(path, render(goapp) + wrong) == f"report 2: {said}"
    assert refusal(path, wrong + render(goapp)) == f"report 1: {said}"


def test_what_follows_a_report_and_is_none_is_refused_by_its_place(
    goapp: Report, tmp_path: Path
) -> None:
    text = render(goapp)
    line = text.count("\n") + 1
    said = refusal(tmp_path / "r.json", text + "ls: cannot open directory\n")
    assert said == f"line {line}, column 1: Expecting value"


def test_a_report_that_was_cut_off_anywhere_is_refused(goapp: Report, tmp_path: Path) -> None:
    text = render(goapp)
    path = tmp_path / "r.json"
    said = [refusal(path, text[:length]) for length in range(1, len(text.rstrip()), 23)]
    assert all(found.startswith("line ") for found in said)
    cut = [found for found in said if "it was cut off there" in found]
    # All but those that end within a number or a word, which lack a comma or a value instead.
    assert len(cut) > 0.9 * len(said)


def test_a_string_without_an_end_was_cut_off(tmp_path: Path) -> None:
    said = refusal(tmp_path / "r.json", '{\n  "schema": "systr')
    assert said.startswith("line 2, column 13: it was cut off there (Unterminated string")


def test_the_same_row_twice_is_refused(goapp: Report) -> None:
    with pytest.raises(InputError) as refused:
        from_document(to_document(replace(goapp, calls=(*goapp.calls, goapp.calls[1]))))
    assert str(refused.value) == "calls[4]: the same name, via and abi as calls[1]"


@pytest.mark.parametrize("started", ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00"])
def test_a_start_that_is_no_moment_is_refused(goapp: Report, started: str) -> None:
    with pytest.raises(InputError, match="started: expected a time of RFC 3339, found"):
        from_document(to_document(goapp) | {"started": started})


@pytest.mark.parametrize("count", [2**64, 10**400])
def test_no_number_has_more_bits_than_the_kernels(goapp: Report, count: int) -> None:
    document = to_document(goapp)
    document["calls"][0]["count"] = 2**64 - 1
    assert from_document(document).calls[0].count == 2**64 - 1
    document["calls"][0]["count"] = count
    with pytest.raises(InputError, match=r"calls\[0\].count: expected a whole number"):
        from_document(document)


def read_from_standard_input(**how: Any) -> subprocess.CompletedProcess[str]:
    code = "from systrace.saved import load_all; print(load_all('-')[0].elapsed_ns)"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **how
    )


def test_a_dash_is_standard_input(goapp: Report) -> None:
    assert read_from_standard_input(input=render(goapp)).stdout == "67200000\n"


def test_closed_standard_input_is_refused() -> None:
    done = read_from_standard_input(preexec_fn=lambda: os.close(0))
    assert done.stderr.endswith("InputError: cannot read standard input: Bad file descriptor\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**66) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_a_damaged_document_is_refused_or_rendered_in_every_format(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    document: Any = to_document(data.draw(reports))
    _damage(document, data)
    try:
        report = from_document(document)
    except InputError:
        return
    for wanted in FORMATS:
        formats.text(report, wanted, TableOptions()).encode()


def _damage(place: Any, data: st.DataObject) -> None:
    """Put anything somewhere into the document, or take something out."""
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(place[key], dict | list) and data.draw(st.booleans()):
            place = place[key]
            continue
        if data.draw(st.booleans()):
            place[key] = data.draw(JSON)
        else:
            del place[key]
        return
