"""The target and its children are killed, stopped and continued at any moment, by others."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from .attaching import CALLS as ROUND
from .attaching import MODES, attach_argv, attached, round_of
from .leftovers import nothing_left
from .live import Live, started
from .test_killed import PATCHING, ROUNDS, TREE, WAYS
from .tracing import HANGS_S, SLOWNESS, Tracer, example

Build = Callable[..., str]

CHILDREN = 53
STOPS, CALLS = 53, 211


@pytest.mark.parametrize("seed", range(-(-ROUNDS // 2)))
def test_a_target_that_is_killed_ends_systrace_by_sigkill_and_its_children_go_on(
    trace: Tracer, build: Build, seed: int
) -> None:
    programs = (example("vdso_all_musl"), f"{build('execs')} 2", build("forks"))
    tree = TREE.replace("wait\n", "wait\nread line\n")  # it is there still when it is killed
    argv = trace.argv("sh", "-c", tree, "sh", *programs, options=WAYS[seed % len(WAYS)])
    with nothing_left() as environment, started(*argv, env=environment) as systrace:
        target = int(systrace.line())
        time.sleep(random.Random(seed).uniform(0, 0.2) * SLOWNESS)  # noqa: S311
        os.kill(target, signal.SIGKILL)
        # its children go on to their ends, and not one of them fails
        assert systrace.rest() == []
        traced = systrace.end(trace)
    assert traced.process.returncode == -signal.SIGKILL
    assert traced.report["exit"] == {"code": None, "signal": "SIGKILL"}


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_children_that_are_killed_anywhere_in_their_start_are_counted_as_what_they_were(
    trace: Tracer, build: Build, way: tuple[str, ...]
) -> None:
    with nothing_left() as environment:
        traced = trace(build("kills"), example("vdso_all"), options=way, env=environment)
    killed, ended = map(int, traced.process.stdout.split())
    assert killed + ended == CHILDREN
    assert traced.process.returncode == 0
    parent, *children = traced.report["processes"]
    ends = Counter(child["exit"]["signal"] for child in children)
    assert (ends["SIGKILL"], ends[None]) == (killed, ended)
    assert traced.count("kill") == CHILDREN
    if "-P" in way:
        (clock,) = (call for call in parent["calls"] if call["name"] == "clock_gettime")
        assert clock["count"] == 10_007


@pytest.mark.parametrize("seed", range(-(-ROUNDS // 3)))
def test_a_target_that_is_killed_while_it_is_attached_to_leaves_nothing(
    trace: Tracer, seed: int
) -> None:
    with started(example("serve")) as server:
        assert server.line() == "ready"
        argv = attach_argv(trace, str(server.process.pid))
        with nothing_left() as environment, started(*argv, env=environment) as systrace:
            assert systrace.shown().startswith(PATCHING)
            time.sleep(random.Random(seed).uniform(0, 0.05) * SLOWNESS)  # noqa: S311
            server.process.kill()
            said = systrace.process.communicate(timeout=HANGS_S)[1].decode().splitlines()
        assert server.process.wait(HANGS_S) == -signal.SIGKILL
    # it was there to attach to, or was not any more
    assert systrace.process.returncode in {0, 125}
    assert all(line.startswith("systrace: ") for line in said)


@pytest.mark.exact
@pytest.mark.parametrize("way", [(), ("--follow=signal",), ("--vdso", "off")], ids=" ".join)
def test_a_child_that_stops_is_seen_stopped_as_often_as_it_does_and_goes_on(
    trace: Tracer, build: Build, way: tuple[str, ...]
) -> None:
    with nothing_left() as environment:
        traced = trace(build("stops"), options=way, env=environment)
    assert traced.process.stdout == b"%d\n" % STOPS
    assert traced.process.returncode == 7
    assert traced.count("kill") == 2 * STOPS
    if "off" not in way:
        assert traced.count("clock_gettime", "vdso") == STOPS * CALLS


@pytest.mark.exact
@pytest.mark.parametrize("mode", MODES)
def test_a_process_that_is_stopped_and_continued_while_attached_to_is_exact(
    trace: Tracer, target: Live, mode: str
) -> None:
    with attached(trace, target.process.pid, options=("--vdso", mode)) as systrace:
        for _ in range(2):
            target.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, target.process.pid, os.WSTOPPED)
            target.process.send_signal(signal.SIGCONT)
            round_of(target)
        traced = systrace.detach()
    round_of(target)
    assert traced.count("clock_gettime", "vdso") == 2 * ROUND
