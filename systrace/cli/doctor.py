"""``systrace doctor``: can this machine trace, and how well."""

import click

EPILOG = """\b
Examples:
  sudo systrace doctor              what is there, what is missing, what to do
  sudo systrace doctor --json | jq .exact

Each line that is not ok says what follows from it and what to do about it. Then a program whose
calls are known is counted in every --vdso mode, and the counts must be exact.

systrace ends with 0 if run would be exact here, with 1 if not, and with 2 after a wrong option.
Without root it says what it can see, and ends with 1, for run would be refused.
"""


@click.command(
    epilog=EPILOG,
    options_metavar="[options]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--json", "as_json", is_flag=True, help="Write systrace.doctor/1, for machines.")
@click.pass_context
def doctor(context: click.Context, /, *, as_json: bool) -> None:
    """Say what this machine offers to systrace, and whether it counts exactly here."""
    # Here, so that --help loads none of it.
    from systrace.cli import diagnosing  # noqa: PLC0415

    diagnosing.diagnose(context.obj, as_json=as_json)
