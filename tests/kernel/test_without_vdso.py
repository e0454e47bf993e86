"""Without its vDSO a program makes system calls, as many as the vDSO served before."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from .tracing import EXAMPLES, HANGS_S, SYSTRACE, Tracer, example

pytestmark = pytest.mark.exact

WITHOUT = ("--without-vdso",)


def test_gos_time_now_enters_ring_0(trace: Tracer) -> None:
    traced = trace(example("time_now"), options=WITHOUT)
    # the runtime reads the clock for itself, the more often the longer it takes
    assert 2_000_006 <= traced.count("clock_gettime") < 2_010_000
    assert traced.totals["ring3_calls"] == traced.totals["vdso_fallbacks"] == 0
    assert traced.report["probes"]["vdso"] == "removed"
    assert traced.warnings == []


def test_every_function_that_glibc_knows_is_a_system_call(trace: Tracer) -> None:
    traced = trace(example("vdso_all"), options=WITHOUT)
    assert traced.row("clock_gettime")["count"] == 10_007 + 1_009
    assert traced.row("gettimeofday")["count"] == 1_013
    assert traced.row("time")["count"] == 1_019
    assert traced.row("getcpu")["count"] == 1_021
    assert traced.row("clock_getres")["count"] == 1_031
    assert {via for _, via, _ in traced.rows} == {"syscall"}


def test_static_musl_makes_system_calls(trace: Tracer) -> None:
    traced = trace(example("vdso_all_musl"), options=WITHOUT)
    assert traced.row("clock_gettime")["count"] == 12_039 + 1_009
    assert traced.row("getcpu")["count"] == 1_021
    assert {via for _, via, _ in traced.rows} == {"syscall"}


def test_python_makes_system_calls(trace: Tracer) -> None:
    traced = trace(sys.executable, str(EXAMPLES / "clock.py"), "10007", options=WITHOUT)
    assert traced.count("clock_gettime") >= 2 * 10_007
    assert traced.totals["ring3_calls"] == 0


def test_a_32_bit_program_makes_system_calls(trace: Tracer, build: Callable[..., str]) -> None:
    traced = trace(build("clocks", "-m32"), options=WITHOUT)
    calls = [row for row in traced.report["calls"] if row["name"].startswith("clock_gettime")]
    assert sum(row["count"] for row in calls) == 120_084
    assert {row["abi"] for row in calls} == {"i386"}
    assert traced.warnings == []


def test_children_that_exec_have_none_either(trace: Tracer) -> None:
    script = f"{example('vdso_all')}; {example('vdso_all_musl')}; ({example('vdso_all')})"
    traced = trace("sh", "-c", script, options=WITHOUT)
    assert traced.row("clock_gettime")["count"] == 2 * 11_016 + 13_048
    assert traced.row("clock_getres")["count"] == 3 * 1_031
    assert {via for _, via, _ in traced.rows} == {"syscall"}
    assert traced.warnings == []


def test_a_large_environment_does_not_hide_the_vector(trace: Tracer) -> None:
    environment = {f"V{number}": "x" * 100 for number in range(10_000)}
    traced = trace(example("vdso_all"), options=WITHOUT, env=environment)
    assert traced.row("getcpu")["count"] == 1_021


@pytest.mark.parametrize("mode", ["patch", "uprobe", "breakpoint"])
def test_a_way_to_count_vdso_calls_does_not_go_with_it(mode: str) -> None:
    argv = [str(SYSTRACE), "run", "--without-vdso", "--vdso", mode, "true"]
    ended = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=HANGS_S)
    assert ended.returncode == 125
    assert ended.stderr.count("\n") == 1
    assert f"--vdso {mode}" in ended.stderr
