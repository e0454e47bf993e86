"""attach: what runs already is counted to the last call."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .attaching import CALLS, MODES, attach_argv, attached, round_of
from .live import Live, started
from .tracing import EXAMPLES, HANGS_S, VDSO, Traced, Tracer, example

Build = Callable[..., str]


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
def test_eight_threads_are_counted_to_the_last_call(trace: Tracer, target: Live, mode: str) -> None:
    round_of(target)
    with attached(trace, target.process.pid, options=("--vdso", mode)) as systrace:
        round_of(target)
        traced = systrace.detach()
    round_of(target)
    assert traced.process.returncode == 0
    row = traced.row("clock_gettime", "vdso")
    assert (row["count"], row["by_clock"]) == (CALLS, {"CLOCK_MONOTONIC": CALLS})
    assert traced.row("write")["count"] == 1
    # one in flight when we came is counted by none, and the next may have begun
    assert traced.count("rt_sigtimedwait") in {0, 1}
    assert traced.report["probes"]["vdso"] == mode
    assert traced.report["command"] == []
    assert traced.totals["threads"] == 9
    assert traced.report["longest_stop_ns"] > 0


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
def test_a_go_program_is_counted_to_the_last_call(trace: Tracer, mode: str) -> None:
    with started(example("on_signal")) as go:
        assert go.line() == "ready"
        with attached(trace, go.process.pid, options=("--vdso", mode)) as systrace:
            round_of(go)
            traced = systrace.detach()
        round_of(go)
    assert traced.row("clock_gettime", "vdso")["by_clock"]["CLOCK_REALTIME"] == CALLS


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
def test_a_python_program_is_counted_to_the_last_call(trace: Tracer, mode: str) -> None:
    program = str(EXAMPLES / "on_signal.py")
    with started("/usr/bin/python3", "-S", program) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid, options=("--vdso", mode)) as systrace:
            round_of(python)
            traced = systrace.detach()
        round_of(python)
    assert traced.row("clock_gettime", "vdso")["by_clock"]["CLOCK_REALTIME"] == CALLS


def test_what_is_to_be_done_to_a_process_is_said_before(trace: Tracer, target: Live) -> None:
    pid = target.process.pid
    with attached(trace, pid) as systrace:
        (said,) = systrace.said
        assert said == (
            f"systrace: patching {len(VDSO)} vDSO functions of on_signal ({pid}), "
            "restored on exit; --vdso breakpoint or off changes nothing in it"
        )
        systrace.detach()


FORKS = """
import os, sys, time
print('ready', flush=True)
for line in sys.stdin:
    for _ in range(3):
        if os.fork() == 0:
            for _ in range(1009): time.time_ns()
            os._exit(0)
        os.wait()
    for _ in range(503): time.time_ns()
    print('done', flush=True)
"""


def test_children_forked_after_are_counted_and_restored(trace: Tracer) -> None:
    traced = while_it_forks(trace)
    assert traced.row("clock_gettime", "vdso")["by_clock"]["CLOCK_REALTIME"] == 3 * 1_009 + 503
    assert traced.totals["processes"] == 4
    (attached_to,) = traced.report["attached"]
    assert attached_to == {"pid": traced.report["processes"][0]["pid"], "comm": "python3"}
    assert traced.warnings == []


def test_children_forked_after_have_no_breakpoints_and_the_report_says_so(trace: Tracer) -> None:
    traced = while_it_forks(trace, "--vdso", "breakpoint")
    assert traced.row("clock_gettime", "vdso")["by_clock"]["CLOCK_REALTIME"] == 503
    assert (
        "vDSO calls of 3 programs were not counted: breakpoints are not inherited by a fork"
        in traced.warnings
    )
    assert "vdso" in traced.report["incomplete"]


def test_by_process_the_calls_of_children_are_said_to_stand_with_their_parents(
    trace: Tracer,
) -> None:
    traced = while_it_forks(trace, "-P")
    parent, *children = traced.report["processes"]
    counts = [
        sum(call["count"] for call in process["calls"] if call["via"] == "vdso")
        for process in (parent, *children)
    ]
    assert counts == [traced.count("clock_gettime", "vdso"), 0, 0, 0]
    (warning,) = traced.warnings
    assert warning.startswith("vDSO calls of 3 forked processes are shown with the parent's: ")


def test_without_following_no_call_of_a_forked_child_is_counted(trace: Tracer) -> None:
    with started("/usr/bin/python3", "-S", "-c", FORKS) as python:
        assert python.line() == "ready"
        for options in ((), ("--no-follow",), ("--no-follow",), ()):
            with attached(trace, python.process.pid, options=options) as systrace:
                python.tell("go")
                assert python.line() == "done"
                traced = systrace.detach()
            row = traced.row("clock_gettime", "vdso")
            calls = 503 if options else 3 * 1_009 + 503
            assert row["by_clock"]["CLOCK_REALTIME"] == calls
            assert traced.warnings == []


SPAWNS = """
import os, sys
print('ready', flush=True)
for line in sys.stdin:
    os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
    print('done', flush=True)
