"""target + probes + clock, yielding snapshots. It never prints and never exits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from systrace.options import RunOptions
from systrace.report import Report


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A report at a moment.

    ``progress`` and ``asked`` (SIGUSR1) reports are cumulative, an ``interval`` report holds
    what happened since the last one, and ``final``, the last, is the whole run.
    """

    kind: Literal["progress", "asked", "interval", "final"]
    report: Report


def run(options: RunOptions) -> Iterator[Snapshot]:
    """Start the command held, attach, release, and yield snapshots until it has ended.

    Raises NotFoundError, NotExecutableError, PrivilegeError, UnsupportedError or SystraceError.
    """
    raise NotImplementedError
