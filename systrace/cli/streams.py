"""Standard output and error, as we found them; what is said, how wide, in which colours."""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress

from systrace.errors import OutputError
from systrace.output import write_all

STDOUT, STDERR = 1, 2
_WIDTH = 80
# Nobody reads it: closed by our caller, or the other end of the pipe has gone.
NO_READER = (errno.EBADF, errno.EPIPE)


def hold_closed() -> None:
    """Put /dev/null where standard input, output or error is closed, for ourselves alone.

    Otherwise the next file we open would get that number, and be written to as a stream. The
    flag close-on-exec keeps the place closed in the target, and tells ours from inherited ones.
    """
    with suppress(OSError):
        while (fd := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= STDERR:
            pass
        os.close(fd)


def is_closed(fd: int) -> bool:
    """Whether our caller closed this stream; to be asked before ``hold_closed``."""
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def say(message: str) -> None:
    """Tell the user, after ``systrace: ``; where nobody listens, nothing happens.

    Control characters, which names of files and commands may hold, arrive escaped.
    """
    from systrace.render.text import printable  # noqa: PLC0415  only when there is a message

    lines = "\n".join(printable(line) for line in message.split("\n"))
    with suppress(OSError):
        write_all(STDERR, f"systrace: {lines}\n".encode(errors="backslashreplace"))


def note(remark: str) -> None:
    """Tell the user, in one line, what may have been written by anybody."""
    from systrace.render.text import printable  # noqa: PLC0415  as above

    say(f"note: {printable(remark)}")


def show(text: str, fd: int = STDERR) -> None:
    """Write to standard error, or output.

    Raises OutputError when it is lost for another reason than that nobody reads it.
    """
    try:
        write_all(fd, text.encode(errors="backslashreplace"))
    except OSError as error:
        if error.errno not in NO_READER:
            name = "error" if fd == STDERR else "output"
            raise OutputError(f"cannot write standard {name}: {error.strerror}") from error


def colour(environ: Mapping[str, str] = os.environ, fd: int = STDERR) -> bool:
    """Only on a terminal that has colours, and not against https://no-color.org."""
    plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return not plain and os.isatty(fd)


def width(environ: Mapping[str, str] = os.environ, fd: int = STDERR) -> int:
    """Columns: what COLUMNS says, else what the terminal says, else 80."""
    said = environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(fd).columns or _WIDTH
    except OSError:
        return _WIDTH
