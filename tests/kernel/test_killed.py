"""systrace is killed at any moment: nobody is stopped, half prepared or left in the kernel."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .attaching import ATTACHED, attach_argv, tracer_of, vdso_bytes
from .leftovers import nothing_left
from .live import Live, started
from .tracing import HANGS_S, SLOWNESS, Tracer, example

Build = Callable[..., str]

ROUNDS = int(os.environ.get("SYSTRACE_ROUNDS", "6"))
# what strace -c counts of a run; with these the first program has been prepared
REQUESTS = range(2, 80, 17 if ROUNDS < 100 else 1)
PREPARED = 18
WAYS = ((), ("-P",), ("--follow=signal",), ("--vdso", "breakpoint"))
PATCHING = "systrace: patching "
KILLED = 128 + signal.SIGKILL

# A program that systrace was just preparing may go with it (`ended 137`); nobody ends otherwise.
TREE = """
work() {
    for round in 1 2 3 4 5 6 7; do
        for program in "$@"; do $program >/dev/null || echo "ended $?"; done
    done
}
echo $$
work "$@" & work "$@" & (work "$@")
wait
echo end
"""


def went_well(said: list[str]) -> bool:
    """Whether all ran to the end that the killed systrace has not taken with it."""
    return said[-1:] == ["end"] and set(said) <= {"end", f"ended {KILLED}"}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_run_that_is_killed_leaves_nothing_and_its_children_go_on(
    trace: Tracer, build: Build, seed: int
) -> None:
    programs = (example("vdso_all_musl"), f"{build('execs')} 2", build("forks"))
    argv = trace.argv("sh", "-c", TREE, "sh", *programs, options=WAYS[seed % len(WAYS)])
    with nothing_left() as environment, started(*argv, env=environment) as systrace:
        assert int(systrace.line())
        time.sleep(random.Random(seed).uniform(0, 0.4) * SLOWNESS)  # noqa: S311
        systrace.process.kill()
        assert went_well(systrace.rest())


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_run_that_is_killed_at_any_of_its_ptrace_requests_leaves_nothing(
    trace: Tracer, request_: int
) -> None:
    inject = f"inject=ptrace:signal=SIGKILL:when={request_}"
    strace = ("strace", "-o", "/dev/null", "-e", "trace=ptrace", "-e", inject)
    script = 'echo begin; for i in 1 2 3; do "$1" || echo "ended $?"; (:); done; echo end'
    argv = trace.argv("sh", "-c", script, "sh", example("vdso_all"), options=WAYS[request_ % 3])
    with nothing_left() as environment:
        done = subprocess.run(
            [*strace, *argv],
            check=False,
            capture_output=True,
            timeout=HANGS_S,
            env=environment,
        )
    said = done.stdout.decode().splitlines()
    assert said[:1] == (["begin"] if request_ > PREPARED else [])
    assert went_well(said[1:]) or not said
    assert done.returncode == -signal.SIGKILL or request_ > 50


def is_as_it_was(pid: int, vdso: bytes) -> bool:
    """Whether a process is restored, traced by nobody, and not one of its threads stopped."""
    states = [
        stat.read_text().rpartition(") ")[2][0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return vdso_bytes(pid) == vdso and not tracer_of(pid) and not {"t", "T"} & set(states)


def served(server: Live) -> int:
    server.tell("?")
    answered, failed = map(int, server.line().split())
    assert failed == 0
    return answered


@pytest.mark.parametrize("moment", [PATCHING, ATTACHED])
@pytest.mark.parametrize("seed", range(-(-ROUNDS // 4)))
def test_an_attach_that_is_killed_leaves_a_busy_server_as_it_was(
    trace: Tracer, seed: int, moment: str
) -> None:
    with started(example("serve")) as server:
        assert server.line() == "ready"
        pid = server.process.pid
        before = vdso_bytes(pid)
        argv = attach_argv(trace, str(pid))
        with nothing_left() as environment, started(*argv, env=environment) as systrace:
            while not systrace.shown().startswith(moment):
                pass
            if moment == ATTACHED:
                systrace.process.send_signal(signal.SIGINT)
            time.sleep(random.Random(seed).uniform(0, 0.05) * SLOWNESS)  # noqa: S311
            systrace.process.kill()
        assert is_as_it_was(pid, before)
        answered = served(server)
        while served(server) < answered + 100:
            pass
