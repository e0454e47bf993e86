"""What is done with the reports of a session: shown on standard error, written to files."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from systrace.cli import formats, limits, streams
from systrace.cli.background import Background
from systrace.cli.live import Live
from systrace.errors import OutputError
from systrace.options import Format, TableOptions
from systrace.output import Output
from systrace.render import wording
from systrace.report import Report

if TYPE_CHECKING:
    # A run without limits does without their modules.
    from systrace.limits.evaluate import Verdict
    from systrace.limits.grammar import Limit

    # ... and a first start begins to compile before it loads this.
    from systrace.watch import Snapshot

_FILE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Presentation:
    """How reports are shown; ``outputs`` are the names that ``-o`` gave.

    ``limits`` are held against the whole run, and told with it where a format has a place for them.
    ``inputs`` are files that no output may replace, as ``overwriting`` has them.
    """

    outputs: tuple[str, ...] = ()
    format: Format = "table"
    quiet: bool = False
    table: TableOptions = field(default_factory=TableOptions)
    limits: tuple["Limit", ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def shows_costs(self) -> bool:
        """Whether a report on standard error says what tracing cost."""
        return self.table.overhead or (self.format == "json" and not self.quiet)

    @property
    def file_table(self) -> TableOptions:
        """A table for a file, wherever we run: 80 columns and no colour."""
        return replace(self.table, width=_FILE_WIDTH, colour=False)


@dataclass(frozen=True, slots=True)
class Observed:
    """The whole run, the places where its report could not be written, what came of limits."""

    report: Report
    failures: tuple[OutputError, ...]
    verdict: "Verdict | None" = None


def present(
    snapshots: "Iterator[Snapshot]",
    presentation: Presentation,
    outputs: Sequence[Output],
    live: Live,
) -> Observed:
    """Show each snapshot as it comes, and the last one everywhere.

    A place that cannot be written costs no other place its report: failures are collected.
    """
    background = Background()
    display = _Display(presentation, live, background)
    files = _Files(outputs, presentation.file_table, background)
    final = verdict = None
    # Closed also when we fail half-way: the session then lets go of the target.
    with background, closing(cast("Generator[Snapshot, None, None]", snapshots)):
        for snapshot in snapshots:
            if snapshot.kind == "final":
                background.finish()
                final = snapshot
                if presentation.limits:
                    verdict = limits.held(presentation.limits, snapshot.report)
            display.show(snapshot, verdict)
            files.take(snapshot, verdict)
    if final is None:
        raise RuntimeError("the session ended without a final report")
    return Observed(final.report, (*display.failures, *files.failures), verdict)


class _Files:
    """What ``-o`` gave: the whole run for each, and for CSV, a format of rows, each interval."""

    def __init__(
        self, outputs: Sequence[Output], table: TableOptions, background: Background
    ) -> None:
        self._outputs = outputs
        self._table = table
        self._background = background
        self._failed: list[Output] = []
        self._first = True
        self.failures: list[OutputError] = []

    def take(self, snapshot: "Snapshot", verdict: "Verdict | None") -> None:
        if snapshot.kind == "interval":
            rows = [output for output in self._outputs if output.format == "csv"]
            self._to_all(rows, snapshot, None)
            self._first = False
        elif snapshot.kind == "final":
            self._to_all(self._outputs, snapshot, verdict)

    def _to_all(
        self, outputs: Sequence[Output], snapshot: "Snapshot", verdict: "Verdict | None"
    ) -> None:
        for output in outputs:
            pieces = self._rendered(output, snapshot.report, verdict)
            if snapshot.kind == "final":
                self._write(output, output.write, pieces)
            else:
                self._background.do(partial(self._write, output, output.add, pieces))

    def _rendered(self, output: Output, report: Report, verdict: "Verdict | None") -> Iterable[str]:
        if output.format == "json":
            from systrace.render import json  # noqa: PLC0415  one format a run

            return json.pieces(report)  # of which each process is one
        return formats.text(report, output.format, self._table, verdict, first=self._first)

    def _write(
        self, output: Output, write: Callable[[Iterable[str]], None], pieces: Iterable[str]
    ) -> None:
        if output in self._failed:
            return  # what lost a part is not to pass for the whole
        try:
            write(pieces)
        except OutputError as error:
            self.failures.append(error)
            self._failed.append(output)


class _Display:
    """Standard error and the live line."""

    def __init__(self, presentation: Presentation, live: Live, background: Background) -> None:
        self._presentation = presentation
        self._live = live
        self._background = background
        self._shown = self._intervals = False
        self.failures: list[OutputError] = []

    def show(self, snapshot: "Snapshot", verdict: "Verdict | None") -> None:
        if snapshot.kind == "progress":
            self._live.draw(snapshot.report)
            return
        headline = self._headline(snapshot)
        # A report that was asked for by a signal is shown however quiet we are.
        if self._presentation.quiet and snapshot.kind != "asked":
            return
        self._live.clear()
        wanted = self._presentation.format
        text = formats.text(
            snapshot.report, wanted, self._presentation.table, verdict, first=not self._shown
        )
        self._shown = True
        write = partial(self._write, headline + text if wanted == "table" else text)
        if snapshot.kind == "final":
            write()
        else:
            self._background.do(write)

    def _write(self, text: str) -> None:
        try:
            streams.show(text)
        except OutputError as error:
            # One message is enough, however many intervals follow.
            self.failures = [error]

    def _headline(self, snapshot: "Snapshot") -> str:
        """Which part of the run a table is about, where there is more than one."""
        part = wording.part(snapshot.report)
        if snapshot.kind == "asked":
            return f"so far, {part}:\n"
        if snapshot.kind == "interval":
            self._intervals = True
            return f"{part}:\n"
        return f"{part}, the whole run:\n" if self._intervals else ""
