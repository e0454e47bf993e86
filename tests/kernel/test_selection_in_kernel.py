"""``-e`` is decided in the kernel: what is left out is in no row and in no total."""

import pytest

from .tracing import Tracer, example

pytestmark = pytest.mark.exact

SOCKETS = """
import _socket
for _ in range(13):
    _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM).close()
open("/dev/null").close()
"""


def test_a_name_selects_its_row_alone(trace: Tracer) -> None:
    traced = trace(example("threads"), options=("-e", "getppid"))
    assert {name for name, _, _ in traced.rows} == {"getppid"}
    assert traced.totals["ring0_calls"] == 400_009
    assert traced.totals["errors"] == 0
    assert (traced.totals["processes"], traced.totals["threads"]) == (8, 32)


def test_a_negated_name_leaves_its_row_out(trace: Tracer) -> None:
    traced = trace(example("threads"), options=("-e", "!close"))
    assert ("close", "syscall", "x86_64") not in traced.rows
    assert traced.row("getppid")["count"] == 400_009
    assert traced.row("execve")["count"] == 1


def test_a_class_selects_all_of_its_calls(trace: Tracer) -> None:
    command = ("/usr/bin/python3", "-S", "-c", SOCKETS)
    traced = trace(*command, options=("-e", "%network"))
    assert traced.row("socket")["count"] == 13
    assert {name for name, _, _ in traced.rows} <= {"socket", "getsockname", "getsockopt"}


def test_a_selection_holds_for_calls_that_stay_in_ring_3_and_for_fallbacks(
    trace: Tracer,
) -> None:
    traced = trace(example("vdso_all"), options=("-e", "clock_gettime"))
    assert {key: row["count"] for key, row in traced.rows.items()} == {
        ("clock_gettime", "vdso", "x86_64"): 10_007,
        ("clock_gettime", "vdso-fallback", "x86_64"): 1_009,
    }
    traced = trace(example("vdso_all"), options=("-e", "!clock_gettime"))
    assert "clock_gettime" not in {name for name, _, _ in traced.rows}
    assert traced.totals["ring3_calls"] == 1_013 + 1_019 + 1_021 + 1_031
