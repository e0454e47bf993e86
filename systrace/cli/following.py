"""``--follow=signal``: click has no option that takes a value behind ``=`` and is a flag else."""

from typing import Final

import click

_WORD: Final = "--follow=signal"
_META: Final = "systrace.by_signal"


class Command(click.Command):
    """A command whose flag ``--follow`` may be spelled ``--follow=signal`` as well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words out that click would refuse, among the options and nowhere else."""
        end = self._end_of_options(args) if _WORD in args else 0
        options = [word for word in args[:end] if word != _WORD]
        ctx.meta[_META] = len(options) < end
        return super().parse_args(ctx, [*options, *args[end:]])

    def _end_of_options(self, args: list[str]) -> int:
        from systrace.cli.line import split  # noqa: PLC0415 - not for --help

        return len(args) - len(split(self, "", args).command)


def by_signal(ctx: click.Context) -> bool:
    """Whether it was asked for."""
    return bool(ctx.meta[_META])
