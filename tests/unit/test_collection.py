"""The kernel's table of processes is emptied of those that have ended, before it is full."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from systrace import watch
from systrace.counting import Counting
from systrace.definitions import MOST_PROCESSES
from systrace.options import Snapshots
from systrace.tally import Tally
from systrace.watch import Watch


def counting(monkeypatch: pytest.MonkeyPatch, ended: list[int]) -> tuple[Counting, list[int]]:
    """A Counting in which so many have ended, one after the other, and what was collected when."""
    collected: list[int] = []
    counters = SimpleNamespace(ended=lambda: ended[0], collect=lambda: collected.append(ended[0]))
    monkeypatch.setattr(Counting, "__init__", lambda _: None)
    made = Counting()  # type: ignore[call-arg]
    monkeypatch.setattr(made, "_counters", counters, raising=False)
    monkeypatch.setattr(made, "_collected", 0, raising=False)
    return made, collected


def test_it_is_read_when_many_have_ended_since_the_last_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = [0]
    made, collected = counting(monkeypatch, ended)
    for ended[0] in range(0, MOST_PROCESSES, 100):
        made.collect()
    before = [0, *collected]
    assert len(collected) > MOST_PROCESSES // 2_000
    assert all(1_000 < now - then < 2_000 for then, now in zip(before, collected, strict=False))


def test_what_is_read_after_the_probes_were_detached_is_of_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = counting(monkeypatch, [0])
    made._counters.drain = lambda: Tally(time.monotonic_ns(), {}, {}, {}, 0)  # type: ignore[method-assign]
    monkeypatch.setattr(made, "_links", SimpleNamespace(close=lambda: None), raising=False)
    monkeypatch.setattr(made, "_stopped_ns", None, raising=False)
    assert made.drain().at_ns < made.drain().at_ns
    made.stop()
    stopped_ns = time.monotonic_ns()
    assert made.drain().at_ns == made.drain().at_ns < stopped_ns


def test_a_run_that_nobody_asks_for_a_report_collects_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "_COLLECTION_S", 1e-9)
    calls: list[str] = []
    target: Any = SimpleNamespace(over=False, step=lambda _until: False)
    kept: Any = SimpleNamespace(collect=lambda: calls.append("collect"))
    facts: Any = SimpleNamespace(started_ns=time.monotonic_ns())
    waits: list[float] = []

    def next_signal(until_ns: float) -> int:
        waits.append(until_ns)
        target.over = len(waits) == 3
        return 0

    vdso: Any = None
    assert list(Watch(kept, vdso, target, facts).snapshots(next_signal, Snapshots())) == []
    assert calls == ["collect"] * 3
    assert max(waits) < float("inf")
