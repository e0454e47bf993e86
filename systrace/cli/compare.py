"""``systrace compare``: two reports or two commands held against each other."""

from typing import Any

import click

from systrace.cli import options

EPILOG = """\b
Examples:
  systrace compare before.json after.json         two reports, no root needed
  sudo systrace compare './app' './app --fast'    each run 10 times, in turn
  sudo systrace compare before.json ./app         a report and a command
  sudo systrace compare -r 20 --warmup 1 -o diff.json ./old ./new
  sudo systrace compare --without-vdso -- ./app   what the vDSO saves it
  systrace compare --fail-if 'ring0_calls > +5%' before.json after.json

A word that names a readable report is one, any other is a command, which is split as a shell
would split it. Commands read /dev/null, and write there unless --show-output.

With several runs a rank test tells for each count whether it differs beyond the noise of the
runs, wrongly so for any count in at most one of 1,000 comparisons.

Ends with 0, whether anything differs or not; with 1 where a limit does not hold; with 2 where a
report cannot be read, a command cannot be run or fails, and for a mistake on the command line.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    # As for run: a command after --without-vdso -- has options of its own.
    context_settings={
        "allow_interspersed_args": False,
        "help_option_names": ["-h", "--help"],
    },
)
@options.runs()
@options.warmup()
@options.without_vdso("Compare COMMAND with its vDSO (A) and without (B).")
@options.unchanged()
@options.shell()
@options.show_output()
@options.ignore_failure()
@options.output("the comparison")
@options.format_("standard output")
@options.quiet("standard output")
@options.follow()
@options.user()
@options.vdso()
@options.counts_only()
@options.expr()
@options.fail_if(
    "End with 1 if this is true: of any run of B, as in 'ring0_calls > 400'; or, with a sign, of "
    "the change from A, as in 'openat.count > +5%', and that is beyond the noise."
)
@options.budget()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="A B")
@click.pass_context
def compare(context: click.Context, /, **asked: Any) -> None:
    """Compare the calls of A and B, each a report that was saved or a command to run.

    Rows are matched by name, via and ABI; a call that another ring serves in B is named below the
    table.
    """
    # Here, so that --help loads none of it.
    from systrace.cli import comparing  # noqa: PLC0415

    comparing.compare(context.command, context.obj, asked)
