"""A report in the format that was asked for; a renderer is imported when it is first needed."""

from importlib import import_module
from typing import TYPE_CHECKING

from systrace.options import Format, TableOptions
from systrace.report import Report

if TYPE_CHECKING:
    # A report without limits does without their modules.
    from systrace.limits.evaluate import Verdict


def text(
    report: Report,
    wanted: Format,
    table: TableOptions,
    verdict: "Verdict | None" = None,
    *,
    first: bool = True,
) -> str:
    """Render the whole text, ending with a newline. ``table`` says how a table looks.

    Not the ``first`` is a report that follows others in the same place: of a format of rows it
    is more rows, and of the others one more document. A ``verdict`` on limits is told in the
    formats whose readers see nothing else of the run: markdown and github.
    """
    if wanted == "csv":
        from systrace.render import csv  # noqa: PLC0415  one format a run

        return csv.render(report, table, header=first)
    if wanted == "markdown":
        from systrace.render import markdown  # noqa: PLC0415  as above

        return markdown.render(report, table, verdict)
    if wanted == "github":
        from systrace.render import github  # noqa: PLC0415  as above

        return github.render(report, table, verdict)
    # A format is a file in systrace/render/ of the same name.
    rendered: str = import_module(f"systrace.render.{wanted}").render(report, table)
    return rendered
