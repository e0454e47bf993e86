"""attach: the calls of a process are counted from one moment to one other, of whatever kind."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from .attaching import MODES, attached
from .live import started
from .tracing import Tracer

Build = Callable[..., str]

SEVERAL = 6


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
            time.sleep(0.1)
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
