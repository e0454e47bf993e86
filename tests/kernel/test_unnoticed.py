"""What a program would notice of a tracer, and does not of this one."""

from collections.abc import Callable

import pytest

from .tracing import Tracer

pytestmark = pytest.mark.exact


def test_an_ignored_signal_interrupts_no_call_and_adds_none(
    trace: Tracer, build: Callable[..., str]
) -> None:
    traced = trace(build("bystander"))
    assert traced.process.stdout == b"0\n"
    assert traced.count("epoll_wait") == 7
    assert traced.count("rt_sigtimedwait") == 7
    assert traced.row("epoll_wait").get("errors", {}) == {}
    assert traced.row("rt_sigtimedwait")["errors"] == {"EAGAIN": 7}


@pytest.mark.parametrize(
    "options", [(), ("--vdso", "breakpoint"), ("--vdso", "off"), ("--follow=signal",)], ids=" ".join
)
def test_a_stop_interrupts_the_calls_that_it_interrupts_untraced(
    trace: Tracer, build: Callable[..., str], options: tuple[str, ...]
) -> None:
    traced = trace(build("waits"), options=options)
    assert traced.process.stdout == b"53\n"
    assert traced.row("epoll_wait")["errors"] == {"EINTR": 53}
    assert traced.count("epoll_wait") == 53
    assert traced.totals["restarted"] == 0


@pytest.mark.parametrize("mode", ["patch", "off"])
def test_a_sleep_that_an_ignored_signal_meets_is_one_call(
    trace: Tracer, build: Callable[..., str], mode: str
) -> None:
    traced = trace(build("sleeper"), options=("-P", "--vdso", mode))
    first = {call["name"]: call["count"] for call in traced.report["processes"][0]["calls"]}
    assert (first["clock_nanosleep"], first["pipe2"]) == (7, 7)
    # the loader reads too
    assert first["read"] - 7 == untold(trace, mode)
    assert traced.count("restart_syscall") == traced.totals["restarted"] == 0
    assert traced.row("clock_nanosleep")["total_ns"] >= 7 * 60_000_000


def untold(trace: Tracer, mode: str) -> int:
    """How often a program reads before its own code runs."""
    return trace("true", options=("--vdso", mode)).count("read")


def test_a_filter_that_kills_for_mmap_does_not_kill_a_program_that_makes_none(
    trace: Tracer, build: Callable[..., str]
) -> None:
    nr_mmap, einval = "9", "22"
    program = build("bare", "-static", "-nostdlib", "-fno-stack-protector")
    traced = trace(build("without_syscall"), nr_mmap, einval, program)
    assert traced.report["exit"] == {"code": 0, "signal": None}
    assert traced.count("getppid") == 11
    assert traced.warnings == []
