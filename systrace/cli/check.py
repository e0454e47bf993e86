"""``systrace check``: hold a saved report against limits."""

from typing import Any

import click

from systrace.cli import options

EPILOG = """\b
Examples:
  systrace check budget.toml report.json
  systrace check --fail-if 'ring0_calls > 400' report.json
  systrace check --fail-if '*.filtered > 0' budget.toml report.json
  systrace check --baseline old.json --fail-if 'errors > +5%' report.json

All limits are checked, and each that does not hold is printed with its figures. What was not
counted (vDSO calls with --vdso off, what -e left out, lost calls) holds no limit.

systrace ends with 0 if all limits hold, 1 if one does not, and 2 if a file cannot be read.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@options.fail_if()
@options.budget()
@options.baseline()
@options.output("the verdict")
@options.format_("standard output")
@click.argument("files", nargs=-1, metavar="[BUDGET.toml] REPORT.json")
def check(**asked: Any) -> None:
    """Hold a report that `systrace run -o REPORT.json` saved against a budget, or other limits."""
    # Here, so that --help loads none of it.
    from systrace.cli import checking  # noqa: PLC0415

    checking.end(checking.check(checking.parse(asked), asked))
