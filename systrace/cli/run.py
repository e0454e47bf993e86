"""``systrace run``: trace a command from its first instruction to its end."""

from typing import Any

import click

from systrace.cli import following, options

EPILOG = """\b
Examples:
  sudo systrace run ./goapp                    what it calls, in which ring
  sudo systrace run -o calls.json make -j8     a report to keep, with children
  sudo systrace run -q -F json -o - true       JSON on standard output
  sudo systrace run -e %network -i 2s ./serve  network calls, every 2 seconds
  sudo systrace run -u www-data ./serve -p 80  -p 80 is the server's
  sudo systrace run --fail-if 'openat.count > 38' --budget budget.toml ./app

The report goes to standard error, for standard output is the command's; kill -USR1 prints one so
far. Under sudo the command runs as you, not as root.

systrace ends as the command ends, with its exit status or by its signal; with 1 where that was 0
and a limit does not hold. 125: systrace itself failed; 126: the command cannot be run; 127: it was
not found.
"""


_BY_SIGNAL = (
    " --follow=signal does so without ptrace, for debuggers and LeakSanitizer among the children: "
    "each stops for a moment when it execs, and its parent sees that (SIGCHLD, EINTR); sudo, su "
    "and script stop with it, for good."
)


@click.command(
    cls=following.Command,
    epilog=EPILOG,
    options_metavar="[options]",
    # systrace's options end at COMMAND: `run ls -l` gives -l to ls.
    context_settings={
        "allow_interspersed_args": False,
        "help_option_names": ["-h", "--help"],
    },
)
@options.output()
@options.format_()
@options.quiet()
@options.follow(_BY_SIGNAL)
@options.per_process()
@options.wait_all()
@options.user()
@options.vdso()
@options.without_vdso()
@options.counts_only()
@options.expr()
@options.sort()
@options.top()
@options.overhead()
@options.interval()
@options.fail_if()
@options.budget()
@click.argument(
    "command",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    metavar="[--] COMMAND [ARG]...",
)
@click.pass_context
def run(context: click.Context, /, **asked: Any) -> None:
    """Run COMMAND and count every call that it and its children make.

    Each row of the table is a call and says in which ring it was served: system calls enter
    ring 0, calls that the vDSO serves stay in ring 3.
    """
    # Here, so that --help loads none of it.
    from systrace.cli import tracing  # noqa: PLC0415

    arguments: tuple[str, ...] = context.obj
    tracing.refuse_habits(context.command, arguments)
    by_signal = following.by_signal(context)
    wanted, presentation = tracing.parse({**asked, "by_signal": by_signal})
    tracing.require_privilege(arguments, wanted)
    observed = tracing.trace(wanted, presentation)
    tracing.end(observed, quiet=presentation.quiet)
