"""attach: what runs already is counted to the last call, and left as it was found."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .attaching import attach_argv, attached, mappings, tracer_of, vdso_bytes
from .bpf_objects import bpf_objects
from .live import Live, started
from .tracing import EXAMPLES, HANGS_S, SYSTRACE, Tracer, example

Build = Callable[..., str]

CALLS = 8 * 10_007
MODES = ("patch", "breakpoint")
SERVER_ROUNDS = int(os.environ.get("SYSTRACE_ROUNDS", "5"))


def round_of(live: Live) -> None:
    """Let the target make its calls, all of them."""
    live.process.send_signal(signal.SIGUSR1)
    assert live.line() == "done"


@pytest.fixture
def target(build: Build) -> Iterator[Live]:
    """8 threads that call clock_gettime 10,007 times each at a SIGUSR1."""
    with started(build("on_signal")) as live:
        assert live.line() == "ready"
        yield live


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
            f"systrace: patching 6 vDSO functions of on_signal ({pid}), restored on exit; "
            "--vdso breakpoint or off changes nothing in it"
        )
        systrace.detach()


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
    gone(objects)


def gone(before: set[tuple[str, int]]) -> None:
    """Nothing of systrace's is left in the kernel, as soon as that has got round to it."""
    deadline = time.monotonic() + HANGS_S
    while left := bpf_objects() - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_with_breakpoints_nothing_in_the_target_changes(trace: Tracer, target: Live) -> None:
    pid = target.process.pid
    before = vdso_bytes(pid), mappings(pid)
    with attached(trace, pid, options=("--vdso", "breakpoint")) as systrace:
        assert (vdso_bytes(pid), mappings(pid)) == before
        traced = systrace.detach()
    assert any("getcpu were not counted" in line for line in traced.warnings)
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
    gone(objects)
    assert tracer_of(pid) == 0
    round_of(target)


WAITERS = ("accept", "epoll_wait", "futex", "nanosleep", "read", "recv", "semtimedop")


@pytest.mark.parametrize("mode", [*MODES, "off"])
def test_threads_in_a_call_go_on_as_if_nothing_had_happened(
    trace: Tracer, build: Build, mode: str
) -> None:
    """In calls that the kernel restarts and in such that it does not; twice, with a signal."""
    with started(build("blocked")) as blocked:
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
        "slept 3 -",
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


def test_children_forked_after_are_counted_and_restored(trace: Tracer) -> None:
    program = (
        "import os, sys, time\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    for _ in range(3):\n"
        "        if os.fork() == 0:\n"
        "            for _ in range(1009): time.time_ns()\n"
        "            os._exit(0)\n"
        "        os.wait()\n"
        "    print('done', flush=True)\n"
    )
    with started("/usr/bin/python3", "-S", "-c", program) as python:
        assert python.line() == "ready"
        with attached(trace, python.process.pid) as systrace:
            python.tell("go")
            assert python.line() == "done"
            traced = systrace.detach()
    assert traced.row("clock_gettime", "vdso")["by_clock"]["CLOCK_REALTIME"] == 3 * 1_009
    assert traced.totals["processes"] == 4
    assert traced.warnings == []


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
    assert process["ended_ns"] is not None


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


def refused(*words: object) -> str:
    """What systrace says when it cannot attach: one line or two, and 125."""
    done = subprocess.run(
        [str(SYSTRACE), "attach", "-q", *map(str, words)],
        check=False,
        capture_output=True,
        timeout=HANGS_S,
    )
    assert done.returncode == 125
    lines = done.stderr.decode().splitlines()
    # what it is about to do comes first
    said = [line for line in lines if not line.startswith("systrace: patching ")]
    assert len(said) <= 2
    return "\n".join(said)


