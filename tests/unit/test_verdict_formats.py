"""What came of limits in every format, each read back by a reader that is not ours."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import systrace
from systrace.cli import limits
from systrace.limits.evaluate import Verdict
from systrace.limits.grammar import parse as limit
from systrace.options import TableOptions
from systrace.render import (
    comparison_json,
    github,
    markdown,
    verdict_csv,
    verdict_github,
    verdict_json,
    verdict_markdown,
    verdict_prometheus,
    verdict_table,
)
from systrace.render.text import printable
from systrace.report import Probes, Report

from .conftest import GOAPP, HOSTILE, REPORTS, TEXT
from .test_comparison_formats import compared
from .test_github import commands
from .test_markdown import HARMLESS, Document
from .test_markdown import parse as parsed

SCHEMA = json.loads((Path(systrace.__file__).parent / "verdict.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

LOST = replace(GOAPP, lost=3)
BUDGETED = limit("futex.count > 28", file="b.toml")
FUTEX = "futex.count is 29, over the limit of 28 (b.toml: futex.count > 28)"


def verdict(*texts: str, report: Report = GOAPP, baseline: Report | None = None) -> Verdict:
    return limits.held([*map(limit, texts), BUDGETED], report, baseline)


def hostile(data: st.DataObject) -> tuple[Verdict, Report]:
    report, text = data.draw(REPORTS), data.draw(HOSTILE | TEXT)
    held = [replace(limit("ring0_calls > 0"), file=text), limit("*.errors > 0"), limit("lost > 0")]
    found = limits.held(held, report)
    spoilt = tuple(replace(one, text=text) for one in found.violations)
    return replace(found, violations=spoilt, remarks=(text,)), report


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_json_says_what_was_held_and_what_is_violated() -> None:
    found = verdict("ring0_calls > +5", "elapsed > 1s", baseline=replace(GOAPP, calls=()))
    document = json.loads(verdict_json.render(found, GOAPP))
    VALIDATOR.validate(document)
    assert document["held"] is False
    assert document["command"] == ["./goapp"]
    assert document["limits"] == [
        {"limit": "ring0_calls > +5", "file": None},
        {"limit": "elapsed > 1s", "file": None},
        {"limit": "futex.count > 28", "file": "b.toml"},
    ]
    change, absolute = document["violations"]
    assert (change["figure"], change["baseline"]["low"]) == ({"low": 155, "high": 155}, 0)
    assert absolute == {
        "limit": "futex.count > 28",
        "file": "b.toml",
        "quantity": "futex.count",
        "unit": "1",
        "figure": {"low": 29, "high": 29},
        "baseline": None,
        "text": FUTEX,
    }


def test_json_says_how_far_a_figure_is_known() -> None:
    found = verdict("futex.p99 > 1ms", "futex.mean > 1s", "clock_gettime.count > 5",
                    report=replace(LOST, probes=Probes("raw_tracepoint", "off")))  # fmt: skip
    document = verdict_json.to_document(found)
    VALIDATOR.validate(document)
    assert [one["unit"] for one in document["violations"]] == ["ns", "ns", "1", "1"]
    assert [one["figure"]["high"] for one in document["violations"]] == [None, None, None, 32]


def test_a_comparison_holds_the_same_document() -> None:
    found = comparison_json.to_document(compared((LOST,), (LOST,), "lost > 0", "futex.count > +1"))
    VALIDATOR.validate(found["limits"])
    assert [one["quantity"] for one in found["limits"]["violations"]] == ["lost", "futex.count"]
    assert "limits" not in comparison_json.to_document(compared())


def test_csv_has_a_row_a_violation_and_one_a_limit_that_held() -> None:
    found = verdict("errors > 5", "errors > 0")
    text = verdict_csv.render(replace(found, remarks=("=1+1",)), GOAPP)
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    assert [(row["row"], row["limit"], row["figure_low"]) for row in rows] == [
        ("violation", "errors > 0", "1"),
        ("violation", "futex.count > 28", "29"),
        ("held", "errors > 5", ""),
        ("note", "", ""),
    ]
    assert rows[1]["text"] == FUTEX
    assert (rows[1]["file"], rows[3]["text"]) == ("b.toml", "'=1+1")


def test_markdown_cannot_be_overlooked() -> None:
    found = parsed(verdict_markdown.render(verdict("errors > 5"), GOAPP))
    assert found.after("heading_open") == ["./goapp"]
    assert found.alerts == ["[!CAUTION] 1 of 2 limits violated", FUTEX]
    good = parsed(verdict_markdown.render(limits.held([limit("lost > 0")], GOAPP), GOAPP))
    assert good.alerts == []
    assert good.after("paragraph_open") == ["The limit held"]


def test_a_report_in_markdown_says_first_what_is_violated() -> None:
    text = markdown.render(GOAPP, TableOptions(), verdict())
    assert parsed(text).alerts == ["[!CAUTION] 1 of 1 limit violated", FUTEX]
    assert text.index("CAUTION") < text.index("stayed in ring 3")
    held = parsed(markdown.render(GOAPP, TableOptions(), limits.held([limit("lost > 0")], GOAPP)))
    assert held.after("paragraph_open")[0] == "The limit held"


def test_github_has_an_error_a_violation_at_its_budget() -> None:
    for text in (
        verdict_github.render(verdict("errors > 0"), GOAPP),
        github.render(GOAPP, TableOptions(), verdict("errors > 0")),
    ):
        errors, budget, notice = commands(text)
        assert (errors.level, budget.level, notice.level) == ("error", "error", "notice")
        assert errors.properties == {"title": "systrace: ./goapp"}
        assert budget.properties == {"file": "b.toml", "title": "systrace: ./goapp"}
        assert budget.message == FUTEX
    assert notice.message.startswith("2,000,152 calls")
    assert [one.level for one in commands(github.render(GOAPP, TableOptions(), None))] == ["notice"]


def test_github_shows_ten_errors_and_so_they_hold_all() -> None:
    def errors(number: int) -> list[str]:
        found = verdict(*[f"futex.count > {n}" for n in range(number - 1)])
        said = commands(verdict_github.render(found, GOAPP))
        return [one.message for one in said if one.level == "error"]

    assert len(errors(10)) == 10
    assert len(errors(13)) == 10
    assert len(errors(13)[-1].split("\n")) == 4


def test_prometheus_has_a_series_a_limit() -> None:
    found = verdict("errors > 5", "errors > 5")
    text = verdict_prometheus.render(found, GOAPP)
    (family,) = text_string_to_metric_families(text)
    assert family.name == "systrace_limit_violated"
    assert [(one.labels["limit"], one.labels["file"], one.value) for one in family.samples] == [
        ("errors > 5", "", 0),
        ("futex.count > 28", "b.toml", 1),
    ]
    assert all(one.labels["command"] == "goapp" for one in family.samples)
    assert f"# Violated: {FUTEX}\n" in text


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_text_is_anything_else_in_any_format(data: st.DataObject) -> None:
    found, report = hostile(data)
    document = json.loads(verdict_json.render(found, report))
    VALIDATOR.validate(document)
    assert document["notes"] == list(found.remarks)
    rows = list(csv.DictReader(io.StringIO(verdict_csv.render(found, report)), strict=True))
    assert sum(row["row"] == "violation" for row in rows) == len(found.violations)
    assert all(
        row[key].lstrip()[:1] not in tuple("=+-@") for row in rows for key in ("text", "file")
    )
    read: Document = parsed(verdict_markdown.render(found, report))
    assert read.kinds <= HARMLESS
    said = commands(verdict_github.render(found, report))
    assert [one.level for one in said][-1:] == ["notice"]
    assert len(said) == min(len(found.violations), 10) + 1
    (family,) = text_string_to_metric_families(verdict_prometheus.render(found, report))
    assert len(family.samples) == 3
    lines = verdict_table.render(found, report).split("\n")
    assert len(lines) == len(found.violations) + 2
    assert all(printable(line) == line for line in lines)
