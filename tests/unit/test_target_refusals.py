"""What a process, or its vDSO, may not allow: each said in a line, and nothing done to it."""

import errno
import io
import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from systrace import bpf, perf_event, proc
from systrace.errors import SystraceError, UnsupportedError, UsageError
from systrace.ptrace import Registers
from systrace.tally import Entries
from systrace.target import find
from systrace.target.attached import AWAITED, Attached
from systrace.target.find import Found
from systrace.vdso import breakpoint as breakpoints
from systrace.vdso import image, patch, place, remove
from systrace.vdso.breakpoint import BreakpointError, Breakpoints
from systrace.vdso.guard import Guard
from systrace.vdso.image import Function, Image
from systrace.vdso.live import LiveVdso
from systrace.vdso.patch import CounterPages, UnpatchableError
from systrace.vdso.remove import NotRemovedError
from systrace.vdso.x86_64 import Plan

from .failing import fails, refused

FUNCTION = Function("clock_gettime", 0, 16)
PLAN = Plan(Image(b"\x90" * 16, (FUNCTION,), range(16)), (), {})


@pytest.fixture
def ended() -> Found:
    with subprocess.Popen(["true"]) as process:
        pass
    return Found(process.pid, "tr\nue", str(process.pid))


@pytest.fixture
def _awaited() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.usefixtures("_awaited")
def test_a_process_that_has_just_ended_is_refused(ended: Found) -> None:
    with refused(SystraceError, f"cannot attach to $'tr\\x0aue' ({ended.pid}): No such process"):
        Attached((ended,), None)


def test_a_name_of_which_none_can_be_counted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_refusal", lambda _: "it is busy")
    with subprocess.Popen(["sleep", "60"]) as process:
        with refused(SystraceError, "cannot attach to 'sleep': it is busy"):
            find.find(["sleep"])
        process.kill()


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("no such program", "`ps -e` lists those there are"),
        ("/", "`ps -e` lists those there are"),
        ("99999998,99999999", "several are separated by blanks:\n  "),
        ("./no-such-program", "a program is given by its name, without its path:\n  "),
    ],
)
def test_a_name_that_nobody_has_comes_with_what_was_meant(word: str, hint: str) -> None:
    with refused(UsageError, f"there is no process {word!r}; {hint}"):
        find.find([word])


def test_a_process_that_ends_while_it_is_patched_is_said_to_have_ended(ended: Found) -> None:
    said: list[str] = []
    vdso = LiveVdso("patch", said.append)
    vdso._plan = PLAN
    seeds: Any = None
    with refused(SystraceError, f"cannot attach to $'tr\\x0aue' ({ended.pid}): it has ended"):
        vdso.take(ended, seeds)
    assert said == []


def test_attach_has_no_uprobes() -> None:
    with refused(UnsupportedError, "--vdso uprobe needs a program that systrace starts"):
        LiveVdso("uprobe", print)


def test_a_guard_that_was_killed_is_said_to_be_and_is_no_hang() -> None:
    patcher: Any = None
    guard = Guard(patcher)
    os.kill(guard._pid, signal.SIGKILL)
    with refused(UnpatchableError, "systrace's guard process was killed"):
        guard.patch(Found(1, "init", "1"))
    assert guard.let_go() == [
        "patched vDSOs may not be restored: systrace's guard process was killed"
    ]


def some_breakpoints() -> Breakpoints:
    made = object.__new__(Breakpoints)
    made.functions = (FUNCTION,)
    made._events, made._ended, made._program = {}, [], 0
    return made


class Zeroed:
    """A map whose values are put back to 0."""

    def __setitem__(self, key: object, value: object) -> None:
        assert getattr(value, "value", None) == 0


class Calibration:
    """Of calls that take no time."""

    def call_ns(self, *_: Any) -> float:
        return 0.0

    def once_ns(self, *_: Any) -> float:
        return 0.0


def test_a_machine_without_breakpoints_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calibration: Any = Calibration()
    monkeypatch.setattr(breakpoints, "own_address", lambda: 0)
    monkeypatch.setattr(perf_event, "open_breakpoint", fails(errno.ENOENT))
    with refused(UnsupportedError, "this machine has no breakpoint: No such file"):
        some_breakpoints()._try(calibration)


def test_a_kernel_that_keeps_events_to_cap_sys_admin_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paranoid").write_text("3\n")
    monkeypatch.setattr(perf_event, "_PARANOID", tmp_path / "paranoid")
    refused_ = OSError(errno.EACCES, "Permission denied")
    assert perf_event.reason(refused_) == (
        "Permission denied (it takes CAP_SYS_ADMIN, for kernel.perf_event_paranoid is 3)"
    )
    assert perf_event.reason(OSError(errno.ENOENT, "gone")) == "gone"
    (tmp_path / "paranoid").write_text("2\n")
    assert perf_event.reason(refused_) == "Permission denied"


