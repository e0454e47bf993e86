"""The command line: options in, exit status out. One file a verb, loaded when it is named."""

import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO

import click

from systrace import __version__
from systrace.errors import OutputError, SystraceError, UsageError

# A verb is a line here and a file beside this one, with a click command of the same name in it.
VERBS: Mapping[str, str] = {
    "run": "Trace a command from its first instruction to its end.",
    "attach": "Count what already runs.",
    "compare": "Hold two reports, or two commands, against each other.",
    "show": "Render a saved report again.",
    "budget": "Write a budget of calls from saved reports.",
    "check": "Hold a saved report against a budget.",
    "doctor": "Can this machine trace, and how well?",
}

# The others end with what their target ended with, or 125 to 127; these with 0, 1 or this.
_TROUBLE = 2
_TRACING = ("run", "attach")

EPILOG = """\b
Examples:
  sudo systrace run ls /usr/bin              system calls and vDSO calls
  sudo systrace run -o report.json ./goapp   and a file to keep
  sudo systrace attach -d 10 nginx           what runs already, for 10 s
  systrace compare before.json after.json    what changed, in which ring
  sudo systrace run --budget budget.toml ./goapp
  sudo systrace doctor                       is it exact on this machine?

systrace VERB --help has the options of a verb.
"""


class Verbs(click.Group):
    """A group that knows its verbs without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Every verb, in the order of the table above."""
        return list(VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Load this verb; None where there is none such."""
        return _load(cmd_name) if cmd_name in VERBS else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """List the verbs for ``--help``."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    no_args_is_help=False,
    subcommand_metavar="VERB ...",
    options_metavar="",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="systrace", message="%(prog)s %(version)s")
def systrace() -> None:
    """Count which calls of a program enter ring 0 and which stay in ring 3, exactly.

    System calls and vDSO calls (clock_gettime and its like, which strace and perf never see)
    come in one table, each row with the ring that served it.
    """


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit status.

    The one place where errors end: a refusal is one or two lines on standard error. Raises
    SystemExit, and does not return where systrace dies by the target's signal.
    """
    try:
        _dispatch(arguments)
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystraceError as error:
        return _refuse(_explained(str(error)), _status(error.exit_status, arguments))
    except KeyboardInterrupt:
        from systrace.cli import ending  # noqa: PLC0415  as in _refuse

        ending.by_signal(signal.SIGINT)
    except Exception as error:  # whatever it is, no traceback  # noqa: BLE001
        return _fail(error, arguments)
    return 0


def _dispatch(arguments: Sequence[str]) -> None:
    said = StringIO()  # by click, whose own errors in writing look like anybody's
    try:
        with (
            redirect_stdout(said),
            systrace.make_context("systrace", list(arguments), obj=tuple(arguments)) as context,
        ):
            systrace.invoke(context)
    except click.UsageError as error:
        raise UsageError(_corrected(error, arguments)) from error
    except click.exceptions.Exit:
        _print(said.getvalue())
        raise


def _print(text: str) -> None:
    """Write help or the version; that nobody reads it is no error. Raises OutputError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python would try to flush once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
        if error.errno != errno.EPIPE:
            raise OutputError(f"cannot write standard output: {error.strerror}") from error


def _status(tracing: int, arguments: Sequence[str]) -> int:
    """Choose the status of a refusal; ``tracing`` is that of verbs that end as their target."""
    verb = arguments[0] if arguments else ""
    return _TROUBLE if verb in VERBS and verb not in _TRACING else tracing


def _corrected(error: click.UsageError, arguments: Sequence[str]) -> str:
    from systrace.cli import habits  # noqa: PLC0415  as in _refuse

    # Not by error.ctx: click's parser leaves that out of some.
    verb = arguments[0] if arguments and arguments[0] in VERBS else "run"
    command = _load(verb)
    if verb in arguments[:1]:
        return habits.correct(error, command, verb, arguments[1:])
    return habits.without_verb(command, tuple(VERBS), arguments)


def _load(verb: str) -> click.Command:
    command: click.Command = getattr(import_module(f"systrace.cli.{verb}"), verb)
    return command


def _explained(message: str) -> str:
    """Add what helps where a limit was met that may come from any library."""
    if os.strerror(errno.EMFILE) in message:
        first = message.splitlines()[0]
        return f"{first}\n`ulimit -n 1024` in this shell allows systrace what it needs"
    return message


def _refuse(message: str, status: int) -> int:
    # Nothing that only a refusal needs is loaded before there is one.
    from systrace.cli import streams  # noqa: PLC0415

    streams.say(message)
    return status


def _fail(error: Exception, arguments: Sequence[str]) -> int:
    if os.environ.get("SYSTRACE_TRACEBACK"):
        raise error
    what = " ".join(f"{type(error).__name__}: {error}".split())
    said = f"internal error: {what}; set SYSTRACE_TRACEBACK=1 to see where"
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        said = _explained(os.strerror(error.errno))
    return _refuse(said, _status(SystraceError.exit_status, arguments))
