"""What ``show`` does, once click has read its options."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from systrace.cli import formats, streams
from systrace.cli.writing import write_all
from systrace.errors import UsageError
from systrace.options import TableOptions
from systrace.output import Output, opened
from systrace.render import wording
from systrace.report import Report
from systrace.saved import load_all
from systrace.target import user

_STDOUT = "-"


def show(asked: Mapping[str, Any]) -> None:
    """Read the reports, open the outputs, render. Raises SystraceError."""
    reports = load_all(asked["report"])
    names = dict.fromkeys((_STDOUT, *asked["outputs"]))
    plain = TableOptions(asked["sort"], asked["top"])
    seen = replace(
        plain, width=streams.width(fd=streams.STDOUT), colour=streams.colour(fd=streams.STDOUT)
    )
    streams.hold_closed()
    with opened(names, user.caller(), asked["format_"]) as outputs:
        if len(reports) > 1 and any(output.format == "prometheus" for output in outputs):
            many = f"{asked['report']} holds {len(reports)} reports"
            raise UsageError(f"{many}, and Prometheus reads one")
        write_all(
            outputs,
            lambda output: _text(reports, output, seen if output.name == _STDOUT else plain),
        )


def _text(reports: Sequence[Report], output: Output, table: TableOptions) -> str:
    several = len(reports) > 1
    return "".join(
        (f"{wording.part(report)}:\n" if several and output.format == "table" else "")
        + formats.text(report, output.format, table, first=place == 0)
        for place, report in enumerate(reports)
    )
