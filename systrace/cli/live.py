"""The line that shows life while a target runs."""

import os
from contextlib import suppress
from types import TracebackType

from systrace.report import Report

_TERMINAL = "/dev/tty"
_SHARED = (1, 2)


class Live:
    """One line on our terminal, overwritten in place, gone when the block ends.

    The target inherits standard output and error. Where either is a terminal, the target may
    write there at any moment, so nothing is drawn. Where both lead elsewhere, the controlling
    terminal is ours alone, and ``systrace run ./app >out 2>err`` shows there that it lives.
    (A program that opens /dev/tty by itself cannot be told in advance.)
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._fd: int | None = None
        self._drawn = 0
        if wanted and not any(os.isatty(fd) for fd in _SHARED):
            # Non-blocking: a terminal stopped with Ctrl-S must not stop the trace.
            flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            with suppress(OSError):
                self._fd = os.open(_TERMINAL, flags)

    def __enter__(self) -> "Live":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def visible(self) -> bool:
        """Whether there is a terminal to draw on, so that progress is worth asking for."""
        return self._fd is not None

    def draw(self, report: Report) -> None:
        """Show how far it is."""
        line = (
            f"elapsed {report.elapsed_ns // 1_000_000_000:,} s, "
            f"{report.ring_calls('3'):,} calls in ring 3, "
            f"{report.ring_calls('3->0'):,} in ring 0"
        )
        # The last column stays free: a terminal wraps there.
        line = line[: self._columns() - 1]
        if self._write("\r" + line.ljust(self._drawn)):
            self._drawn = len(line)

    def clear(self) -> None:
        """Leave the line as it was."""
        if self._drawn and self._write("\r" + " " * self._drawn + "\r"):
            self._drawn = 0

    def _columns(self) -> int:
        with suppress(OSError):
            if self._fd is not None:
                return os.get_terminal_size(self._fd).columns or 80
        return 80

    def _write(self, text: str) -> bool:
        if self._fd is None:
            return False
        with suppress(OSError):
            # In the background, writing would stop us (SIGTTOU) where `stty tostop` is set.
            if os.tcgetpgrp(self._fd) == os.getpgrp():
                return os.write(self._fd, text.encode()) > 0
        return False
