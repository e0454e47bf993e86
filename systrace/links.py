"""Programs attached to tracepoints."""

import contextlib
import os
from typing import Final

from systrace import bpf
from systrace.errors import UnsupportedError

_NEEDS: Final = "systrace needs a kernel with CONFIG_BPF_EVENTS and CONFIG_FTRACE_SYSCALLS"


class Links:
    """Programs attached to tracepoints, detached together or one by one."""

    def __init__(self) -> None:
        self._fds: dict[str, int] = {}

    def attach(self, tracepoint: str, program_fd: int, name: str | None = None) -> None:
        """Attach to a raw one; raises UnsupportedError if this kernel has no such tracepoint."""
        try:
            fd = bpf.open_tracepoint(tracepoint, program_fd)
        except OSError as error:
            raise UnsupportedError(
                f"cannot attach to raw tracepoint {tracepoint}: {error.strerror}\n{_NEEDS}"
            ) from error
        self._fds[name or tracepoint] = fd

    def attach_typed(self, tracepoint: str, program_fd: int) -> None:
        """Attach a program that was loaded for this typed one. Raises UnsupportedError."""
        try:
            self._fds[tracepoint] = bpf.open_tracepoint(None, program_fd)
        except OSError as error:
            raise UnsupportedError(
                f"cannot attach to typed tracepoint {tracepoint}: {error.strerror}\n{_NEEDS}"
            ) from error

    def attach_if_there(self, tracepoint: str, program_fd: int) -> None:
        """Attach to a tracepoint that a kernel may be built without."""
        with contextlib.suppress(UnsupportedError):
            self.attach(tracepoint, program_fd)

    def detach(self, name: str) -> None:
        """Detach one; nothing happens if it is not attached."""
        fd = self._fds.pop(name, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Detach all that is left, the last one first: enters before the exits that end them."""
        for name in reversed(list(self._fds)):
            self.detach(name)
