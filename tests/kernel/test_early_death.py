"""A target that ends before its first instruction."""

import os
import signal
import subprocess
import time
from pathlib import Path

from .tracing import HANGS_S, SYSTRACE


def child_pids(pid: int) -> list[int]:
    """Children of a process, by proc(5)."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_a_target_killed_while_it_is_held_ends_systrace_by_the_same_signal() -> None:
    with subprocess.Popen([str(SYSTRACE), "run", "-q", "sleep", "60"]) as process:
        deadline = time.monotonic() + HANGS_S
        while not (children := child_pids(process.pid)):
            assert time.monotonic() < deadline
        os.kill(children[0], signal.SIGKILL)
        assert process.wait(HANGS_S) == -signal.SIGKILL
