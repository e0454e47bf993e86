"""perf stat counts the same tracepoints with code of its own."""

import ctypes
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .tracing import Tracer

pytestmark = pytest.mark.exact

TRACEFS = Path("/sys/kernel/tracing")

# Address-space randomization decides how often malloc calls brk, and hashing the order of sets.
FIXED = ("setarch", "-R", "env", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1")

# Programs look at what their descriptors lead to: the same for both.
NOWHERE: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)

COMMANDS = [
    ("true",),
    ("ls", "/usr/bin"),
    ("/usr/bin/python3", "-c", "pass"),
    # One child at a time, or the number of SIGCHLDs is left to chance; whole paths, for perf puts
    # a directory of its own before PATH.
    ("sh", "-c", "/bin/ls /; (exit 3); /bin/true"),
]


@pytest.fixture(scope="module")
def tracefs() -> Path:
    """tracefs, where perf looks tracepoints up; mounted where it is not."""
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


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_all_calls_together_are_perfs_and_the_first_execve(
    trace: Tracer, tracefs: Path, tmp_path: Path, command: Sequence[str]
) -> None:
    assert (tracefs / "events/raw_syscalls/sys_enter").is_dir()
    perf = perf_counts(["raw_syscalls:sys_enter"], command, tmp_path / "perf")
    traced = trace(*command, prefix=FIXED, capture_output=False, **NOWHERE)
    assert traced.totals["ring0_calls"] == perf["raw_syscalls:sys_enter"] + 1


def tracepoints(tracefs: Path) -> dict[str, str]:
    """Every system call that has a tracepoint, by the name that user space gives it."""
    renamed = {"newstat": "stat", "newfstat": "fstat", "newlstat": "lstat", "newuname": "uname"}
    found = {}
    for directory in (tracefs / "events/syscalls").glob("sys_enter_*"):
        name = re.sub("^sys_enter_", "", directory.name)
        found[renamed.get(name, name)] = f"syscalls:{directory.name}"
    return found


@pytest.mark.parametrize("command", COMMANDS[1:3], ids=" ".join)
def test_each_name_has_as_many_calls_as_perf_counts(
    trace: Tracer, tracefs: Path, tmp_path: Path, command: Sequence[str]
) -> None:
    traced = trace(*command, prefix=FIXED, capture_output=False, **NOWHERE)
    ours = {name: traced.entered_ring_0(name) for name, _, _ in traced.rows}
    ours["execve"] -= 1
    events = {name: tracepoints(tracefs)[name] for name in ours}
    assert len(events) >= 10
    perf = perf_counts(list(events.values()), command, tmp_path / "perf")
    assert {name: perf[event] for name, event in events.items()} == ours
