"""The report as Markdown, read back by markdown-it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from systrace.options import TableOptions
from systrace.render.markdown import code, prose, render, table
from systrace.render.text import printable
from systrace.report import Call, Exit, Probes, Process, Report

from .conftest import HOSTILE, TEXT

TABLE = TableOptions()
# As GitHub reads it: raw HTML, tables, strikethrough. (Bare links need another package there.)
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"<code>", "</code>"}
ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"


@dataclass(frozen=True)
class Document:
    tokens: Sequence[Token]

    @property
    def tables(self) -> list[list[list[str]]]:
        """Each a list of rows, the titles first, of cells as they read."""
        tables: list[list[list[str]]] = []
        for index, token in enumerate(self.tokens):
            if token.type == "table_open":
                tables.append([])
            elif token.type == "tr_open":
                tables[-1].append([])
            elif token.type in ("th_open", "td_open"):
                tables[-1][-1].append(reads(self.tokens[index + 1]))
        return tables

    @property
    def kinds(self) -> set[str]:
        """Every kind of markup in it."""
        return {token.type for token in self.tokens} | {
            child.content if child.type == "html_inline" else child.type
            for token in self.tokens
            for child in token.children or ()
        }

    def after(self, kind: str) -> list[str]:
        """What reads right behind each token of this kind."""
        return [
            reads(self.tokens[index + 1])
            for index, token in enumerate(self.tokens)
            if token.type == kind
        ]

    @property
    def alerts(self) -> list[str]:
        inside, found = False, []
        for token in self.tokens:
            inside = token.type != "blockquote_close" and (
                inside or token.type == "blockquote_open"
            )
            if inside and token.type == "inline":
                found.append(reads(token))
        return found


def parse(text: str) -> Document:
    return Document(PARSER.parse(text))


def reads(inline: Token) -> str:
    """The text that a reader sees; a break is a space."""
    return "".join(
        " " if child.type == "softbreak" else child.content
        for child in inline.children or ()
        if child.type != "html_inline"
    )


HARMLESS = {
    *("inline", "text", "code_inline", "softbreak", *OURS),
    *(f"{block}_{side}" for block in ("paragraph", "heading", "table", "thead", "tbody", "tr")
      for side in ("open", "close")),
    *("th_open", "th_close", "td_open", "td_close", "blockquote_open", "blockquote_close"),
    *("strong_open", "strong_close", "html_block"),
}  # fmt: skip


def test_verdict_and_ring_totals_come_first_and_then_every_row(goapp: Report) -> None:
    text = render(goapp, TABLE)
    document = parse(text)
    assert document.after("heading_open") == ["./goapp"]
    paragraphs = document.after("paragraph_open")
    assert paragraphs[0] == "2,000,152 calls stayed in ring 3; 155 entered ring 0."
    assert paragraphs[1] == "exit 0, 67.2 ms, 1 process, 4 threads; clocksource tsc; lost 0"
    totals, rows = document.tables
    assert totals == [
        ["", "calls", "errs", "total"],
        ["stayed in ring 3", "2,000,152", "", "~42.0 ms"],
        ["entered ring 0", "155", "1", "135 ms"],
    ]
    assert rows[0] == ["call", "calls", "via", "ring", "errs", "total", "mean", "p99"]
    assert rows[1] == ["clock_gettime", "2,000,152", "vdso", "3", "-", "~42.0 ms", "~21 ns", "-"]
    assert rows[2][:2] == ["\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}MONOTONIC", "1,000,149"]
    assert rows[5] == ["futex", "29", "syscall", "3->0", "1", "135 ms", "4.66 ms", "67 ms"]
    assert "clock_gettime fell back 12 times: CPU-time clocks always need the kernel." in paragraphs
    assert "<details>" not in text


def test_lost_calls_and_warnings_are_an_alert_that_is_never_folded(goapp: Report) -> None:
    text = render(replace(goapp, lost=3, warnings=("one | two", "> three")), TABLE)
    assert parse(text).alerts == [
        "[!WARNING] LOST: up to 3 calls missing from these counts.",
        "one | two",
        "> three",
    ]
    assert text.index("[!WARNING]") < text.index("| call |")
    assert "WARNING" not in render(goapp, TABLE)


def test_many_rows_are_folded_and_all_there(goapp: Report) -> None:
    many = tuple(Call(f"syscall_{nr}", "syscall", "x86_64", nr) for nr in range(1, 60))
    text = render(replace(goapp, calls=many), TABLE)
    assert text.count("<details>") == text.count("</details>") == 1
    assert "<summary>All calls: 59 rows</summary>" in text
    document = parse(text)
    assert len(document.tables[1]) == 60
    assert text.index("entered ring 0") < text.index("<details>")
    # Nothing was timed, so there are no columns of times.
    assert document.tables[1][0] == ["call", "calls", "via", "ring", "errs"]


def test_rows_come_as_they_are_asked_for(goapp: Report) -> None:
    document = parse(render(goapp, TableOptions(sort="total", top=1)))
    assert [row[0] for row in document.tables[1]] == ["call", "futex"]
    assert document.tables[0][2][1] == "155"
    said = "Left out by --top: 2,000,278 calls in 3 rows; the totals include them."
    assert said in document.after("paragraph_open")


def test_what_nobody_counted_is_no_zero(goapp: Report) -> None:
    off = replace(goapp, calls=goapp.calls[1:], probes=Probes("raw_tracepoint", "off"))
    document = parse(render(off, TABLE))
    assert document.tables[0][1][1] == "-"
    assert "vDSO calls were not counted (--vdso off)" in document.after("paragraph_open")[0]


def test_an_interval_says_when_it_was(goapp: Report) -> None:
    document = parse(render(replace(goapp, since_ns=10**9, elapsed_ns=10**9), TABLE))
    assert document.after("paragraph_open")[1].startswith("elapsed 1.0 s to 2.0 s: exit 0")


def test_processes_with_calls_are_listed_those_with_most_first(goapp: Report) -> None:
    def process(pid: int, count: int) -> Process:
        calls = (
            Call("getpid", "vdso", "x86_64", 2),
            Call("read", "syscall", "x86_64", count, errors={"EIO": 1}),
        )
        return Process(pid, 1, f"a|{pid}", calls=calls, exit=Exit(code=0))

    few = parse(render(replace(goapp, processes=(process(5, 7), process(6, 9))), TABLE))
    assert few.tables[2][1:] == [
        ["6", "a|6", "exit 0", "2", "9", "1"],
        ["5", "a|5", "exit 0", "2", "7", "1"],
    ]
    uncounted = replace(goapp, calls=(), incomplete=("vdso",))
    without = Process(7, 1, "a", calls=(Call("read", "syscall", "x86_64", 9),), exit=Exit(code=0))
    parsed = parse(render(replace(uncounted, processes=(without, process(5, 7))), TABLE))
    assert parsed.tables[2][1:] == [
        ["7", "a", "exit 0", "-", "9", "0"],
        ["5", "a|5", "exit 0", "2", "7", "1"],
    ]
    many = render(replace(goapp, processes=tuple(process(n, n) for n in range(60))), TABLE)
    assert len(parse(many).tables[2]) == 51
    # Those with 0 to 9 reads, and two calls of getpid each.
    assert "Left out: 10 processes with 65 calls;" in many
    # Without calls by process there is nothing to list.
    assert len(parse(render(goapp, TABLE)).tables) == 2


def test_a_long_command_is_cut(goapp: Report) -> None:
    heading = parse(render(replace(goapp, command=("x" * 5000,)), TABLE)).after("heading_open")
    assert heading == ["x" * 197 + "..."]


@pytest.mark.parametrize(
    "text", ["octocat", "@octocat", "#12", "a@b.org", "www.x.org", "https://x.org", ":tada:"]
)
def test_neither_names_numbers_nor_links_are_left_for_github_to_find(text: str) -> None:
    written = prose(text)
    assert not any(part in written for part in ("@", "#1", "www.", "://", ":t"))
    # Behind the characters that GitHub looks for in the rendered text, something parts them.
    seen = parse(written).after("paragraph_open")[0]
    assert seen.replace(ZERO_WIDTH_SPACE, "") == text
    for character in "@#":
        assert seen.count(character) == seen.count(character + ZERO_WIDTH_SPACE)


def test_a_sentence_of_ours_stays_readable() -> None:
    said = "2,000,152 calls stayed (3.41 us, 12.5 %); clock_gettime fell back: once. -i is no rule"
    assert prose(said) == said


def in_places(text: str) -> Iterator[tuple[str, str, str]]:
    """Where text from outside can stand: name, Markdown, and what has to be read there."""
    shown = printable(text)
    yield "code", code(text), shown
    yield "prose", prose(text), shown.strip()
    yield "cell", table([("a", False), ("b", True)], [[code(text), "x"]]), shown


@settings(max_examples=200, deadline=None)
@given(text=HOSTILE | TEXT | st.text(max_size=20))
@example("a\\|b")
@example("\\")
@example("`")
@example("=")
def test_text_from_outside_is_read_back_and_marks_nothing_up(text: str) -> None:
    for place, written, shown in in_places(text):
        document = parse(written)
        assert document.kinds <= HARMLESS - {"strong_open", "html_block"}, (place, written)
        if place == "cell":
            assert document.tables == [[["a", "b"], [shown, "x"]]], written
        else:
            read = "".join(document.after("paragraph_open")).replace(ZERO_WIDTH_SPACE, "")
            assert read == shown.replace(ZERO_WIDTH_SPACE, ""), (place, written)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_report_is_read_back_and_has_no_markup_but_ours(
    reports: st.SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    document = parse(render(report, TABLE))
    assert document.kinds <= HARMLESS
    for token in document.tokens:
        if token.type == "html_block":
            assert set(token.content.split()) & {"<details>", "</details>"}
    totals, rows, *more = document.tables
    assert [row[0] for row in totals[1:]] == ["stayed in ring 3", "entered ring 0"]
    assert totals[2][1] == f"{report.ring_calls('3->0'):,}"
    assert {len(row) for row in rows} in ({5}, {8})
    named = [row for row in rows[1:] if row[3]]
    assert len(named) == len(report.calls)
    assert {row[3] for row in named} <= {"3", "3->0"}
    assert len(more) == any(process.calls for process in report.processes)
    warnings = [text for text in map(str.strip, map(printable, report.warnings)) if text]
    seen = [
        text.removeprefix("[!WARNING] ").replace(ZERO_WIDTH_SPACE, "") for text in document.alerts
    ]
    assert seen[bool(report.lost) :] == warnings
