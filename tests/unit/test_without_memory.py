"""Processes of which nothing is to be read: they have ended, or keep it from us."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from systrace import proc
from systrace.errors import SystraceError
from systrace.tally import Entries
from systrace.target.find import Found
from systrace.target.stop import same_memory
from systrace.vdso import live_patch
from systrace.vdso.live import LiveVdso


@contextmanager
def zombies(count: int) -> Iterator[list[int]]:
    """Processes that have ended, and that nobody has waited for."""
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(["true"])) for _ in range(count)]
        for process in processes:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield [process.pid for process in processes]


def test_what_has_ended_shares_no_memory() -> None:
    with zombies(2) as (one, other):
        assert proc.with_memory(one) is None
        assert not same_memory(one, other)
        assert not same_memory(os.getpid(), other)
    assert same_memory(os.getpid(), os.getpid())


def test_a_process_that_lives_has_its_memory_by_its_first_thread() -> None:
    assert proc.with_memory(os.getpid()) == os.getpid()


class Barren:
    """Seeds that find no thread."""

    def holding(self, _: bool) -> None:
        pass

    def sow(self, *_: object, **__: object) -> int:
        return 0

    def found(self, _: int) -> bool:
        return False


def test_a_process_of_which_no_thread_is_found_is_refused() -> None:
    vdso = LiveVdso("off", print)
    with pytest.raises(SystraceError, match="does not find it"):
        vdso.take(Found(os.getpid(), "python", "python"), Barren())  # type: ignore[arg-type]


def test_a_process_that_has_ended_meanwhile_is_not_refused() -> None:
    vdso = LiveVdso("off", print)
    with zombies(1) as (ended,):
        vdso.take(Found(ended, "true", "true"), Barren())  # type: ignore[arg-type]


def test_a_vdso_that_cannot_be_read_any_more_may_be_patched_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(live_patch, "read_memory", read)
    plan: Any = SimpleNamespace(image=SimpleNamespace(data=b""))
    nothing: Any = None
    seeds: Any = Barren()
    patcher = live_patch.LivePatcher(plan, 0, seeds, nothing)
    found = Found(os.getpid(), "python", "python")
    patcher._patched.append(live_patch.Patched(found, 0, 0, 0, Entries()))
    (warning,) = patcher.let_go()
    assert warning.startswith(f"{os.getpid()} may keep its patched vDSO")
