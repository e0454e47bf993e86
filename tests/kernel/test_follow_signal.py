"""--follow=signal: nobody traces the tree, so what traces in it works; counts are the same."""

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from .live import started
from .tracing import HANGS_S, SLOWNESS, Traced, Tracer, changed_systrace, example, told

pytestmark = pytest.mark.exact

Build = Callable[..., str]
BY_SIGNAL = ("--follow=signal",)
# clock_gettime's calls that each makes in ring 3
VDSO_ALL, VDSO_ALL_MUSL = 10_007, 12_039
WOKEN = "it was continued before systrace had seen to it"


def clock(traced: Traced, via: str = "vdso") -> int:
    return traced.count("clock_gettime", via)


def changed(trace: Tracer, change: str, *command: str, options: tuple[str, ...]) -> Traced:
    """Trace after a change to systrace."""
    argv = changed_systrace(change, trace.argv(*command, options=options))
    return trace.read(subprocess.run(argv, check=True, timeout=HANGS_S, capture_output=True))


def test_what_a_shell_starts_is_counted_to_the_last_call(trace: Tracer) -> None:
    script = f"{example('vdso_all')}; {example('vdso_all_musl')}; ({example('vdso_all')}); exec "
    traced = trace("sh", "-c", script + example("vdso_all"), options=BY_SIGNAL)
    assert clock(traced) == 3 * VDSO_ALL + VDSO_ALL_MUSL
    assert clock(traced, "vdso-fallback") == 4 * 1_009
    assert told(3, traced.warnings)[0] == []


@pytest.mark.parametrize("mode", ["breakpoint", "uprobe"])
def test_other_ways_of_counting_are_as_exact(trace: Tracer, build: Build, mode: str) -> None:
    options = (*BY_SIGNAL, "--vdso", mode)
    script = f"{build('clocks')}; {build('clocks')}"
    traced = trace("sh", "-c", script, options=options)
    assert traced.row("clock_gettime", "vdso")["by_clock"] == {"CLOCK_MONOTONIC": 2 * 120_084}


def test_a_tree_without_its_vdso_has_none(trace: Tracer) -> None:
    script = f"{example('vdso_all')}; {example('vdso_all_musl')}"
    traced = trace("sh", "-c", script, options=(*BY_SIGNAL, "--without-vdso"))
    assert traced.count("clock_gettime") == VDSO_ALL + VDSO_ALL_MUSL + 2 * 1_009
    assert traced.totals["ring3_calls"] == 0


def test_programs_that_many_goroutines_start_at_once_are_counted(trace: Tracer) -> None:
    command = (example("spawn"), "16", example("vdso_all"), "::", example("vdso_all_musl"))
    traced = trace(*command, options=BY_SIGNAL)
    assert traced.process.returncode == 0
    # Go itself reads the clock as often as it likes
    assert clock(traced) >= 16 * (VDSO_ALL + VDSO_ALL_MUSL)
    assert traced.count("getcpu", "vdso") == 16 * 2 * 1_021
    assert traced.count("gettimeofday", "vdso") == 16 * 1_013
    assert traced.count("time", "vdso") == 16 * 1_019
    assert clock(traced, "vdso-fallback") == 16 * 2 * 1_009
    assert told(2 * 16, traced.warnings)[0] == []


def test_each_process_gets_its_own_calls(trace: Tracer, build: Build) -> None:
    traced = trace(build("forks"), options=(*BY_SIGNAL, "-P"))
    said = Counter[int]()
    for line in traced.process.stdout.decode().splitlines():
        pid, calls = map(int, line.split())
        said[pid] = calls
    found = {
        process["pid"]: sum(
            call["count"] for call in process["calls"] if call["name"] == "clock_gettime"
        )
        for process in traced.report["processes"]
    }
    assert {pid: calls for pid, calls in found.items() if calls} == said
    assert told(len(found) - 1, traced.warnings)[0] == []


def test_forked_children_are_counted_by_breakpoints(trace: Tracer, build: Build) -> None:
    options = (*BY_SIGNAL, "-P", "--vdso", "breakpoint")
    traced = trace(build("forks"), options=options)
    said = sum(int(line.split()[1]) for line in traced.process.stdout.decode().splitlines())
    assert clock(traced) == said


def test_the_first_process_may_exec_over_and_over(trace: Tracer, build: Build) -> None:
    traced = trace(build("again"), "503", options=BY_SIGNAL)
    assert traced.report["exit"] == {"code": 0, "signal": None}
    assert traced.count("execve") == clock(traced) == 504
    assert traced.warnings == []


