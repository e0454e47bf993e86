"""Several -o of one real run, each in its own format, all of the same counts."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from systrace.cli import formats
from systrace.options import TableOptions
from systrace.saved import load

from .tracing import HANGS_S, SYSTRACE, check, example

Counts = dict[tuple[str, str, str], int]
COUNT = 10_007


def systrace(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SYSTRACE), *argv], capture_output=True, text=True, check=False, timeout=HANGS_S
    )


def from_json(text: str) -> Counts:
    report = json.loads(text)
    check(report)
    return {(row["name"], row["via"], row["ring"]): row["count"] for row in report["calls"]}


def from_csv(text: str) -> Counts:
    return {
        (row["name"], row["via"], row["ring"]): int(row["count"])
        for row in csv.DictReader(io.StringIO(text))
        if (row["report"], row["row"]) == ("cumulative", "call")
    }


def from_prometheus(text: str) -> Counts:
    return {
        (s.labels["call"], s.labels["via"], s.labels["ring"]): int(s.value)
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name == "systrace_calls_total"
    }


def from_markdown(text: str) -> Counts:
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    return {
        (row[0].strip("`"), row[2], row[3]): int(row[1].replace(",", ""))
        for row in cells
        if len(row) == 8 and row[0].startswith("`")
    }


@pytest.mark.exact
def test_every_file_of_a_run_has_the_same_counts(tmp_path: Path) -> None:
    names = ("r.json", "r.csv", "r.prom", "r.md", "r.txt")
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    done = systrace(
        "run", "-q", "-F", "github", *outputs, "-o", "/dev/stderr", example("getppid"), str(COUNT)
    )
    assert done.returncode == 0
    text = {name: (tmp_path / name).read_text() for name in names}
    counts = from_json(text["r.json"])
    assert counts["getppid", "syscall", "3->0"] == COUNT
    assert from_csv(text["r.csv"]) == counts
    assert from_prometheus(text["r.prom"]) == counts
    assert from_markdown(text["r.md"]) == counts
    assert f"getppid: {COUNT:,} syscall, ring 3->0, total " in done.stderr
    # Nothing is in a format that the JSON does not hold.
    report = load(tmp_path / "r.json")
    for name, wanted in (("r.csv", "csv"), ("r.prom", "prometheus"), ("r.md", "markdown")):
        again = formats.text(report, wanted, TableOptions())  # type: ignore[arg-type]  # a literal
        assert again == text[name]
    assert systrace("show", str(tmp_path / "r.json")).stdout == text["r.txt"]


def test_intervals_of_a_run_add_up_in_one_csv(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    done = systrace("run", "-q", "-i", "0.1", "-o", str(file), "sleep", "0.55")
    assert done.returncode == 0
    rows = list(csv.DictReader(file.open(newline="")))
    spans = list(dict.fromkeys((row["report"], row["start_ns"], row["end_ns"]) for row in rows))
    *intervals, whole = spans
    assert len(intervals) >= 4
    assert whole[:2] == ("cumulative", "0")
    ends = ["0", *(end for _, _, end in intervals)]
    assert [start for _, start, _ in intervals] == ends[:-1]

    def ring0(kind: str) -> Iterator[int]:
        return (
            int(row["count"])
            for row in rows
            if row["name"] == "ring0_calls" and row["report"] == kind
        )

    # After the last interval the program ends.
    assert 0 <= sum(ring0("cumulative")) - sum(ring0("interval")) < 20
    assert sum(ring0("interval")) > 20
