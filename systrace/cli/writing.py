"""Writing to standard output and to files, for the verbs that have no target."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from systrace.cli import streams
from systrace.errors import OutputError
from systrace.options import Format, TableOptions
from systrace.output import Output, opened
from systrace.target import user

_STDOUT: Final = "-"


@contextmanager
def destinations(asked: Mapping[str, Any], inputs: Iterable[str]) -> Iterator[tuple[Output, ...]]:
    """Open standard output, unless ``-q`` was given, and every ``-o``.

    Raises OutputError, and UsageError for one of the ``inputs``.
    """
    names = dict.fromkeys((*(() if asked.get("quiet") else (_STDOUT,)), *asked["outputs"]))
    streams.hold_closed()
    with opened(names, user.caller(), asked["format_"], inputs) as outputs:
        yield outputs


def write_all(
    outputs: Iterable[Output], table: TableOptions, render: Callable[[Format, TableOptions], str]
) -> None:
    """Write every output, a table on standard output as wide and colourful as that is.

    Raises the first OutputError, when all others have their text.
    """
    fd = streams.STDOUT
    seen = replace(table, width=streams.width(fd=fd), colour=streams.colour(fd=fd))
    failure = None
    for output in outputs:
        text = render(output.format, seen if output.name == _STDOUT else table)
        try:
            output.write(text)
        except OutputError as error:
            # A reader that has seen enough, such as head(1), is no failure.
            if not isinstance(error.__cause__, BrokenPipeError):
                failure = failure or error
    if failure is not None:
        raise failure
