"""``systrace show``: render a saved report again."""

from typing import Any

import click

from systrace.cli import options

EPILOG = """\b
Examples:
  systrace show report.json                  the table again
  systrace show -S total -n 10 report.json   what took longest
  systrace show -F markdown report.json      a comment for a pull request
  systrace show -o calls.csv report.json     and rows for a spreadsheet
  ssh host cat report.json | systrace show -

A file that holds several reports, one after another (-i with -F json), is shown report by report.
Needs no root. Ends with 0, or with 2 where the report cannot be read.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@options.output()
@options.format_("standard output")
@options.sort()
@options.top()
@options.overhead()
@click.argument("report", metavar="REPORT.json")
def show(**asked: Any) -> None:
    """Render a report that was saved with -o, as it was shown then or in another format.

    REPORT.json is a file, or - for standard input.
    """
    # Here, so that --help loads none of it.
    from systrace.cli import showing  # noqa: PLC0415

    showing.show(asked)
