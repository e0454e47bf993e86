"""A report in the format that was asked for; a renderer is imported when it is first needed."""

from systrace.options import TableOptions
from systrace.output import Format
from systrace.report import Report


def text(report: Report, wanted: Format, table: TableOptions) -> str:
    """Render the whole text, ending with a newline. ``table`` says how a table looks."""
    if wanted == "json":
        from systrace.render import json  # noqa: PLC0415  one format a run

        rendered = json.render(report)
    else:
        from systrace.render import table as tables  # noqa: PLC0415  as above

        rendered = tables.render(report, table)
    return rendered if rendered.endswith("\n") else rendered + "\n"
