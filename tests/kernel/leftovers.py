"""What a systrace may leave behind: objects in the kernel, and processes that it started."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from systrace.vdso import image, kept, x86_64

from .attaching import vdso_bytes
from .bpf_objects import bpf_objects, open_objects
from .tracing import HANGS_S

_MARK = "SYSTRACE_TEST_MARK"
_PINS = Path("/sys/fs/bpf")
_EVENTS = [Path(f"/sys/kernel/tracing/{kind}_events") for kind in ("kprobe", "uprobe")]
_EXITING = 0x4  # PF_EXITING, include/linux/sched.h
_AGAIN_S = 0.02


def await_gone(before: set[tuple[str, int]]) -> None:
    """No program, map or link is there that was not, and that nobody alive has open.

    The kernel frees them when it gets round to it. A perf event holds its program: where no
    program is left, there is no such event.
    """
    deadline = time.monotonic() + HANGS_S
    while left := bpf_objects() - before - open_objects():
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


@contextmanager
def nothing_left() -> Iterator[dict[str, str]]:
    """Yields an environment for a systrace; in the end, all that it made and started is gone.

    Whatever runs under it must end by itself: who is stopped never does. Meanwhile nobody may run
    whose vDSO is patched by half.
    """
    mark = os.urandom(8).hex()
    before, pins, events = bpf_objects(), _pinned(), _traced()
    try:
        yield {**os.environ, _MARK: mark}
        deadline = time.monotonic() + HANGS_S
        while left := list(_marked(mark)):
            for pid in left:
                assert not is_half_prepared(pid), _told(pid)
            assert time.monotonic() < deadline, [_told(pid) for pid in left]
            time.sleep(0.001)
    finally:
        for pid in _marked(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    await_gone(before)
    assert _pinned() == pins
    assert _traced() == events


def _marked(mark: str) -> Iterator[int]:
    """Who has the mark in its environment; a zombie has none."""
    wanted = f"{_MARK}={mark}".encode()
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            with suppress(OSError):
                if wanted in (directory / "environ").read_bytes().split(b"\0"):
                    yield int(directory.name)


def _pinned() -> set[str]:
    return {str(path) for path in _PINS.rglob("*")}


def _traced() -> list[str]:
    """Probes of tracefs that name systrace."""
    lines = [line for file in _EVENTS if file.exists() for line in file.read_text().splitlines()]
    return [line for line in lines if "systrace" in line]


def _told(pid: int) -> str:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        wanted = ("Name", "State", "TracerPid", "SigPnd", "ShdPnd")
        return " ".join(line for line in lines if line.startswith(wanted))
    return f"{pid} is gone"


def is_half_prepared(pid: int) -> bool:
    """Whether a process runs, some of whose vDSO's functions are patched, and others not."""
    for _ in range(2):
        if not _is_half_patched(pid) or _is_ending(pid):
            return False
        time.sleep(_AGAIN_S)
    return True


def _is_half_patched(pid: int) -> bool:
    vdso = image.parse(image.own_bytes() or b"")
    entries = [
        slice(offset, offset + x86_64.JUMP_BYTES)
        for offset in (t.function.offset for t in kept.plan(vdso).trampolines)
    ]
    try:
        found = vdso_bytes(pid)
    except (OSError, StopIteration, ValueError):
        return False  # it has ended, or has no vDSO
    patched = sum(found[entry] != vdso.data[entry] for entry in entries)
    return 0 < patched < len(entries)


def _is_ending(pid: int) -> bool:
    """Whether SIGKILL has come, or the process is at its exit."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        flags = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[6])
    except OSError:
        return True
    pending = [
        int(line.split()[1], 16)
        for line in status.splitlines()
        if line.startswith(("SigPnd", "ShdPnd"))
    ]
    killed = 1 << (signal.SIGKILL - 1)
    return bool(flags & _EXITING) or any(mask & killed for mask in pending)
