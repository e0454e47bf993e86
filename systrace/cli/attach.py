"""``systrace attach``: count what already runs."""

from typing import Any

import click

from systrace.cli import options

EPILOG = """\b
Examples:
  sudo systrace attach -d 10 nginx             all processes so named, 10 s
  sudo systrace attach 1234                    until Ctrl-C, or until it ends
  sudo systrace attach -p 12,34 -i 2s -q -o calls.csv
  sudo systrace attach --vdso off postgres     nothing in it is touched

All threads are counted, and those and the children that they start later. vDSO calls are counted
by a jump that is patched into each vDSO function of the running process and taken out in the end;
two pages that they need stay mapped. --vdso breakpoint and --vdso off change nothing in it.

systrace ends with 0 after the duration, Ctrl-C, or the end of the processes; with 1 where a limit
does not hold; with 125 when it cannot attach. Ctrl-C never reaches them.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@options.pids()
@options.duration()
@options.output()
@options.format_()
@options.quiet()
@options.follow()
@options.per_process()
@options.vdso()
@options.counts_only()
@options.expr()
@options.sort()
@options.top()
@options.overhead()
@options.interval()
@options.fail_if()
@options.budget()
@click.argument("processes", nargs=-1, metavar="PID|NAME...")
@click.pass_context
def attach(context: click.Context, /, **asked: Any) -> None:
    """Attach to processes that already run, and count every call that they make.

    A name means every process with that name, or started from a file of that name.
    """
    # Here, so that --help loads none of it.
    from systrace.cli import attaching  # noqa: PLC0415

    arguments: tuple[str, ...] = context.obj
    attaching.require_privilege(arguments)
    wanted, presentation = attaching.parse(asked)
    observed = attaching.trace(wanted, presentation)
    attaching.end(observed, quiet=presentation.quiet)
