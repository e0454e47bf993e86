"""A program that moves its vDSO, or does away with it, runs as ever and is counted as ever."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .attaching import attached
from .live import started
from .tracing import HANGS_S, Key, Traced, Tracer

pytestmark = pytest.mark.exact

Build = Callable[..., str]

# The calls of programs/moves.c; so many of them modulo 100 are made again, and fall back.
BEFORE, AFTER, CHILD, THREAD = 10_007, 1_009, 503, 211
MODES = ["patch", "breakpoint", "uprobe"]


def entries(traced: Traced) -> tuple[int, int]:
    """How often clock_gettime was served in ring 3, and how often it fell back."""
    return traced.count("clock_gettime", "vdso"), traced.count("clock_gettime", "vdso-fallback")


def calls(*batches: int) -> tuple[int, int]:
    return sum(batches), sum(batch % 100 for batch in batches)


def is_about_the_moves(warning: str) -> bool:
    """Whether it is not what breakpoints always say."""
    return "us longer" not in warning and "a CPU has 4 breakpoints" not in warning


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ("near", calls(BEFORE, AFTER)),
        ("far", calls(BEFORE, AFTER)),
        ("back", calls(BEFORE, AFTER, AFTER)),
        ("refused", calls(BEFORE, AFTER)),
        ("far thread", calls(BEFORE, AFTER)),
        ("near threads", calls(BEFORE, AFTER, *[THREAD] * 5)),
        ("far threads", calls(BEFORE, AFTER, *[THREAD] * 5)),
        ("near fork", calls(BEFORE, AFTER, CHILD)),
        ("far fork", calls(BEFORE, AFTER, CHILD)),
        ("near vfork", calls(BEFORE, CHILD, AFTER)),
        ("far vfork", calls(BEFORE, CHILD, AFTER)),
        ("far exec", calls(BEFORE, AFTER)),
        ("away", calls(BEFORE)),
        ("away fork", calls(BEFORE)),
        ("over", calls(BEFORE)),
        ("onto", calls(BEFORE)),
    ],
)
def test_calls_before_and_after_are_counted_to_the_last(
    trace: Tracer, build: Build, mode: str, moves: str, expected: tuple[int, int]
) -> None:
    traced = trace(build("moves"), *moves.split(), options=("--vdso", mode))
    assert traced.process.returncode == 0
    assert entries(traced) == expected
    assert not any(map(is_about_the_moves, traced.warnings))


def test_nothing_that_systrace_does_about_it_is_counted(trace: Tracer, build: Build) -> None:
    def ring_0(mode: str) -> dict[Key, int]:
        traced = trace(build("moves"), "back", options=("--vdso", mode))
        return {key: row["count"] for key, row in traced.rows.items() if row["ring"] == "3->0"}

    assert ring_0("patch") == ring_0("breakpoint") == ring_0("off")


def test_calls_are_counted_where_only_others_are_asked_for(trace: Tracer, build: Build) -> None:
    traced = trace(build("moves"), "far", options=("-e", "clock_gettime"))
    assert traced.process.returncode == 0
    assert entries(traced) == calls(BEFORE, AFTER)
    assert {name for name, _, _ in traced.rows} == {"clock_gettime"}


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
def test_each_process_gets_its_own_calls(trace: Tracer, build: Build, mode: str) -> None:
    traced = trace(build("moves"), "far", "fork", options=("-P", "--vdso", mode))
    counts = [
        sum(call["count"] for call in process["calls"] if call["name"] == "clock_gettime")
        for process in traced.report["processes"]
    ]
    assert counts == [sum(calls(BEFORE, AFTER)), sum(calls(CHILD))]


def test_what_a_filter_would_kill_for_is_done_all_the_same(trace: Tracer, build: Build) -> None:
    traced = trace(build("caged"), build("moves"), "far")
    assert traced.process.returncode == 0
    assert entries(traced) == calls(BEFORE, AFTER)
    assert traced.warnings == []


def test_calls_that_are_not_counted_any_more_are_said_to_be_so(trace: Tracer, build: Build) -> None:
    # under a filter, systrace cannot suspend those of others
    filtered = (build("without_syscall"), "9999", "38")
    traced = trace(build("moves"), "far", "filter", prefix=filtered)
    assert traced.process.returncode == 0
    _, fallbacks = calls(BEFORE, AFTER)
    assert entries(traced) == (BEFORE, fallbacks)
    moved, missing = traced.warnings
    assert moved == (
        "vDSO calls of 1 program were not counted: it moved its vDSO, and new trampolines near it "
        "cannot be mapped (calls before that are counted)"
    )
    assert missing == (
        f"besides, up to {fallbacks} counted calls may be missing from the vdso rows: "
        "fallbacks of programs that were not counted are taken off them"
    )


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
def test_attach_finds_a_vdso_that_was_moved_before(trace: Tracer, build: Build, mode: str) -> None:
    with started(build("moves"), "far", "wait") as program:
        assert program.line() == "moved"
        with attached(trace, program.process.pid, options=("--vdso", mode)) as systrace:
            program.tell("go on")
            assert program.line() == "called"
            traced = systrace.detach()
        program.tell("go on")
        assert program.process.wait() == 0
    assert entries(traced) == calls(AFTER)
    assert not any(map(is_about_the_moves, traced.warnings))


NEAR_LATER = [
    ("near later", calls(BEFORE, AFTER)),
    ("refused later", calls(BEFORE, AFTER)),
    ("near later threads", calls(BEFORE, AFTER, *[THREAD] * 5)),
    ("away later", calls(BEFORE)),
    ("over later", calls(BEFORE)),
    ("onto later", calls(BEFORE)),
]
FAR_LATER = [
    ("far later", calls(BEFORE, AFTER)),
    ("far later thread", calls(BEFORE, AFTER)),
    ("back later", calls(BEFORE, AFTER, AFTER)),
]


@pytest.mark.parametrize(
    ("mode", "moves", "expected"),
    [
        *(("patch", *case) for case in NEAR_LATER),
        *(("breakpoint", *case) for case in [*NEAR_LATER, *FAR_LATER]),
    ],
)
def test_attach_follows_a_vdso_that_moves(
    trace: Tracer, build: Build, mode: str, moves: str, expected: tuple[int, int]
) -> None:
    traced = while_it_moves(trace, build, moves, "--vdso", mode)
    assert entries(traced) == expected
    assert not any(map(is_about_the_moves, traced.warnings))


@pytest.mark.parametrize("moves", ["far later", "far later thread", "far later vfork"])
def test_attach_says_that_it_counts_no_vdso_that_moved_out_of_reach(
    trace: Tracer, build: Build, moves: str
) -> None:
    traced = while_it_moves(trace, build, moves)
    assert traced.count("clock_gettime", "vdso") == BEFORE
    assert traced.warnings[0] == (
        "vDSO calls of 1 program were not counted: it moved its vDSO, and new trampolines near it "
        "cannot be mapped (calls before that are counted)"
    )
    assert "vdso" in traced.report["incomplete"]


def while_it_moves(trace: Tracer, build: Build, moves: str, *options: str) -> Traced:
    with started(build("moves"), *moves.split()) as program:
        assert program.line() == "ready"
        with attached(trace, program.process.pid, options=options) as systrace:
            program.tell("go on")
            assert program.line() == "called"
            traced = systrace.detach()
        program.tell("go on")
        assert program.process.wait() == 0
    return traced


def test_a_parent_hears_of_a_child_that_is_killed_while_it_moves_its_vdso(
    trace: Tracer, build: Build
) -> None:
    kills = f"{build('moves')} forever & sleep 0.00$i; kill -KILL $!; wait $!; echo $?"
    script = f"for i in 1 2 3 4 5 6 7 8 9 11 13 17; do {kills}; done"
    traced = trace("bash", "-c", script, options=("--follow=signal",))
    assert traced.process.stdout.split() == [b"137"] * 12


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
@pytest.mark.parametrize("delay_ms", [0, 7, 31])
def test_who_moves_its_vdso_all_the_time_outlives_a_killed_attach(
    trace: Tracer, build: Build, mode: str, delay_ms: int
) -> None:
    with started(build("moves"), "forever", "later") as program:
        assert program.line() == "ready"
        pid = program.process.pid
        with attached(trace, pid, options=("--vdso", mode)) as systrace:
            program.tell("go on")
            time.sleep(delay_ms / 1000)
            systrace.process.kill()
            systrace.process.wait()
        assert_left_running(pid)
        program.process.kill()


@pytest.mark.parametrize("delay_ms", [3, 30, 103])
def test_a_survivor_that_moves_its_vdso_all_the_time_is_not_left_stopped(
    trace: Tracer, build: Build, delay_ms: int
) -> None:
    script = f"{build('moves')} forever >/dev/null 2>&1 & echo $!; sleep {delay_ms / 1000 + 0.1}"
    survivor = int(trace("sh", "-c", script).process.stdout)
    try:
        assert_left_running(survivor)
    finally:
        os.kill(survivor, signal.SIGKILL)


def assert_left_running(pid: int) -> None:
    """That it gets to work again, however long the machine takes, and is not stopped then."""
    begin, deadline = worked(pid), time.monotonic() + HANGS_S
    while worked(pid) < begin + 5:
        assert time.monotonic() < deadline, "it is stopped"
        time.sleep(0.01)


def worked(pid: int) -> int:
    """For how long it had a CPU, clock ticks; proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])
