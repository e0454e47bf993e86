"""Children are counted, or left out; threads are the target's own."""

import pytest

from .tracing import Tracer, example

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


def test_a_child_that_executes_another_program_is_still_counted(trace: Tracer) -> None:
    traced = trace("sh", "-c", f"{example('getppid')} 1009; {example('getppid')} 1013")
    assert traced.row("getppid")["count"] == 1_009 + 1_013 + own_getppid(trace)


def own_getppid(trace: Tracer) -> int:
    """How often sh itself asks for its parent."""
    return trace("sh", "-c", ":").count("getppid")
