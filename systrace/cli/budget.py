"""``systrace budget``: write a budget from saved reports."""

from typing import Any

import click

from systrace.cli import options

EPILOG = """\b
Examples:
  for i in 0 1 2 3 4 5 6 7 8 9; do sudo systrace run -q -o $i.json ./app; done
  systrace budget ?.json > budget.toml
  systrace budget -o budget.toml --head-room 10 ?.json
  sudo systrace run --budget budget.toml ./app

A limit is the largest count of all reports. Where reports differ, head-room lies above it: 5 times
the spread (largest less smallest), where one of fewer than 4 calls counts as 4. As soon as reports
differ in anything, what threads, timers and collectors cause (futex, nanosleep, madvise and their
like) is taken to spread by 50 at least, though the reports agree in it, and may come though none
has it; and so are read and write by 4, where an event loop may be woken by them. Any other call
that no report has is over budget.

systrace ends with 0, or with 2 if a report cannot be read or the budget not be written.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@options.head_room()
@options.budget_output()
@click.argument("reports", nargs=-1, metavar="REPORT.json...")
def budget(**asked: Any) -> None:
    """Write the limits that these reports stay within, to hold later runs against.

    Ten reports of the same command make a budget that lasts; with one, nothing is known of what
    varies from run to run.
    """
    # Here, so that --help loads none of it.
    from systrace.cli import budgeting  # noqa: PLC0415

    budgeting.write(budgeting.parse(asked))
