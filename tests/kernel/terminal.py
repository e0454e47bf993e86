"""An interactive shell on a terminal of its own, and what it shows."""

import os
import pty
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from systrace import proc

from .tracing import HANGS_S

PROMPT = "prompt> "


class Terminal:
    """What is typed, and what has been shown since."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self._shown = ""
        self._before = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, text: str) -> str:
        """Wait for a text; returns what was shown up to its end."""
        deadline = time.monotonic() + HANGS_S / 4
        while text not in self._shown:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._fd], [], [], max(0, left))
            assert ready, f"{text!r} never came: {self._before!r}, then {self._shown!r}"
            self._shown += os.read(self._fd, 65536).decode()
        before, _, self._shown = self._shown.partition(text)
        self._before = before + text
        return self._before

    def until_it_goes_on(self) -> None:
        """Wait until systrace, in the foreground again, treats SIGTSTP as it treats SIGINT.

        It stops by unblocking the one; and what it waits for is shown as not blocked.
        """
        deadline = time.monotonic() + HANGS_S / 4
        while len(self._blocked() & {signal.SIGTSTP, signal.SIGINT}) == 1:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def _blocked(self) -> set[int]:
        mask = int(proc.status(os.tcgetpgrp(self._fd))["SigBlk"], 16)
        return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}

    def run(self, line: str) -> str:
        """Type a line and wait for the next prompt; returns what the line gave."""
        self.type(f"{line}\n")
        shown = self.until(PROMPT)
        return shown.partition("\n")[2].removesuffix(PROMPT)


@contextmanager
def shell(**environment: str) -> Iterator[Terminal]:
    """Run bash, interactive, with job control."""
    pid, fd = pty.fork()
    if pid == 0:
        kept = {**os.environ, "PS1": PROMPT, "TERM": "dumb", **environment}
        os.execve("/bin/bash", ["bash", "--norc", "--noediting", "-i"], kept)  # noqa: S606
    try:
        terminal = Terminal(pid, fd)
        terminal.until(PROMPT)
        yield terminal
    finally:
        for number in (signal.SIGHUP, signal.SIGCONT, signal.SIGKILL):
            os.kill(pid, number)
        os.waitpid(pid, 0)
        os.close(fd)
