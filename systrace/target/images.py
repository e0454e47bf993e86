"""What is done for the images of held processes, whoever holds them, and who does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from systrace import ptrace
from systrace.target.seccomp import filters_more_than_ours

_FILTERED: Final = "a seccomp filter may forbid it, and cannot be suspended"


class Moved(Protocol):
    """Who hears of vDSOs that are moved."""

    def moved(self, pid: int, tid: int, *, may_call: bool) -> int:
        """Note that a held thread may have moved its vDSO; returns a signal to hand it."""


class Images(Moved, Protocol):
    """Who hears of images: the vDSO side of a session."""

    def prepare(self, pid: int) -> int:
        """Prepare a process that stands at the exit of its exec; returns a signal to hand it."""

    def refuse(self, pid: int, reason: str) -> None:
        """Note that a process cannot be prepared."""

    def inherit(self, parent: int, child: int) -> None:
        """Note that a new process shares its parent's image; it may have another by now."""

    @property
    def parts(self) -> bool:
        """Whether ``arrive`` makes calls in a process, as ``prepare`` does."""

    @property
    def lends(self) -> bool:
        """Whether ``lend`` and ``regain`` matter."""

    def lend(self, parent: int, child: int) -> None:
        """Note that a process which is left out, and has not run yet, may have its parent's memory.

        It may be said twice.
        """

    def regain(self, child: int) -> None:
        """Note that a process that was left out has memory of its own, or has ended."""

    def arrive(self, child: int, *, may_call: bool) -> int:
        """Note that a new process, which has not run yet, is held; returns a signal to hand it."""

    def forget(self, pid: int) -> None:
        """Note that a process has ended, or is followed no longer."""


def prepare(images: Images, pid: int, options: int) -> int:
    """Prepare a process that is traced with ``options``, or refuse it; as Images.prepare."""
    try:
        with _made_to_call(pid, options):
            return images.prepare(pid)
    except PermissionError:
        images.refuse(pid, _FILTERED)
        return 0


def arrive(images: Images, pid: int, options: int) -> int:
    """As Images.arrive, of a process that is traced with ``options``."""
    if not images.parts:
        return images.arrive(pid, may_call=False)
    try:
        with _made_to_call(pid, options):
            return images.arrive(pid, may_call=True)
    except PermissionError:
        return images.arrive(pid, may_call=False)


def moved(images: Moved, pid: int, tid: int, options: int) -> int:
    """As Moved.moved, of a thread that is traced with ``options``."""
    try:
        with _made_to_call(tid, options):
            return images.moved(pid, tid, may_call=True)
    except PermissionError:
        return images.moved(pid, tid, may_call=False)


@contextmanager
def _made_to_call(tid: int, options: int) -> Iterator[None]:
    """Let a process die with us, and no filter kill it, while it is made to make calls.

    Raises PermissionError if its filter cannot be suspended.
    """
    suspend = ptrace.O_SUSPEND_SECCOMP if filters_more_than_ours(tid) else 0
    ptrace.set_options(tid, options | ptrace.O_EXITKILL | suspend)
    yield
    ptrace.set_options(tid, options)