def test_a_thread_other_than_the_first_may_exec(trace: Tracer, build: Build) -> None:
    traced = trace("sh", "-c", f"{build('execs')} 17; {build('execs')} 19", options=BY_SIGNAL)
    assert clock(traced) == (17 + 19) * 211
    assert told(17 + 19, traced.warnings)[0] == []


def test_more_programs_than_have_counters_open_are_counted(trace: Tracer) -> None:
    rounds = 3 * 256
    loop = f"i=0; while [ $i -lt {rounds} ]; do i=$((i+1)); {example('getppid')} 1; done; wait"
    # a child that never execs has the counters of an image that is long gone when it counts
    late = "(sleep 3; for i in {1..1009}; do : $EPOCHREALTIME; done) &"
    script = f"{late} exec sh -c '{loop}; {example('vdso_all_musl')}'"
    traced = trace("bash", "-c", script, options=(*BY_SIGNAL, "--wait-all"))
    assert traced.count("execve") == rounds + 4
    assert clock(traced) >= VDSO_ALL_MUSL
    assert 1_009 <= traced.count("gettimeofday", "vdso") < 1_100
    assert told(rounds + 2, traced.warnings)[0] == []


def test_a_filter_that_kills_for_what_systrace_injects_kills_nobody(
    trace: Tracer, build: Build
) -> None:
    command = f"{build('caged')} {build('clocks', '-static')}; :"
    traced = trace("sh", "-c", command, options=BY_SIGNAL)
    assert traced.process.returncode == 0
    assert clock(traced) == 120_084
    assert told(2, traced.warnings)[0] == []


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
@pytest.mark.parametrize("moves", ["near thread", "far", "far vfork", "away"])
def test_a_moved_vdso_is_followed(trace: Tracer, build: Build, mode: str, moves: str) -> None:
    under_ptrace = trace(build("moves"), *moves.split(), options=("--vdso", mode))
    traced = trace(build("moves"), *moves.split(), options=(*BY_SIGNAL, "--vdso", mode))
    assert traced.process.returncode == 0
    assert clock(traced) == clock(under_ptrace) > 10_000
    assert clock(traced, "vdso-fallback") == clock(under_ptrace, "vdso-fallback")
    of_breakpoints = 2 if mode == "breakpoint" else 0
    # a child's move is a stop, and for breakpoints its birth is
    stops = (2 if mode == "breakpoint" else 1) if "vfork" in moves else 0
    assert told(stops, traced.warnings[of_breakpoints:])[0] == []


def test_whoever_is_long_without_a_cpu_is_not_left_stopped(trace: Tracer, build: Build) -> None:
    script = 'for i in 1 2 3 4 5 6 7 8 9 10 11; do "$0" far vfork || exit; done'
    options = (*BY_SIGNAL, "--vdso", "breakpoint")
    # as if each took longer than systrace waits for it
    change = "from systrace.target import captive; captive._WAIT_S = 0"
    traced = changed(trace, change, "sh", "-c", script, build("moves"), options=options)
    assert clock(traced) == 11 * (10_007 + 503 + 1_009)


def test_strace_traces_inside_and_what_it_traces_is_said_not_to_be_counted(trace: Tracer) -> None:
    strace = ("strace", "-f", "-o", "/dev/null", "sh", "-c", f"{example('vdso_all')}; exit 3")
    traced = trace(*strace, options=BY_SIGNAL)
    assert traced.process.returncode == 3
    assert clock(traced, "vdso-fallback") == 1_009
    assert traced.warnings == [
        "vDSO calls of 2 programs were not counted: another program traces it"
    ]


def test_what_a_parent_does_because_of_a_stop_is_counted_and_said_to_be(trace: Tracer) -> None:
    script = (
        "import signal, subprocess; told = {signal.SIGCHLD}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, told)\n"
        "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
        f"while signal.sigtimedwait(told, {0.5 * SLOWNESS}): pass\n"
        "child.communicate()"
    )
    command = ("/usr/bin/python3", "-c", script)
    # which it is not, where systrace is there before the child has stopped
    change = (
        "import time; from systrace import ptrace; seize = ptrace.seize;"
        "ptrace.seize = lambda *task: (time.sleep(0.1), seize(*task))"
    )
    plain, traced = trace(*command), changed(trace, change, *command, options=BY_SIGNAL)
    assert plain.count("rt_sigtimedwait") == 1
    assert plain.warnings == []
    assert traced.count("rt_sigtimedwait") > 1
    assert told(1, traced.warnings) == ([], 1)


