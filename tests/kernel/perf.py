"""perf stat counts the same tracepoints with code of its own."""

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TRACEFS = Path("/sys/kernel/tracing")

# Address-space randomization decides how often malloc calls brk, and hashing the order of sets.
FIXED = ("setarch", "-R", "env", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1")

# Programs look at what their descriptors lead to: the same for both.
NOWHERE: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def mount_tracefs() -> Path:
    """Where perf looks tracepoints up; mounted where it is not."""
    if not (TRACEFS / "events").is_dir():
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mount(b"none", bytes(TRACEFS), b"tracefs", 0, None) == 0, os.strerror(
            ctypes.get_errno()
        )
    return TRACEFS


def perf_counts(events: Sequence[str], command: Sequence[str], output: Path) -> dict[str, int]:
    """What perf counts between the command's execve, which it leaves out, and its end."""
    argv = ["perf", "stat", "-x,", "-o", str(output), "-e", ",".join(events), "--", *command]
    subprocess.run([*FIXED, *argv], check=True, **NOWHERE)
    lines = [line.split(",") for line in output.read_text().splitlines() if "," in line]
    return {name: int(value) for value, _, name, *_ in lines}
