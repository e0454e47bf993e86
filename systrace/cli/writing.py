"""Writing to standard output and to files, for the verbs that have no target."""

from collections.abc import Callable, Iterable

from systrace.errors import OutputError
from systrace.output import Output


def write_all(outputs: Iterable[Output], render: Callable[[Output], str]) -> None:
    """Write every output. Raises the first OutputError, when all others have their text."""
    failure = None
    for output in outputs:
        text = render(output)
        try:
            output.write(text)
        except OutputError as error:
            # A reader that has seen enough, such as head(1), is no failure.
            if not isinstance(error.__cause__, BrokenPipeError):
                failure = failure or error
    if failure is not None:
        raise failure
