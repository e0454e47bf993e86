"""``--counts-only`` leaves out times, and nothing else."""

import pytest

from .tracing import Traced, Tracer, example

pytestmark = pytest.mark.exact

TIMES = {"total_ns", "min_ns", "max_ns", "mean_ns", "p50_ns", "p95_ns", "p99_ns", "histogram"}
TIMES.add("estimated")  # the time of a vDSO row, calibrated


def counted(traced: Traced) -> list[object]:
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for _, row in sorted(traced.rows.items())
    ]


@pytest.mark.parametrize(
    "command", [(example("vdso_all"),), ("ls", "/nonexistent", "/usr")], ids=["vdso_all", "ls"]
)
def test_counts_and_errors_are_those_of_a_full_run(trace: Tracer, command: tuple[str, ...]) -> None:
    bare = trace(*command, options=("--counts-only",))
    assert counted(bare) == counted(trace(*command))
    assert not any(TIMES & row.keys() for row in bare.report["calls"])


def test_what_did_not_return_is_unfinished_without_times_too(trace: Tracer) -> None:
    traced = trace(example("threads"), options=("--counts-only",))
    assert traced.row("exit_group")["unfinished"] == 8
    assert traced.row("getppid")["unfinished"] == 0
    assert traced.row("close")["errors"] == {"EBADF": 400_009}
