"""The report as GitHub-flavoured Markdown, for the comment on a pull request.

Verdict, totals and warnings first, many rows folded away. Text from outside stands in code spans,
where GitHub looks neither for markup nor for @names, #numbers and links; where it is part of a
sentence, all that could be any of these is written as a character reference.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from systrace.options import TableOptions
from systrace.render import units, wording
from systrace.render.processes import calls
from systrace.render.rows import (
    RING_TITLES,
    cells,
    notes,
    of_process,
    ordered,
    ring_count,
    ring_total,
)
from systrace.render.text import clip, printable
from systrace.render.verdict_wording import summary
from systrace.report import Process, Report

if TYPE_CHECKING:
    # A report without limits does without their modules.
    from systrace.limits.evaluate import Verdict

# A title and whether its cells stand at the right.
Column = tuple[str, bool]

_COLUMNS: Sequence[Column] = (
    ("call", False),
    ("calls", True),
    ("via", False),
    ("ring", False),
    ("errs", True),
    ("total", True),
    ("mean", True),
    ("p99", True),
)
_TIMES = 3
_RING_COLUMNS: Sequence[Column] = (("", False), ("calls", True), ("errs", True), ("total", True))
_PROCESS_COLUMNS: Sequence[Column] = (
    ("pid", True),
    ("process", False),
    ("ended", False),
    ("stayed in ring 3", True),
    ("entered ring 0", True),
    ("errs", True),
)
UNFOLDED = 12
_MOST_PROCESSES = 50
_LONGEST_COMMAND = 200
NOTE_WIDTH = 160

# CommonMark 6 and GFM's tables, strikethroughs and autolinks; $ is GitHub's mathematics.
_MARKUP = re.compile(
    r"[\\`*{}\[\]<>#+|&~$@^]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # emphasis, but not in clock_gettime
    r"|:(?!\s|$)"  # a scheme or an emoji
    r"|(?<!\d)\.(?!\s|$)|(?<=\d)\.(?!\d|\s|$)"  # www.
)
_SPECIAL = re.compile(r"[^A-Za-z0-9]")
_BLOCK = re.compile(r"^[-=]|(?<=^\d)[.)](?=\s|$)")
# GitHub looks for these after all references are resolved: a zero-width space parts them.
_PARTED = "@#"
_ZERO_WIDTH_SPACE = "&#8203;"


def render(report: Report, table: TableOptions, verdict: "Verdict | None" = None) -> str:
    """Write the comment, its rows in the order and number that ``table`` asks for.

    What came of limits, if there were any, stands above all else.
    """
    return "\n\n".join(_blocks(report, table, verdict)) + "\n"


def code(text: str) -> str:
    """Show text from outside as it is, and as nothing else."""
    shown = printable(text)
    if not shown or "`" in shown or "|" in shown or shown != shown.strip():
        # No run of backticks is sure to survive a cell, and no span keeps its outer spaces.
        return f"<code>{_SPECIAL.sub(_reference, shown)}</code>"
    return f"`{shown}`"


def prose(text: str) -> str:
    """Write a sentence that may hold text from outside: nothing in it is markup."""
    escaped = _MARKUP.sub(_parted, printable(text).strip())
    return _BLOCK.sub(_reference, escaped)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows of cells out, which are Markdown already, under their titles."""
    lines = [
        [title for title, _ in columns],
        ["--:" if right else ":--" for _, right in columns],
        *rows,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def warning(sentences: Iterable[str]) -> str:
    """Write sentences, Markdown already, as an alert that cannot be overlooked."""
    return alert("WARNING", sentences)


def alert(level: str, sentences: Iterable[str]) -> str:
    """Write sentences, Markdown already, as an alert of GitHub's: ``WARNING``, ``CAUTION``."""
    return f"> [!{level}]\n" + "\n>\n".join(f"> {sentence}" for sentence in sentences)


def heading(text: str) -> str:
    """Write a heading of what ran, or of a file."""
    return f"### {code(clip(text, _LONGEST_COMMAND))}"


def folded(title: str, block: str) -> str:
    """Hide a block behind its title, which is ours."""
    return f"<details>\n<summary>{title}</summary>\n\n{block}\n\n</details>"


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def _parted(found: re.Match[str]) -> str:
    return _reference(found) + (_ZERO_WIDTH_SPACE if found[0] in _PARTED else "")


def limits(verdict: "Verdict") -> str:
    """Write what cannot be overlooked where a limit is violated, and otherwise a sentence."""
    said = summary(verdict)
    said = f"**{prose(said[0].upper() + said[1:])}**"
    if not verdict.violations:
        return said
    return alert("CAUTION", [said, *(prose(violation.text) for violation in verdict.violations)])


def _blocks(report: Report, options: TableOptions, verdict: "Verdict | None") -> Iterator[str]:
    yield heading(wording.subject(report))
    if verdict is not None:
        yield limits(verdict)
    yield f"**{prose(wording.verdict(report))}**"
    about = "" if report.since_ns is None else f"{wording.part(report)}: "
    yield prose(about + wording.facts(report))
    warnings = [prose(text) for text in (wording.lost(report), *report.warnings)]
    if any(warnings):
        yield warning(filter(None, warnings))
    yield table(_RING_COLUMNS, _totals(report))
    rows = list(_rows(report, options))
    title = f"All calls: {units.count(len(report.calls))} rows"
    block = table(_columns(report), rows)
    yield block if len(rows) <= UNFOLDED else folded(title, block)
    yield from map(prose, notes(report, options, NOTE_WIDTH, warnings=False))
    if any(process.calls for process in report.processes):
        yield _processes(report)


def _totals(report: Report) -> Iterator[list[str]]:
    for title, ring in RING_TITLES:
        total = ring_total(report, ring)
        yield [title, *(total[key] for key in ("calls", "errs", "total"))]


def _columns(report: Report) -> Sequence[Column]:
    timed = any(call.times is not None for call in report.calls)
    return _COLUMNS if timed else _COLUMNS[:-_TIMES]


def _rows(report: Report, options: TableOptions) -> Iterator[list[str]]:
    keys = [title for title, _ in _columns(report)][1:]
    for call in ordered(report.calls, options)[: options.top]:
        row = cells(call, report)
        yield [code(wording.label(call, report)), *(row[key] for key in keys)]
        for clock, count in sorted(call.by_clock.items(), key=lambda item: (-item[1], item[0])):
            name = code(clock.removeprefix("CLOCK_"))
            yield [f"&nbsp;&nbsp;{name}", units.count(count), *("" for _ in keys[1:])]


def _processes(report: Report) -> str:
    ranked = sorted(report.processes, key=calls, reverse=True)
    shown, hidden = ranked[:_MOST_PROCESSES], ranked[_MOST_PROCESSES:]
    block = table(_PROCESS_COLUMNS, (_process(process, report) for process in shown))
    if hidden:
        left_out = wording.processes_left_out(len(hidden), sum(map(calls, hidden)))
        block += f"\n\n{prose(left_out)}"
    return folded(f"Processes: {units.count(len(report.processes))}", block)


def _process(process: Process, report: Report) -> list[str]:
    own = of_process(report, process)
    numbers = [*(ring_count(own, ring) for _, ring in RING_TITLES), units.count(own.errors)]
    return [str(process.pid), code(process.comm), wording.ended(process.exit), *numbers]
