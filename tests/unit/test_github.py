"""The report as workflow annotations, read as GitHub's runner reads them."""

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.options import TableOptions
from systrace.render.github import annotation, render
from systrace.render.text import printable
from systrace.report import Report

TABLE = TableOptions()


@dataclass(frozen=True)
class Command:
    level: str
    properties: dict[str, str]
    message: str


def parsed(line: str) -> Command:
    """Do as TryParseV2 of github.com/actions/runner, src/Runner.Common/ActionCommand.cs."""
    assert line.startswith("::")
    end = line.index("::", 2)
    name, _, rest = line[2:end].partition(" ")
    properties = {}
    for pair in rest.split(","):
        key, _, value = pair.partition("=")
        properties[key] = unescaped(value, {"%2C": ",", "%3A": ":"})
    return Command(name, properties, unescaped(line[end + 2 :], {}))


def unescaped(text: str, more: dict[str, str]) -> str:
    # In the runner's order: the percent sign last.
    for escape, character in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(escape, character)
    return text


def commands(text: str) -> list[Command]:
    assert text.endswith("\n")
    assert "\r" not in text
    return [parsed(line) for line in text.split("\n")[:-1]]


def test_the_notice_has_the_verdict_the_facts_and_every_row_with_its_ring(goapp: Report) -> None:
    (notice,) = commands(render(goapp, TABLE))
    assert notice.level == "notice"
    assert notice.properties == {"title": "systrace: ./goapp"}
    lines = notice.message.split("\n")
    assert lines[0] == "2,000,152 calls stayed in ring 3; 155 entered ring 0."
    assert lines[1] == "exit 0, 67.2 ms, 1 process, 4 threads; clocksource tsc; lost 0"
    assert lines[2] == "clock_gettime: 2,000,152 vdso, ring 3, total ~42.0 ms, mean ~21 ns"
    assert lines[4] == (
        "futex: 29 syscall, ring 3->0, errors 1, total 135 ms, mean 4.66 ms, p99 67 ms"
    )
    assert "Errors: futex ETIMEDOUT 1. Interrupted by a signal (restarted or EINTR): 3." in lines


def test_rows_come_as_they_are_asked_for(goapp: Report) -> None:
    (notice,) = commands(render(goapp, TableOptions(sort="name", top=1)))
    lines = notice.message.split("\n")
    assert lines[2].startswith("clock_gettime: 2,000,152 vdso")
    assert lines[3] == "Left out by --top: 155 calls in 3 rows; the totals include them."


def test_lost_calls_and_warnings_are_warnings(goapp: Report) -> None:
    said = commands(render(replace(goapp, lost=3, warnings=("a\n::error::b",)), TABLE))
    assert [command.level for command in said] == ["notice", "warning", "warning"]
    assert said[1].message == "LOST: up to 3 calls missing from these counts."
    assert said[2].message == r"a\n::error::b"


def test_an_interval_says_when_it_was(goapp: Report) -> None:
    (notice,) = commands(render(replace(goapp, since_ns=10**9, elapsed_ns=10**9), TABLE))
    assert notice.message.split("\n")[1].startswith("elapsed 1.0 s to 2.0 s: exit 0, 1.00 s")


@pytest.mark.parametrize("level", ["notice", "warning", "error"])
def test_what_is_annotated_is_read_back(level: str) -> None:
    line = annotation(
        level,  # type: ignore[arg-type]  # a literal of the list
        "100 %0A\n::error::x",
        title="a:b,c=d%3A",
        file="x.toml",
    )
    assert "\n" not in line
    assert parsed(line) == Command(
        level, {"title": "a:b,c=d%3A", "file": "x.toml"}, "100 %0A\n::error::x"
    )


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_text_becomes_a_command_of_its_own(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    first, *others = commands(render(report, TABLE))
    warnings = [text for text in map(printable, report.warnings) if text]
    assert first.level == "notice"
    assert {command.level for command in others} <= {"warning"}
    assert [command.message for command in others][bool(report.lost) :] == warnings
    assert all(set(command.properties) == {"title"} for command in (first, *others))
    rows = re.findall(r"^.*: [\d,]+ [\w-]+, ring 3(?:->0)?(?:,.*)?$", first.message, re.MULTILINE)
    assert len(rows) == len(report.calls)
