"""attach: the calls of a process are counted from one moment to one other, of whatever kind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from .attaching import MODES, attach_argv, attached
from .live import started
from .tracing import HANGS_S, SLOWNESS, Tracer, changed_systrace

Build = Callable[..., str]

SEVERAL = 6
LOOK_S = 0.1 * min(SLOWNESS, 10)  # for some rounds of every process


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, SEVERAL])
def test_both_kinds_of_calls_are_counted_in_one_window(
    trace: Tracer, build: Build, mode: str, count: int
) -> None:
    """While others are held, too: a call that a signal ends then has ended all the same."""
    with ExitStack() as stack:
        programs = [stack.enter_context(started(build("tenfold"))) for _ in range(count)]
        assert all(program.line() == "ready" for program in programs)
        pids = [program.process.pid for program in programs]
        with attached(trace, *pids, options=("-P", "--vdso", mode)) as systrace:
            time.sleep(LOOK_S)
            traced = systrace.detach()
    assert traced.row("rt_sigsuspend")["unfinished"] <= count
    processes = traced.report["processes"]
    assert sorted(process["pid"] for process in processes) == sorted(pids)
    for process in processes:
        counts = {call["name"]: call["count"] for call in process["calls"]}
        rounds = counts["getppid"]
        assert rounds > 10
        # it may be held in the middle of a round
        assert abs(counts["clock_gettime"] - 10 * rounds) <= 10
        assert abs(counts["rt_sigsuspend"] - rounds) <= 1
        assert abs(counts["rt_sigreturn"] - rounds) <= 1


@pytest.mark.exact
def test_a_call_that_a_signal_ends_while_its_thread_is_held_has_ended(
    trace: Tracer, build: Build
) -> None:
    """Where systrace has to let go and try again, too: no call is left unfinished for good."""
    # each process is held at once in the beginning, and in the end at the sixth try
    late = (
        "from collections import Counter; from systrace.target import stop\n"
        "tries, gather = Counter(), stop.Stop.gather\n"
        "def gather_late(self):\n"
        "    gather(self)\n"
        "    tries[self.pid] += 1\n"
        "    if 1 < tries[self.pid] < 7: raise stop.AgainError('late')\n"
        "stop.Stop.gather = gather_late"
    )
    with ExitStack() as stack:
        programs = [stack.enter_context(started(build("tenfold"))) for _ in range(SEVERAL)]
        assert all(program.line() == "ready" for program in programs)
        pids = [str(program.process.pid) for program in programs]
        options = ("-d", "300ms", "--vdso", "breakpoint")
        argv = changed_systrace(late, attach_argv(trace, *pids, options=options))
        done = subprocess.run(argv, check=True, capture_output=True, timeout=HANGS_S)
        traced = trace.read(done)
    row = traced.row("rt_sigsuspend")
    assert row["unfinished"] <= SEVERAL
    assert row["count"] == row["unfinished"] + row["restarted"] > SEVERAL


FORKS_AT_A_SIGNAL = """
import os, signal, time
def fork(*_):
    if pid := os.fork(): print(pid, flush=True)
signal.signal(signal.SIGUSR1, fork)
print('ready', flush=True)
while True:
    for _ in range(100): time.time_ns()
    os.getppid()
    time.sleep(0.001)
"""


@pytest.mark.exact
def test_what_was_forked_after_an_earlier_attach_is_counted_apart(trace: Tracer) -> None:
    with started("/usr/bin/python3", "-S", "-c", FORKS_AT_A_SIGNAL) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid) as systrace:
            systrace.detach()
        python.process.send_signal(signal.SIGUSR1)
        pids = python.process.pid, int(python.line())
        try:
            with attached(trace, *pids, options=("-P",)) as systrace:
                time.sleep(LOOK_S)
                traced = systrace.detach()
        finally:
            os.kill(pids[1], signal.SIGKILL)
    assert [process["pid"] for process in traced.report["processes"]] == [*pids]
    for process in traced.report["processes"]:
        counts = {call["name"]: call["count"] for call in process["calls"]}
        # time.sleep looks at the clock too
        each = counts["clock_gettime"] / counts["getppid"]
        assert counts["getppid"] > 10
        assert 90 < each < 115


def test_what_another_systrace_counts_with_its_parent_gets_breakpoints(
    trace: Tracer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    second = Tracer(tmp_path / "other")
    with started("/usr/bin/python3", "-S", "-c", FORKS_AT_A_SIGNAL) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid) as systrace:
            python.process.send_signal(signal.SIGUSR1)
            child = int(python.line())
            try:
                with attached(second, child) as other:
                    time.sleep(LOOK_S)
                    held = other.detach()
            finally:
                os.kill(child, signal.SIGKILL)
            systrace.detach()
    assert held.report["probes"]["vdso"] == "breakpoint"
    assert any("patched what it was forked from" in line for line in held.warnings)
    assert 90 < held.count("clock_gettime", "vdso") / held.count("getppid") < 115


def test_what_is_said_to_have_elapsed_is_what_was_counted(trace: Tracer, build: Build) -> None:
    """A thread in vfork cannot be held, which is tried for more than a second."""
    with started(build("in_vfork")) as live:
        assert live.line() == "ready"
        argv = attach_argv(trace, str(live.process.pid), options=("-d", "500ms"))
        began_s = time.time()
        traced = trace.read(subprocess.run(argv, check=False, capture_output=True, timeout=HANGS_S))
        took_s = time.time() - began_s
        live.end_input()
    began = datetime.fromisoformat(traced.report["started"].replace("Z", "+00:00")).timestamp()
    elapsed_s = traced.report["elapsed_ns"] / 1e9
    assert 0.5 <= elapsed_s < took_s - 1
    assert began > began_s + 1
