"""attach: a process is left as it was found, and goes on as if nothing had happened."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from .attaching import (
    CALLS,
    MODES,
    attached,
    mappings,
    round_of,
    tracer_of,
    vdso_bytes,
)
from .bpf_objects import bpf_objects
from .leftovers import await_gone
from .live import Live, started
from .tracing import HANGS_S, SLOWNESS, Tracer, example

Build = Callable[..., str]

SERVER_ROUNDS = int(os.environ.get("SYSTRACE_ROUNDS", "5"))


def test_detached_the_vdso_is_the_kernels_and_two_mappings_stay(
    trace: Tracer, target: Live
) -> None:
    pid = target.process.pid
    bytes_before, mappings_before, objects = vdso_bytes(pid), mappings(pid), bpf_objects()
    for _ in range(3):
        with attached(trace, pid) as systrace:
            assert vdso_bytes(pid) != bytes_before
            round_of(target)
            assert systrace.detach().row("clock_gettime", "vdso")["count"] == CALLS
        assert vdso_bytes(pid) == bytes_before
        assert tracer_of(pid) == 0
        # code and counters, once and for all
        assert len(mappings(pid) - mappings_before) == 2
    assert mappings_before <= mappings(pid)
    await_gone(objects)


def test_with_breakpoints_nothing_in_the_target_changes(trace: Tracer, target: Live) -> None:
    pid = target.process.pid
    before = vdso_bytes(pid), mappings(pid)
    with attached(trace, pid, options=("--vdso", "breakpoint")) as systrace:
        assert (vdso_bytes(pid), mappings(pid)) == before
        traced = systrace.detach()
    assert any("getcpu" in line and "were not counted" in line for line in traced.warnings)
    assert any("us longer" in line for line in traced.warnings)
    assert (vdso_bytes(pid), mappings(pid)) == before


@pytest.mark.parametrize("moment", ["at work", "at rest"])
def test_a_killed_systrace_restores_what_it_patched(
    trace: Tracer, target: Live, moment: str
) -> None:
    pid = target.process.pid
    before, objects = vdso_bytes(pid), bpf_objects()
    with attached(trace, pid) as systrace:
        if moment == "at work":
            target.process.send_signal(signal.SIGUSR1)
        systrace.process.kill()
    if moment == "at work":
        assert target.line() == "done"
    deadline = time.monotonic() + HANGS_S
    while vdso_bytes(pid) != before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    await_gone(objects)
    assert tracer_of(pid) == 0
    round_of(target)


WAITERS = ("accept", "epoll_wait", "futex", "nanosleep", "read", "recv", "semtimedop")


@pytest.mark.parametrize("mode", [*MODES, "off"])
def test_threads_in_a_call_go_on_as_if_nothing_had_happened(
    trace: Tracer, build: Build, mode: str
) -> None:
    """In calls that the kernel restarts and in such that it does not; twice, with a signal."""
    sleeps_s = min(3 * SLOWNESS, 20)  # longer than both take
    with started(build("blocked"), str(sleeps_s)) as blocked:
        assert blocked.line() == "ready"
        for _ in range(2):
            with attached(trace, blocked.process.pid, options=("--vdso", mode)) as systrace:
                # a signal whose default is to be ignored, and that a tracer would hear of
                blocked.process.send_signal(signal.SIGWINCH)
                traced = systrace.detach()
            assert traced.totals["ring0_calls"] == traced.totals["restarted"] == 0, traced.rows
        blocked.end_input()
        said = sorted(blocked.rest())
    assert said == [
        "accept 0 -",
        "epoll_wait 1 -",
        "futex 0 -",
        "nanosleep 0 -",
        "read 1 -",
        "recv 1 -",
        "semtimedop 0 -",
        f"sigtimedwait {signal.SIGUSR2.value} -",
        f"slept {sleeps_s} -",
    ]


def test_calls_that_end_while_attached_are_counted_by_none(trace: Tracer, build: Build) -> None:
    with started(build("blocked")) as blocked:
        assert blocked.line() == "ready"
        with attached(trace, blocked.process.pid) as systrace:
            blocked.end_input()
            blocked.process.wait(HANGS_S)
            traced = systrace.end(trace)
    assert traced.process.returncode == 0
    for name in ("accept", "epoll_wait", "nanosleep", "read", "recvfrom", "rt_sigtimedwait"):
        assert traced.count(name) == 0
    # what wakes them is counted
    assert traced.count("semtimedop") + traced.count("semop") == 1
    assert traced.row("connect")["count"] == traced.row("exit_group")["count"] == 1


@pytest.mark.parametrize("rounds", [7])
def test_timer_signals_in_the_vdso_do_no_harm(trace: Tracer, build: Build, rounds: int) -> None:
    with started(build("timers"), "5000") as timers:
        assert timers.line() == "ready"
        before = vdso_bytes(timers.process.pid)
        for _ in range(rounds):
            with attached(trace, timers.process.pid) as systrace:
                traced = systrace.detach()
            assert traced.process.returncode == 0
        assert vdso_bytes(timers.process.pid) == before
        timers.end_input()
        in_handler, between = map(int, timers.line().split())
        assert timers.process.wait(HANGS_S) == 0
    assert in_handler > 0
    assert between > 0


def served(server: Live) -> int:
    """How many requests a busy server has answered, all of them well."""
    server.tell("?")
    answered, failed = map(int, server.line().split())
    assert failed == 0
    return answered


def test_a_busy_server_loses_no_request_and_no_call(trace: Tracer) -> None:
    with started(example("serve")) as server:
        assert server.line() == "ready"
        for _ in range(SERVER_ROUNDS):
            with attached(trace, server.process.pid) as systrace:
                before = served(server)
                while (after := served(server)) < before + 100:
                    pass
                traced = systrace.detach()
            by_clock = traced.row("clock_gettime", "vdso")["by_clock"]
            # each of its 8 clients may have been at any place in its request
            assert by_clock["CLOCK_REALTIME"] >= 7 * (after - before - 8)
            assert traced.report["probes"]["vdso"] == "patch", traced.warnings
        assert served(server) > after
