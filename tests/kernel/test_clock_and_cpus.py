"""Clocks that jump, and CPUs that go and come back."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .attaching import ATTACHED, CALLS, attach_argv, attached
from .leftovers import nothing_left
from .live import Live, started
from .tracing import SYSTRACE, Tracer, example

# as clock_gettime has it for whoever lives in that time namespace; the kernel's own stays
AHEAD_S = 100_003
# a clock never goes below 0, and a machine may have been started just now
BEHIND_S = min(1_009, int(time.monotonic()) // 2)
AHEAD = ("unshare", "-T", "--fork", "--kill-child", "--monotonic", str(AHEAD_S))
BEHIND = ("unshare", "-T", "--fork", "--kill-child", "--monotonic", str(-BEHIND_S))
SANE_NS = 1_000 * 10**9

CPUS = Path("/sys/devices/system/cpu")


@pytest.mark.parametrize("namespace", [AHEAD, BEHIND], ids=["ahead", "behind"])
def test_in_a_time_namespace_intervals_come_and_have_the_lengths_they_have(
    trace: Tracer, namespace: tuple[str, ...]
) -> None:
    argv = trace.argv("sh", "-c", "read line; exit 3", options=("-i", "0.05", "-F", "json"))
    with started(*namespace, *(word for word in argv if word != "-q")) as live:
        reports = live.reports()
        spans = [next(reports)["elapsed_ns"] for _ in range(3)]
        live.end_input()
        for report in reports:
            spans.append(report["elapsed_ns"])
    assert all(0 <= span < SANE_NS for span in spans)
    assert spans[-1] >= sum(spans[:3])  # the whole run
    (process,) = report["processes"]
    assert 0 <= process["started_ns"] <= process["ended_ns"] < SANE_NS


@pytest.mark.parametrize("namespace", [AHEAD, BEHIND], ids=["ahead", "behind"])
def test_in_a_time_namespace_what_is_attached_to_ends_when_it_does(
    trace: Tracer, target: Live, namespace: tuple[str, ...]
) -> None:
    with started(*namespace, *attach_argv(trace, str(target.process.pid))) as systrace:
        while not systrace.shown().startswith(ATTACHED):
            pass
        target.process.terminate()
        traced = systrace.end(trace)
    (process,) = traced.report["processes"]
    assert 0 < process["ended_ns"] < SANE_NS
    assert traced.report["elapsed_ns"] < SANE_NS


def test_a_program_in_a_time_namespace_is_counted_to_the_last_call(trace: Tracer) -> None:
    traced = trace(*AHEAD, example("vdso_all"))
    assert traced.count("clock_gettime", "vdso") == 10_007
    assert traced.count("clock_gettime", "vdso-fallback") == 1_009
    assert traced.report["elapsed_ns"] < SANE_NS


def test_systrace_reads_the_time_of_day_once_however_long_it_traces(tmp_path: Path) -> None:
    """So that a clock that is set meanwhile changes nothing: systrace counted by systrace."""
    outer = Tracer(tmp_path)
    found = []
    for intervals in (1, 2, 23):  # the first one fills caches
        inner = [str(SYSTRACE), "run", "-F", "json", "-i", "0.02", "sh", "-c", "read line"]
        argv = outer.argv(*inner, options=("--no-follow", "-e", "clock_gettime,gettimeofday,time"))
        with started(*argv) as live:
            reports = live.reports()
            for _ in range(intervals):
                next(reports)
            live.tell("enough")
            for _ in reports:
                pass
            clocks = live.end(outer).row("clock_gettime", "vdso")["by_clock"]
        assert clocks["CLOCK_MONOTONIC"] > 0
        found.append(clocks["CLOCK_REALTIME"])
    assert found[1] == found[2] > 0


@pytest.fixture
def cpu() -> Iterator[Path | None]:
    """The switch of a CPU that is off-line; None on a machine where none can be.

    The counts have to be exact there, too.
    """
    switch = max(CPUS.glob("cpu[0-9]*/online"), default=None)
    try:
        if switch is not None:
            switch.write_text("0")
    except OSError:
        switch = None
    try:
        yield switch
    finally:
        if switch is not None:
            switch.write_text("1")


def flip(cpu: Path | None) -> None:
    if cpu is not None:
        cpu.write_text("01"[cpu.read_text() == "0\n"])


@pytest.mark.exact
@pytest.mark.parametrize(("mode", "rounds"), [("patch", 3), ("breakpoint", 1)])
def test_attached_counts_are_exact_while_a_cpu_comes_and_goes(
    trace: Tracer, target: Live, cpu: Path | None, mode: str, rounds: int
) -> None:
    with attached(trace, target.process.pid, options=("--vdso", mode)) as systrace:
        for _ in range(rounds):
            target.process.send_signal(signal.SIGUSR1)
            flip(cpu)
            assert target.line() == "done"
        traced = systrace.detach()
    assert traced.count("clock_gettime", "vdso") == rounds * CALLS


@pytest.mark.exact
def test_a_run_that_begins_without_a_cpu_is_exact_when_that_comes_and_goes(
    trace: Tracer, cpu: Path | None
) -> None:
    calls = 200_003
    argv = trace.argv(example("threads"), str(calls))
    with nothing_left() as environment, started(*argv, env=environment) as live:
        for _ in range(3):
            flip(cpu)
        traced = live.end(trace)
    assert traced.process.returncode == 0
    assert traced.row("getppid")["count"] == calls
    assert traced.row("close")["errors"] == {"EBADF": calls}
