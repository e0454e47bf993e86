"""What a seccomp filter answers never entered the call: it is counted apart."""

from collections.abc import Callable

import pytest

from .tracing import Tracer

pytestmark = pytest.mark.exact


def test_calls_that_a_filter_answered_are_filtered_and_not_counted(
    trace: Tracer, build: Callable[..., str]
) -> None:
    traced = trace(build("denied"))
    assert traced.process.returncode == 0
    row = traced.row("getppid")
    assert (row["filtered"], row["count"], row["errors"]) == (1_009, 0, {})
    allowed = traced.row("getuid")
    assert (allowed["filtered"], allowed["count"]) == (0, 1_013)


def test_nothing_is_filtered_in_a_program_without_a_filter(
    trace: Tracer, build: Callable[..., str]
) -> None:
    traced = trace(build("clocks"))
    assert {row.get("filtered", 0) for row in traced.rows.values()} == {0}
