"""eBPF sees the initial namespace's numbers; systrace and its target may live in others."""

import pytest

from .tracing import Tracer, example

pytestmark = pytest.mark.exact

NESTED = ("unshare", "--pid", "--fork", "--mount-proc")
TWICE_NESTED = (*NESTED, *NESTED)


@pytest.mark.parametrize("prefix", [NESTED, TWICE_NESTED], ids=["nested", "twice nested"])
def test_systrace_inside_a_pid_namespace_misses_no_call(
    trace: Tracer, prefix: tuple[str, ...]
) -> None:
    traced = trace(example("getppid"), prefix=prefix)
    assert traced.process.returncode == 0
    assert traced.row("getppid")["count"] == 1_000_003
    assert traced.row("execve")["count"] == 1


def test_inside_a_pid_namespace_children_and_threads_are_followed(trace: Tracer) -> None:
    traced = trace(example("threads"), prefix=NESTED)
    assert traced.row("getppid")["count"] == 400_009
    assert traced.row("close")["errors"] == {"EBADF": 400_009}
    assert (traced.totals["processes"], traced.totals["threads"]) == (8, 32)


def test_inside_a_pid_namespace_vfork_and_wait4_are_exact(trace: Tracer) -> None:
    traced = trace(example("vfork_wait"), prefix=NESTED)
    assert traced.row("vfork")["count"] == traced.row("wait4")["count"] == 1_009
    assert traced.totals["processes"] == 1_010


def test_inside_a_pid_namespace_vdso_calls_are_exact(trace: Tracer) -> None:
    traced = trace(example("vdso_all"), prefix=NESTED)
    assert traced.row("clock_gettime", "vdso")["count"] == 10_007
    assert traced.row("clock_gettime", "vdso-fallback")["count"] == 1_009


def test_inside_a_pid_namespace_the_report_shows_its_numbers(trace: Tracer) -> None:
    traced = trace("sh", "-c", "echo $$", prefix=NESTED)
    assert traced.report["processes"][0]["pid"] == int(traced.process.stdout)


def test_a_target_that_forks_into_a_deeper_namespace_is_followed(trace: Tracer) -> None:
    traced = trace("unshare", "--pid", "--fork", example("threads"))
    assert traced.row("getppid")["count"] == 400_009
    assert traced.row("close")["errors"]["EBADF"] == 400_009
    # unshare itself, which forks once, and the eight
    assert traced.totals["processes"] == 9
    # and they are listed with the numbers that systrace's own namespace gives them
    pids = [process["pid"] for process in traced.report["processes"]]
    assert 0 not in pids
    assert len(set(pids)) == 9
    parents = {process["ppid"] for process in traced.report["processes"][1:]}
    assert parents == set(pids[:2])