def test_what_cannot_be_attached_to_is_said_in_a_line() -> None:
    with subprocess.Popen(["true"]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert "(a zombie)" in refused(zombie.pid)
    assert f"there is no process {zombie.pid}" in refused(zombie.pid)
    assert "it is a kernel thread" in refused(2)
    assert "there is no process 'no such program'" in refused("no such program")


def test_a_thread_is_not_taken_for_its_process(target: Live) -> None:
    pid = target.process.pid
    tid = max(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
    assert f"it is a thread of process {pid}" in refused(tid)


def test_systrace_does_not_attach_to_what_started_it(tmp_path: Path) -> None:
    trace = Tracer(tmp_path)
    script = 'exec "$@" $PPID'
    argv = trace.argv("sh", "-c", script, "sh", str(SYSTRACE), "attach")
    done = subprocess.run(argv, check=False, capture_output=True, timeout=HANGS_S)
    assert b"it is the systrace that started this one" in done.stderr
    assert done.returncode == 125


@pytest.mark.parametrize("mode", ["auto", "patch"])
def test_a_stopped_process_is_not_let_run(trace: Tracer, target: Live, mode: str) -> None:
    pid = target.process.pid
    target.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    if mode == "patch":
        assert "it is stopped; `kill -CONT` lets it run" in refused("--vdso", "patch", pid)
    else:
        with attached(trace, pid) as systrace:
            target.process.send_signal(signal.SIGCONT)
            round_of(target)
            traced = systrace.detach()
        assert traced.row("clock_gettime", "vdso")["count"] == CALLS
        assert any("it is stopped" in line for line in traced.warnings)
        return
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    assert state == "T"
    target.process.send_signal(signal.SIGCONT)
    round_of(target)


@pytest.mark.parametrize("mode", ["auto", "patch"])
def test_a_process_under_a_debugger_is_counted_by_breakpoints(
    trace: Tracer, target: Live, mode: str
) -> None:
    pid = target.process.pid
    with subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(pid)], stderr=subprocess.PIPE
    ) as strace:
        assert strace.stderr
        assert b"attached" in strace.stderr.readline()
        if mode == "patch":
            assert f"strace ({strace.pid}) traces it already" in refused("--vdso", "patch", pid)
        else:
            with attached(trace, pid) as systrace:
                round_of(target)
                traced = systrace.detach()
            assert traced.row("clock_gettime", "vdso")["count"] == CALLS
            assert any("traces it already" in line for line in traced.warnings)
        assert tracer_of(pid) == strace.pid
        strace.terminate()


def test_a_process_whose_filter_kills_survives(trace: Tracer, build: Build) -> None:
    with started(build("caged"), build("on_signal")) as caged:
        assert caged.line() == "ready"
        with attached(trace, caged.process.pid) as systrace:
            round_of(caged)
            traced = systrace.detach()
        round_of(caged)
    assert traced.row("clock_gettime", "vdso")["count"] == CALLS
    assert traced.report["probes"]["vdso"] == "patch"


@pytest.mark.parametrize("program", ["in_vfork", "churn"])
def test_what_cannot_be_held_is_counted_by_breakpoints(
    trace: Tracer, build: Build, program: str
) -> None:
    """The parent of a vfork stands still until its child execs, which here it never does."""
    with started(build(program)) as live:
        assert live.line() == "ready"
        with attached(trace, live.process.pid) as systrace:
            live.tell("go")
            assert live.line() == "done"
            traced = systrace.detach()
        live.end_input()
    by_clock = traced.row("clock_gettime", "vdso")["by_clock"]
    assert by_clock["CLOCK_REALTIME"] == 10_007
    if program == "in_vfork":
        assert traced.report["probes"]["vdso"] == "breakpoint"
        assert any("may be in vfork" in line for line in traced.warnings)


def test_a_thread_that_execs_meanwhile_is_no_hang(trace: Tracer, build: Build) -> None:
    """The other threads vanish without a word, and the one that execs takes the first one's tid."""
    with started(build("execs")) as execs:
        assert execs.line() == "ready"
        for _ in range(3):
            with attached(trace, execs.process.pid) as systrace:
                traced = systrace.detach()
            assert traced.process.returncode == 0
            assert traced.totals["processes"] == 1
        assert execs.process.poll() is None
        assert tracer_of(execs.process.pid) == 0
