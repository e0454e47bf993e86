"""How many files systrace itself may have open; what it starts keeps the caller's limit."""

import contextlib
import resource
from collections.abc import Iterator
from typing import Final

_WANTED: Final = 65536  # four for each process with breakpoints, one for each map and program


@contextlib.contextmanager
def many() -> Iterator[None]:
    """Raise RLIMIT_NOFILE of this process as far as it may be; setrlimit(2).

    To be entered once the target has been forked, so that it inherits nothing of it.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (max(value, _WANTED) for value in before)
    for limits in ((soft, hard), (before[1], before[1])):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
