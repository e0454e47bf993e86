"""System calls, to the last one."""

import pytest

from .tracing import Tracer, example

pytestmark = pytest.mark.exact


def test_a_million_and_three_calls_of_getppid_are_as_many(trace: Tracer) -> None:
    traced = trace(example("getppid"))
    row = traced.row("getppid")
    assert row["count"] == 1_000_003
    assert (row["ring"], row["errors"], row["unfinished"]) == ("3->0", {}, 0)
    assert traced.totals["processes"] == traced.totals["threads"] == 1


def test_eight_processes_of_four_threads_are_counted_to_the_last_call_and_errno(
    trace: Tracer,
) -> None:
    traced = trace(example("threads"))
    assert traced.row("getppid")["count"] == 400_009
    assert traced.row("getppid")["errors"] == {}
    assert traced.row("close")["errors"] == {"EBADF": 400_009}
    assert traced.totals["processes"] == 8
    assert traced.totals["threads"] == 32
    assert len(traced.report["processes"]) == 8


def test_vfork_is_counted_once_though_it_returns_twice(trace: Tracer) -> None:
    traced = trace(example("vfork_wait"))
    for name in ("vfork", "wait4"):
        assert traced.row(name)["count"] == 1_009
        assert traced.row(name)["unfinished"] == 0
        assert traced.row(name)["errors"] == {}
    exits = traced.row("exit_group")
    assert exits["count"] == exits["unfinished"] == 1_010
    assert traced.totals["processes"] == traced.totals["threads"] == 1_010
    assert len(traced.report["processes"]) == 1_010


def test_the_first_call_is_the_targets_own_execve(trace: Tracer) -> None:
    traced = trace(example("getppid"), "0")
    assert traced.row("execve")["count"] == 1
    assert traced.row("execve")["errors"] == {}
    assert ("getppid", "syscall", "x86_64") not in traced.rows


def test_exit_group_never_returns(trace: Tracer) -> None:
    row = trace(example("getppid"), "1").row("exit_group")
    assert (row["count"], row["unfinished"]) == (1, 1)
    assert "total_ns" not in row
