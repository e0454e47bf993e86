"""What is done with the reports of a session: shown on standard error, written to files."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import cast

from systrace.cli import formats, streams
from systrace.cli.live import Live
from systrace.errors import OutputError
from systrace.options import TableOptions
from systrace.output import Format, Output
from systrace.report import Report
from systrace.watch import Snapshot

_FILE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Presentation:
    """How reports are shown; ``outputs`` are the names that ``-o`` gave."""

    outputs: tuple[str, ...] = ()
    format: Format = "table"
    quiet: bool = False
    table: TableOptions = field(default_factory=TableOptions)

    @property
    def file_table(self) -> TableOptions:
        """A table for a file, wherever we run: 80 columns and no colour."""
        return replace(self.table, width=_FILE_WIDTH, colour=False)


@dataclass(frozen=True, slots=True)
class Observed:
    """The whole run, and the places where its report could not be written."""

    report: Report
    failures: tuple[OutputError, ...]


def present(
    snapshots: Iterator[Snapshot],
    presentation: Presentation,
    outputs: Sequence[Output],
    live: Live,
) -> Observed:
    """Show each snapshot as it comes, and the last one everywhere.

    A place that cannot be written costs no other place its report: failures are collected.
    """
    display = _Display(presentation, live)
    final = None
    # Closed also when we fail half-way: the session then lets go of the target.
    with closing(cast("Generator[Snapshot, None, None]", snapshots)):
        for snapshot in snapshots:
            display.show(snapshot)
            final = snapshot if snapshot.kind == "final" else final
    if final is None:
        raise RuntimeError("the session ended without a final report")
    failures = [*display.failures, *_write(final.report, presentation, outputs)]
    return Observed(final.report, tuple(failures))


def _write(
    report: Report, presentation: Presentation, outputs: Sequence[Output]
) -> Iterator[OutputError]:
    for output in outputs:
        # Standard output has no ending: it gets what standard error gets.
        wanted = presentation.format if output.name == "-" else output.format
        try:
            output.write(formats.text(report, wanted, presentation.file_table))
        except OutputError as error:
            yield error


class _Display:
    """Standard error and the live line."""

    def __init__(self, presentation: Presentation, live: Live) -> None:
        self._presentation = presentation
        self._live = live
        self._elapsed_ns = 0
        self.failures: list[OutputError] = []

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.kind == "progress":
            self._live.draw(snapshot.report)
            return
        headline = self._headline(snapshot)
        # A report that was asked for by a signal is shown however quiet we are.
        if self._presentation.quiet and snapshot.kind != "asked":
            return
        self._live.clear()
        wanted = self._presentation.format
        text = formats.text(snapshot.report, wanted, self._presentation.table)
        try:
            streams.show(headline + text if wanted == "table" else text)
        except OutputError as error:
            # One message is enough, however many intervals follow.
            self.failures = [error]

    def _headline(self, snapshot: Snapshot) -> str:
        """Which part of the run a table is about, where there is more than one."""
        if snapshot.kind == "asked":
            return f"so far, elapsed {_seconds(snapshot.report.elapsed_ns)}:\n"
        if snapshot.kind == "interval":
            since = self._elapsed_ns
            self._elapsed_ns += snapshot.report.elapsed_ns
            return f"elapsed {_seconds(since)} to {_seconds(self._elapsed_ns)}:\n"
        if self._elapsed_ns:
            return f"elapsed {_seconds(snapshot.report.elapsed_ns)}, the whole run:\n"
        return ""


def _seconds(elapsed_ns: int) -> str:
    return f"{elapsed_ns / 1_000_000_000:,.1f} s"
