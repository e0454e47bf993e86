"""A report in the format that was asked for; a renderer is imported when it is first needed."""

from importlib import import_module

from systrace.options import Format, TableOptions
from systrace.report import Report


def text(report: Report, wanted: Format, table: TableOptions, *, first: bool = True) -> str:
    """Render the whole text, ending with a newline. ``table`` says how a table looks.

    Not the ``first`` is a report that follows others in the same place: of a format of rows it
    is more rows, and of the others one more document.
    """
    if wanted == "csv":
        from systrace.render import csv  # noqa: PLC0415  one format a run

        return csv.render(report, table, header=first)
    # A format is a file in systrace/render/ of the same name.
    rendered: str = import_module(f"systrace.render.{wanted}").render(report, table)
    return rendered
