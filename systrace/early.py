"""How a session of a command begins: with what takes longest at a first start, compiling.

The compiler works, in a process of its own, while everything else is imported.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from systrace.definitions import prepare
from systrace.options import RunOptions
from systrace.probe import require_bpf

if TYPE_CHECKING:
    from systrace.watch import Snapshot


def run(options: RunOptions) -> "Iterator[Snapshot]":
    """Compile, and do what ``session.run`` does. Raises what that raises."""
    require_bpf()
    build = prepare(options.trace)
    from systrace import session  # noqa: PLC0415 - as said

    return session.run(options, build)
