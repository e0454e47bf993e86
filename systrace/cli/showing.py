"""What ``show`` does, once click has read its options."""

from collections.abc import Mapping, Sequence
from typing import Any

from systrace.cli import formats, needless
from systrace.cli.writing import destinations, write_all
from systrace.errors import UsageError
from systrace.options import Format, TableOptions
from systrace.render import wording
from systrace.report import Report
from systrace.saved import load_all


def show(asked: Mapping[str, Any]) -> None:
    """Read the reports, open the outputs, render. Raises SystraceError."""
    needless.refuse(asked, "standard output")
    reports = load_all(asked["report"])
    with destinations(asked, (asked["report"],)) as outputs:
        if len(reports) > 1 and any(output.format == "prometheus" for output in outputs):
            many = f"{asked['report']!r} holds {len(reports)} reports"
            raise UsageError(f"{many}, and Prometheus reads one")
        table = TableOptions(asked["sort"], asked["top"], overhead=asked["overhead"])
        write_all(outputs, table, lambda wanted, how: _text(reports, wanted, how))


def _text(reports: Sequence[Report], wanted: Format, table: TableOptions) -> str:
    several = len(reports) > 1
    return "".join(
        (f"{wording.part(report)}:\n" if several and wanted == "table" else "")
        + formats.text(report, wanted, table, first=place == 0)
        for place, report in enumerate(reports)
    )