def test_breakpoints_that_miss_a_call_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calibration: Any = Calibration()
    made: Any = some_breakpoints()
    made._entries = Zeroed()
    monkeypatch.setattr(breakpoints, "own_address", lambda: 0)
    monkeypatch.setattr(perf_event, "open_breakpoint", lambda *_, **__: os.open("/", os.O_PATH))
    monkeypatch.setattr(made, "read", lambda: Entries({}, {"clock_gettime": {0: 210}}))
    with refused(UnsupportedError, "breakpoints miss calls on this machine: 210 of 211 were seen"):
        made._try(calibration)


def test_a_process_that_gets_no_breakpoint_has_none_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_event, "open_breakpoint", fails(errno.ENOSPC))
    made = some_breakpoints()
    with refused(BreakpointError, "it gets no breakpoint: No space left on device"):
        made.hold(1, 4096)
    assert not made.holds(1)
    monkeypatch.setattr(perf_event, "open_breakpoint", fails(errno.ESRCH))
    made.hold(1, 4096)  # it died: nobody's fault
    assert not made.holds(1)
    monkeypatch.setattr(perf_event, "open_breakpoint", lambda *_, **__: os.open("/", os.O_PATH))
    monkeypatch.setattr(perf_event, "move_breakpoint", fails(errno.ENOSPC))
    monkeypatch.setattr(perf_event, "read_count", lambda _: 0)
    made.hold(1, 4096)
    with refused(BreakpointError, "it gets no breakpoint: No space left on device"):
        made.move(1, 8192)
    assert not made.holds(1)


def test_a_vdso_that_is_nowhere_or_without_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with refused(UnsupportedError, "the vDSO has no syscall instruction to borrow"):
        _ = PLAN.image.syscall_offset
    monkeypatch.setattr(image, "own_address", lambda: 4096)
    with refused(UnsupportedError, "our own vDSO is not in /proc/self/maps"):
        image.own_bytes()


def test_counters_that_are_not_there_are_not_opened() -> None:
    with refused(UnpatchableError, "its counters cannot be opened: "):
        CounterPages(PLAN, os.getpid(), 4096)


class Refuses:
    """An injector whose target may map nothing."""

    tid = 0
    call = staticmethod(fails(errno.ENOMEM))


def test_a_process_that_may_map_nothing_is_not_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    injector: Any = Refuses()
    monkeypatch.setattr(place, "choose", lambda *_: 2**40)
    with refused(UnpatchableError, "it may not map memory: Cannot allocate memory"):
        patch.map_block(os.getpid(), PLAN, 2**40, injector)
    shared = object.__new__(CounterPages)
    shared.address = 4096
    with refused(UnpatchableError, "it may not map memory: Cannot allocate memory"):
        patch.part(PLAN, injector, shared)
    monkeypatch.setattr(place, "choose", lambda *_: None)
    with refused(UnpatchableError, "there is no room within 2 GiB of its vDSO"):
        patch.map_block(os.getpid(), PLAN, 2**40, injector)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0, 0, 0, 33, 4096, 0, 0), "its auxiliary vector is not the kernel's"),
        ((0, 0, 0, 33, 4096), "its auxiliary vector was not found on its stack"),
        ((2**63,), "its auxiliary vector was not found on its stack"),
        ((), "its auxiliary vector was not found on its stack"),
    ],
)
def test_a_vector_that_is_not_the_kernels_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, words: tuple[int, ...], said: str
) -> None:
    registers = Registers(rsp=0, cs=patch.CS_64)
    stack = struct.pack(f"={len(words)}Q", *words)
    monkeypatch.setattr(proc, "read", lambda *_: b"\6")
    monkeypatch.setattr(proc, "memory", lambda *_: io.BytesIO(stack))
    with pytest.raises(NotRemovedError, match=f"^{said}$"):
        remove.remove(1, registers)
    assert stack == struct.pack(f"={len(words)}Q", *words)


def test_a_memory_that_cannot_be_opened_keeps_its_vdso(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "read", lambda *_: b"\6")
    monkeypatch.setattr(proc, "memory", fails(errno.ENOENT))
    with pytest.raises(NotRemovedError, match=r"^its memory cannot be written: No such file"):
        remove.remove(1, Registers(rsp=0, cs=patch.CS_64))


def test_where_membarrier_is_refused_a_moment_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    bpf.await_programs()
    assert slept == []
    monkeypatch.setattr(bpf, "_MEMBARRIER_CMD_GLOBAL", 1 << 30)
    bpf.await_programs()
    assert slept == [bpf._AT_WORK_S]
