"""attach: a process whose first thread has ended, and its memory with it, while others go on."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .attaching import MODES, attached, mappings, tracer_of, vdso_bytes
from .live import Live, started
from .tracing import HANGS_S, SYSTRACE, Tracer

Build = Callable[..., str]

ROUND = 1_009


def a_round(live: Live) -> None:
    live.tell("go")
    assert live.line() == "done"


def await_true(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANGS_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def has_ended(pid: int) -> bool:
    """Whether the first thread has; there may be others."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"


@contextmanager
def two_threads(build: Build, *words: str) -> Iterator[tuple[Live, int]]:
    """A leaderless that is ready, and the tid of the thread that goes on."""
    with started(build("leaderless"), *words) as live:
        assert live.line() == "ready"
        pid = live.process.pid
        if not words:
            await_true(lambda: has_ended(pid))
        (tid,) = {int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()} - {pid}
        yield live, tid


def end_the_first(live: Live) -> None:
    live.process.send_signal(signal.SIGUSR1)
    await_true(lambda: has_ended(live.process.pid))


def guard_of(systrace: Live) -> int:
    pid = systrace.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (guard,) = (
        int(child)
        for child in children
        if Path(f"/proc/{child}/comm").read_text() == "systrace-guard\n"
    )
    return guard


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
def test_calls_go_on_being_counted_when_the_first_thread_ends(
    trace: Tracer, build: Build, mode: str
) -> None:
    with two_threads(build, "later") as (live, tid):
        before = vdso_bytes(tid)
        with attached(trace, live.process.pid, options=("--vdso", mode)) as systrace:
            a_round(live)
            end_the_first(live)
            a_round(live)
            traced = systrace.detach()
        assert vdso_bytes(tid) == before
        assert tracer_of(tid) == 0
        a_round(live)
    assert traced.row("clock_gettime", "vdso")["count"] == 2 * ROUND
    assert (traced.totals["processes"], traced.totals["threads"]) == (1, 2)


@pytest.mark.exact
@pytest.mark.parametrize("mode", ["auto", *MODES])
def test_without_a_first_thread_calls_are_counted_to_the_last_one(
    trace: Tracer, build: Build, mode: str
) -> None:
    with two_threads(build) as (live, tid):
        before, mapped = vdso_bytes(tid), mappings(tid)
        for _ in range(2):
            with attached(trace, live.process.pid, options=("--vdso", mode)) as systrace:
                a_round(live)
                traced = systrace.detach()
            assert traced.row("clock_gettime", "vdso")["count"] == ROUND
            assert traced.report["probes"]["vdso"] == mode.replace("auto", "patch")
            assert traced.totals["threads"] == 1
            assert vdso_bytes(tid) == before
        # the second attach has used the first one's pages
        assert len(mappings(tid) - mapped) == (0 if mode == "breakpoint" else 2)


def test_a_debugged_process_without_a_first_thread_is_counted_by_breakpoints(
    trace: Tracer, build: Build
) -> None:
    with (
        two_threads(build) as (live, tid),
        subprocess.Popen(
            ["strace", "-o", "/dev/null", "-p", str(tid)], stderr=subprocess.PIPE
        ) as strace,
    ):
        assert strace.stderr
        assert b"attached" in strace.stderr.readline()
        with attached(trace, live.process.pid) as systrace:
            a_round(live)
            traced = systrace.detach()
        strace.terminate()
    assert traced.row("clock_gettime", "vdso")["count"] == ROUND
    assert traced.report["probes"]["vdso"] == "breakpoint"


def test_a_killed_systrace_restores_what_has_no_first_thread(trace: Tracer, build: Build) -> None:
    with two_threads(build, "later") as (live, tid):
        before = vdso_bytes(tid)
        with attached(trace, live.process.pid) as systrace:
            assert vdso_bytes(tid) != before
            end_the_first(live)
            systrace.process.kill()
        await_true(lambda: vdso_bytes(tid) == before)
        a_round(live)


def test_the_next_attach_takes_over_what_a_killed_guard_left(trace: Tracer, build: Build) -> None:
    with two_threads(build, "later") as (live, tid):
        before = vdso_bytes(tid)
        with attached(trace, live.process.pid, options=("--vdso", "patch")) as systrace:
            os.kill(guard_of(systrace), signal.SIGKILL)
            systrace.process.kill()
        end_the_first(live)
        assert vdso_bytes(tid) != before
        a_round(live)
        with attached(trace, live.process.pid, options=("--vdso", "patch")) as systrace:
            a_round(live)
            traced = systrace.detach()
        assert vdso_bytes(tid) == before
    assert traced.row("clock_gettime", "vdso")["count"] == ROUND


def test_what_shares_its_memory_with_a_process_without_a_first_thread_is_not_patched(
    trace: Tracer, build: Build
) -> None:
    with started(build("shares")) as shares:
        other = int(shares.line())
        assert shares.line() == "ready"
        await_true(lambda: has_ended(other))
        with attached(trace, shares.process.pid) as systrace:
            a_round(shares)
            traced = systrace.detach()
        shares.end_input()
    assert traced.row("clock_gettime", "vdso")["count"] == ROUND
    assert any(f"process {other} shares its memory" in line for line in traced.warnings)


def test_the_proc_of_another_pid_namespace_is_refused() -> None:
    """Its numbers are other processes' here, or nobody's."""
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", str(SYSTRACE), "attach", str(os.getpid())],
        check=False,
        capture_output=True,
        timeout=HANGS_S,
    )
    assert done.returncode == 125
    assert b"attach needs the /proc of the pid namespace" in done.stderr
