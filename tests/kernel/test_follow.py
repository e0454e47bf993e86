"""Children are counted, or left out; threads are the target's own."""

from collections.abc import Callable

import pytest

from .tracing import Key, Tracer, example

pytestmark = pytest.mark.exact

# 400,009 are 32 times 12,500 and 9: the first nine workers make one call more, and the first
# four workers are the first process.
FIRST_PROCESS = 4 * 12_501


def test_no_follow_counts_the_targets_threads_and_no_child(trace: Tracer) -> None:
    traced = trace(example("threads"), options=("--no-follow",))
    assert traced.row("getppid")["count"] == FIRST_PROCESS
    assert traced.row("close")["errors"] == {"EBADF": FIRST_PROCESS}
    assert (traced.totals["processes"], traced.totals["threads"]) == (1, 4)
    assert traced.row("exit_group")["count"] == 1
    assert traced.report["without_children"]
    assert "without_children" not in trace("true").report


def test_no_follow_counts_vfork_and_not_what_its_child_does(trace: Tracer) -> None:
    traced = trace(example("vfork_wait"), options=("--no-follow",))
    assert traced.row("vfork")["count"] == traced.row("wait4")["count"] == 1_009
    assert traced.row("exit_group")["count"] == 1
    assert traced.warnings == []
    assert "incomplete" not in traced.report


def test_no_follow_says_which_vdso_calls_may_be_of_children_that_share_memory(
    trace: Tracer, build: Callable[..., str]
) -> None:
    traced = trace(build("forks"), options=("--no-follow",))
    own, of_vfork, of_clone = 1_033 + 1_061, 1_051, 1_019
    assert traced.count("clock_gettime", "vdso") == own + of_vfork + of_clone
    assert [warning.partition(":")[0] for warning in traced.warnings] == [
        f"up to {of_vfork:,} vDSO calls of children were counted with the parent's",
        "vDSO calls of 1 child, if any, were counted with the parent's",
    ]
    assert traced.report["incomplete"] == ["vdso"]
    untouched = trace(build("forks"), options=("--no-follow", "--vdso", "breakpoint"))
    assert untouched.count("clock_gettime", "vdso") == own
    assert "vdso" not in untouched.report["incomplete"]


@pytest.mark.parametrize("by_process", [(), ("-P",)], ids=["", "by process"])
@pytest.mark.parametrize("mode", ["patch", "uprobe", "breakpoint"])
def test_no_follow_counts_no_vdso_call_of_a_forked_child(
    trace: Tracer, build: Callable[..., str], mode: str, by_process: tuple[str, ...]
) -> None:
    traced = trace(build("clocks"), options=("--no-follow", "--vdso", mode, *by_process))
    assert traced.row("clock_gettime", "vdso")["by_clock"] == {"CLOCK_MONOTONIC": 4 * 10_007}
    assert traced.totals["processes"] == 1
    assert mode == "breakpoint" or traced.warnings == []


def test_what_leaves_forked_children_out_adds_no_system_call(trace: Tracer) -> None:
    def ring_0(*options: str) -> dict[Key, int]:
        rows = trace(example("vdso_all"), options=options).rows
        return {key: row["count"] for key, row in rows.items() if row["ring"] == "3->0"}

    assert ring_0("--no-follow") == ring_0("--no-follow", "--vdso", "off")


def test_a_child_that_executes_another_program_is_still_counted(trace: Tracer) -> None:
    traced = trace("sh", "-c", f"{example('getppid')} 1009; {example('getppid')} 1013")
    assert traced.row("getppid")["count"] == 1_009 + 1_013 + own_getppid(trace)


def own_getppid(trace: Tracer) -> int:
    """How often sh itself asks for its parent."""
    return trace("sh", "-c", ":").count("getppid")
