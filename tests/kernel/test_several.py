"""Several who watch at once: systrace twice, systrace under systrace, and debuggers."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .attaching import ATTACHED, CALLS, attach_argv, attached, round_of, tracer_of
from .leftovers import nothing_left
from .live import Live, started
from .tracing import Tracer, example

Build = Callable[..., str]

BURST = 1_009


@pytest.fixture
def other(tmp_path: Path) -> Tracer:
    """The same for a second systrace, with a report of its own."""
    directory = tmp_path / "other"
    directory.mkdir()
    return Tracer(directory)


def bursts(live: Live, count: int) -> None:
    """Let a ``bursts`` make so many times its 1,009 calls."""
    for _ in range(count):
        live.tell("go")
        assert live.line() == "done"


@pytest.mark.exact
def test_two_runs_at_once_count_each_its_own(trace: Tracer, other: Tracer, build: Build) -> None:
    with (
        nothing_left() as environment,
        started(*trace.argv(build("bursts")), env=environment) as one,
        started(*other.argv(build("bursts")), env=environment) as two,
    ):
        bursts(one, 2)
        bursts(two, 3)
        bursts(one, 5)
        for live in (one, two):
            os.kill(live.target(), signal.SIGTERM)
        counts = [one.end(trace).count("getppid"), two.end(other).count("getppid")]
    assert counts == [7 * BURST, 3 * BURST]


@pytest.mark.exact
def test_attached_to_the_target_of_another_both_are_exact(
    trace: Tracer, other: Tracer, build: Build
) -> None:
    argv = trace.argv(build("on_signal"))
    with nothing_left() as environment, started(*argv, env=environment) as run:
        assert run.line() == "ready"
        target = run.target()
        with attached(other, target) as second:
            os.kill(target, signal.SIGUSR1)
            assert run.line() == "done"
            half = second.detach()
        os.kill(target, signal.SIGUSR1)
        assert run.line() == "done"
        assert tracer_of(target) == run.process.pid
        os.kill(target, signal.SIGTERM)
        whole = run.end(trace)
    assert half.report["probes"]["vdso"] == "breakpoint"
    assert any("traces it already" in line for line in half.warnings)
    assert half.count("clock_gettime", "vdso") == CALLS
    assert whole.count("clock_gettime", "vdso") == 2 * CALLS


@pytest.mark.exact
def test_a_systrace_that_another_counts_is_as_exact_as_that(trace: Tracer, other: Tracer) -> None:
    inner = other.argv(example("getppid"), "10007")
    with nothing_left() as environment:
        outside = trace(*inner, options=("-P", "--vdso", "off"), env=environment)
    inside = other.read(outside.process)
    assert outside.process.returncode == 0
    (target,) = (found for found in outside.report["processes"] if found["comm"] == "getppid")
    (calls,) = (call["count"] for call in target["calls"] if call["name"] == "getppid")
    assert calls == inside.count("getppid") == 10_007
    assert inside.warnings == []
    # its own calls are the outer one's to count, and not its own
    assert outside.count("bpf") > 0 == inside.count("bpf")


def test_under_a_systrace_that_traces_it_another_is_refused_in_two_lines(
    trace: Tracer, other: Tracer
) -> None:
    with nothing_left() as environment:
        outside = trace(*other.argv("true"), env=environment)
    assert outside.process.returncode == 125
    assert not other.output.exists()
    first, second = outside.process.stderr.decode().splitlines()
    assert first.startswith("systrace: cannot trace the command: ")
    assert second


@pytest.mark.exact
def test_attached_to_a_systrace_neither_it_nor_its_target_notices(
    trace: Tracer, other: Tracer, build: Build
) -> None:
    argv = trace.argv(build("bursts"))
    with nothing_left() as environment, started(*argv, env=environment) as run:
        bursts(run, 1)
        target = run.target()
        with attached(other, run.process.pid) as second:
            bursts(run, 3)
            second.detach()
        bursts(run, 1)
        os.kill(target, signal.SIGTERM)
        traced = run.end(trace)
    assert traced.count("getppid") == 5 * BURST
    assert traced.warnings == []


@pytest.mark.exact
def test_a_process_that_gdb_runs_is_counted_and_stays_gdbs(trace: Tracer, target: Live) -> None:
    pid = target.process.pid
    gdb = ("gdb", "-nx", "-batch", "-p", str(pid), "-ex", "handle SIGUSR1 nostop noprint pass")
    with subprocess.Popen(
        [*gdb, "-ex", "echo attached\\n", "-ex", "continue"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as debugger:
        assert debugger.stdout
        assert any(line == b"attached\n" for line in debugger.stdout)
        argv = attach_argv(trace, str(pid))
        with nothing_left() as environment, started(*argv, env=environment) as systrace:
            while not systrace.shown().startswith(ATTACHED):
                pass
            round_of(target)
            systrace.process.send_signal(signal.SIGINT)
            traced = systrace.end(trace)
        assert tracer_of(pid) == debugger.pid
        round_of(target)
        debugger.terminate()
    assert traced.count("clock_gettime", "vdso") == CALLS
    assert any("gdb" in line and "traces it already" in line for line in traced.warnings)
    round_of(target)
