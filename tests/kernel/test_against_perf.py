"""Every count is perf's."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from .perf import FIXED, NOWHERE, mount_tracefs, perf_counts
from .tracing import Tracer

pytestmark = pytest.mark.exact

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
    return mount_tracefs()


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
