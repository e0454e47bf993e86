"""Children that ptrace is not told of (CLONE_UNTRACED): counted, or said not to be."""

from collections.abc import Callable, Sequence

import pytest

from .tracing import Traced, Tracer

pytestmark = pytest.mark.exact

Build = Callable[..., str]
TOLD = 1_013 + 1_021
UNTOLD = 1_009 + 1_019
WHY = "CLONE_UNTRACED hides a new process from its tracer"


@pytest.fixture
def traced(trace: Tracer, build: Build) -> Callable[..., Traced]:
    return lambda *options: trace(build("untraced"), options=options)


def by_process(traced: Traced) -> list[int]:
    return [
        sum(call["count"] for call in process["calls"] if call["via"] == "vdso")
        for process in traced.report["processes"]
    ]


def test_trampolines_count_them_with_their_parent(traced: Callable[..., Traced]) -> None:
    done = traced()
    assert done.count("clock_gettime", "vdso") == TOLD + UNTOLD
    assert done.totals["processes"] == 4
    assert done.warnings == []


def test_by_process_their_calls_are_said_to_be_the_parents(traced: Callable[..., Traced]) -> None:
    done = traced("-P")
    assert done.count("clock_gettime", "vdso") == TOLD + UNTOLD
    assert by_process(done) == [1_013 + UNTOLD, 0, 0, 1_021]
    said = f"vDSO calls of 2 forked processes are shown with the parent's: {WHY}"
    assert done.warnings == [said]


@pytest.mark.parametrize("more", [(), ("-P",)], ids=["", "by process"])
def test_breakpoints_miss_them_and_the_report_says_so(
    traced: Callable[..., Traced], more: Sequence[str]
) -> None:
    done = traced("--vdso", "breakpoint", *more)
    assert done.count("clock_gettime", "vdso") == TOLD
    assert f"vDSO calls of 2 programs were not counted: {WHY}" in done.warnings
    assert "vdso" in done.report["incomplete"]


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
def test_followed_by_signals_they_are_like_any_other(
    traced: Callable[..., Traced], mode: str
) -> None:
    done = traced("--follow=signal", "-P", "--vdso", mode)
    assert done.count("clock_gettime", "vdso") == TOLD + UNTOLD
    assert by_process(done) == [1_013, 1_009, 1_019, 1_021]
    assert "vdso" not in done.report.get("incomplete", [])