"""


def test_without_following_a_child_that_shares_memory_at_first_is_said_to_be_in_doubt(
    trace: Tracer,
) -> None:
    with started("/usr/bin/python3", "-S", "-c", SPAWNS) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid, options=("--no-follow",)) as systrace:
            python.tell("go")
            assert python.line() == "done"
            traced = systrace.detach()
    (warning,) = traced.warnings
    assert warning.startswith("vDSO calls of 1 child, if any, were counted with the parent's: ")
    assert traced.report["incomplete"] == ["vdso"]


def while_it_forks(trace: Tracer, *options: str) -> Traced:
    with started("/usr/bin/python3", "-S", "-c", FORKS) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid, options=options) as systrace:
            python.tell("go")
            assert python.line() == "done"
            return systrace.detach()


def test_a_program_that_a_child_executes_has_its_vdso_calls_missing_and_says_so(
    trace: Tracer,
) -> None:
    script = f"echo ready; while read line; do {example('vdso_all')}; echo done; done"
    with started("bash", "-c", script) as shell:
        assert shell.line() == "ready"
        with attached(trace, shell.process.pid) as systrace:
            shell.tell("go")
            assert shell.line() == "done"
            traced = systrace.detach()
    assert traced.row("execve")["count"] == 1
    assert traced.row("clock_gettime", "vdso-fallback")["count"] == 1_009
    assert (
        "vDSO calls of 1 program were not counted: they were started after systrace attached"
        in traced.warnings
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_systrace_ends_the_observation_with_0(
    trace: Tracer, target: Live, number: signal.Signals
) -> None:
    with attached(trace, target.process.pid, options=("--vdso", "off")) as systrace:
        assert systrace.detach(number).process.returncode == 0
    assert target.process.poll() is None


def test_after_the_duration_it_ends_with_0(trace: Tracer, target: Live) -> None:
    argv = attach_argv(trace, str(target.process.pid), options=("-d", "100ms"))
    traced = trace.read(subprocess.run(argv, check=False, capture_output=True, timeout=HANGS_S))
    assert traced.process.returncode == 0
    assert traced.report["elapsed_ns"] >= 100_000_000
    assert target.process.poll() is None


def test_when_the_target_ends_it_ends_with_0(trace: Tracer, target: Live) -> None:
    with attached(trace, target.process.pid) as systrace:
        target.process.terminate()
        traced = systrace.end(trace)
    assert traced.process.returncode == 0
    (process,) = traced.report["processes"]
    assert process["ended_ns"] == traced.report["elapsed_ns"]


def test_a_name_means_every_process_that_has_it(trace: Tracer, build: Build) -> None:
    program = build("on_signal")
    with started(program) as one, started(program) as other:
        assert one.line() == other.line() == "ready"
        pids = sorted((one.process.pid, other.process.pid))
        with attached(trace, "on_signal") as systrace:
            assert systrace.said[0] == (f"systrace: on_signal is 2 processes: {pids[0]}, {pids[1]}")
            round_of(one)
            round_of(other)
            traced = systrace.detach()
    assert traced.row("clock_gettime", "vdso")["count"] == 2 * CALLS
    assert sorted(process["pid"] for process in traced.report["processes"]) == pids


def test_per_process_tells_them_apart(trace: Tracer, build: Build) -> None:
    program = build("on_signal")
    with started(program) as one, started(program) as other:
        assert one.line() == other.line() == "ready"
        pids = f"{one.process.pid},{other.process.pid}"
        with attached(trace, "-P", "-p", pids) as systrace:
            round_of(one)
            round_of(one)
            round_of(other)
            traced = systrace.detach()
    found = {
        process["pid"]: {call["name"]: call["count"] for call in process["calls"]}
        for process in traced.report["processes"]
    }
    assert found[one.process.pid]["clock_gettime"] == 2 * CALLS
    assert found[other.process.pid]["clock_gettime"] == CALLS
    assert found[one.process.pid]["write"] == 2


def test_two_at_once_count_the_same_and_one_of_them_by_breakpoints(
    trace: Tracer, target: Live, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    second = Tracer(tmp_path / "other")
    with attached(trace, target.process.pid) as one:
        with attached(second, target.process.pid) as other:
            round_of(target)
            held = other.detach()
        round_of(target)
        patched = one.detach()
    assert patched.row("clock_gettime", "vdso")["count"] == 2 * CALLS
    assert held.row("clock_gettime", "vdso")["count"] == CALLS
    assert held.report["probes"]["vdso"] == "breakpoint"
    assert any("another systrace has patched it" in line for line in held.warnings)