def test_gdb_debugs_inside(trace: Tracer) -> None:
    gdb = ("gdb", "-nx", "-batch", "-ex", "break main", "-ex", "run", "-ex", "continue")
    traced = trace(*gdb, example("vdso_all"), options=BY_SIGNAL)
    said = traced.process.stdout.decode()
    assert "Breakpoint 1, " in said
    assert "exited normally" in said
    assert "SIGSTOP" not in said


def test_leaksanitizer_finds_a_leak_inside(trace: Tracer, build: Build) -> None:
    leaks = build("leaks", "-fsanitize=leak")
    traced = trace("sh", "-c", f"{leaks}; exit $?", options=BY_SIGNAL)
    assert traced.process.returncode == 23
    assert b"77 byte(s) leaked in 1 allocation(s)" in traced.process.stderr


def test_a_program_finds_neither_a_signal_nor_a_mask_of_systraces(trace: Tracer) -> None:
    # what is blocked stays so, and would wait to be taken
    start = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT});"
        "os.execv('/bin/grep', ['grep', '-E', '^(Sig|Shd)(Pnd|Blk)', '/proc/self/status'])"
    )
    command = ("/usr/bin/python3", "-S", "-c", start)
    script = 'for i in 1 2 3 4 5 6 7 8 9; do "$@"; done'
    traced = trace("sh", "-c", script, "sh", *command, options=BY_SIGNAL)
    nothing, blocked = f"{0:016x}", f"{1 << (signal.SIGCONT - 1):016x}"
    said = [line.split()[1] for line in traced.process.stdout.decode().splitlines()]
    assert said == [nothing, nothing, blocked] * 9


@pytest.mark.parametrize("stopped_ms", [0, 2])
def test_whoever_is_continued_by_somebody_else_is_counted_or_said_not_to_be(
    trace: Tracer, build: Build, stopped_ms: int
) -> None:
    images = 307
    argv = trace.argv("sh", "-c", f"{build('again')} {images - 1} & echo $!; wait")
    argv.insert(2, *BY_SIGNAL)
    with started(*argv) as live:
        program = int(live.line())
        while state(program) not in "Z-":
            signalled(program, signal.SIGSTOP)
            time.sleep(stopped_ms / 1000)
            signalled(program, signal.SIGCONT)
            time.sleep(0.0007)
        traced = live.end(trace)
    missed = [line for line in traced.warnings if line.startswith("vDSO calls of")]
    assert clock(traced) + sum(int(line.split()[3]) for line in missed) == images
    assert all(line.endswith(WOKEN) for line in missed)


def test_survivors_are_left_running(trace: Tracer) -> None:
    script = f"(while :; do {example('getppid')} 1; done) >/dev/null 2>&1 & echo $!; sleep 0.2"
    survivor = int(trace("sh", "-c", script, options=BY_SIGNAL).process.stdout)
    try:
        before = children_waited_for(survivor)
        deadline = time.monotonic() + HANGS_S
        while children_waited_for(survivor) == before:
            assert time.monotonic() < deadline, "its child has stopped"
            time.sleep(0.01)
    finally:
        os.kill(survivor, signal.SIGKILL)


def test_wait_all_waits_for_children_that_outlive_the_command(trace: Tracer) -> None:
    script = f"(sleep 0.3; {example('vdso_all')}) >/dev/null 2>&1 & exit 3"
    traced = trace("sh", "-c", script, options=(*BY_SIGNAL, "--wait-all"))
    assert traced.process.returncode == 3
    assert clock(traced) == VDSO_ALL


@pytest.mark.parametrize("delay_ms", [5, 41, 83, 127, 211])
def test_a_killed_systrace_leaves_nobody_stopped(trace: Tracer, delay_ms: int) -> None:
    script = f"i=0; while [ $i -lt 300 ]; do i=$((i+1)); {example('getppid')} 1; done"
    argv = trace.argv("sh", "-c", f"echo; ({script}) & {script}; wait", options=BY_SIGNAL)
    with started(*argv) as live:
        assert live.line() == ""
        time.sleep(delay_ms / 1000)
        live.process.send_signal(signal.SIGKILL)
        # the end of standard output is that of all who have it
        live.process.communicate(timeout=HANGS_S)


def state(pid: int) -> str:
    """As proc(5) writes it; - for none such."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "-"


def signalled(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def children_waited_for(pid: int) -> int:
    """Faults of children that it has waited for, proc(5): each has some."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[8])
