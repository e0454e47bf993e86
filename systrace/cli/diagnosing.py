"""What ``doctor`` does, once click has read its options."""

import errno
import os
from collections.abc import Sequence
from typing import Final, NoReturn

from systrace.cli import streams
from systrace.doctor import examine
from systrace.errors import OutputError
from systrace.render import doctor

_INEXACT: Final = 1


def diagnose(arguments: Sequence[str], *, as_json: bool) -> NoReturn:
    """Examine this machine, write what was found to standard output, and exit.

    Raises OutputError when it cannot be written; that nobody reads on changes nothing.
    """
    if streams.is_closed(streams.STDOUT):
        raise OutputError(f"cannot write standard output: {os.strerror(errno.EBADF)}")
    streams.hold_closed()
    diagnosis = examine.judge(examine.gather(arguments))
    written = doctor.document(diagnosis) if as_json else doctor.text(diagnosis)
    streams.show(written, streams.STDOUT)
    raise SystemExit(0 if diagnosis.exact else _INEXACT)
