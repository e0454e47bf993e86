"""vDSO calls, to the last one, and the system calls that are none of them."""

import sys

import pytest

from .tracing import EXAMPLES, VDSO, Traced, Tracer, example

pytestmark = pytest.mark.exact


def vdso_counts(traced: Traced) -> dict[str, int]:
    return {name: row["count"] for (name, via, _), row in traced.rows.items() if via == "vdso"}


def test_every_function_that_glibc_knows_is_counted(trace: Tracer) -> None:
    traced = trace(example("vdso_all"))
    assert vdso_counts(traced) == {
        "clock_gettime": 10_007,
        "gettimeofday": 1_013,
        "time": 1_019,
        "getcpu": 1_021,
        "clock_getres": 1_031,
    }
    assert traced.row("clock_gettime", "vdso")["by_clock"] == {"CLOCK_MONOTONIC": 10_007}
    assert traced.row("clock_getres", "vdso")["by_clock"] == {"CLOCK_MONOTONIC": 1_031}
    assert traced.report["probes"]["vdso"] == "patch"
    assert traced.warnings == []


def test_a_cpu_time_clock_falls_back_and_enters_ring_0_once(trace: Tracer) -> None:
    traced = trace(example("vdso_all"))
    row = traced.row("clock_gettime", "vdso-fallback")
    assert row["count"] == 1_009
    assert row["by_clock"] == {"CLOCK_PROCESS_CPUTIME_ID": 1_009}
    assert row["ring"] == "3->0"
    assert traced.count("clock_gettime", "syscall") == 0
    assert traced.totals["vdso_fallbacks"] == 1_009


def test_static_musl_is_counted(trace: Tracer) -> None:
    traced = trace(example("vdso_all_musl"))
    assert vdso_counts(traced) == {"clock_gettime": 12_039, "getcpu": 1_021}
    assert traced.row("clock_gettime", "vdso")["by_clock"] == {
        "CLOCK_MONOTONIC": 10_007,
        "CLOCK_REALTIME": 2_032,
    }
    assert traced.row("clock_gettime", "vdso-fallback")["by_clock"] == {
        "CLOCK_PROCESS_CPUTIME_ID": 1_009
    }
    assert traced.row("clock_getres", "syscall")["count"] == 1_031
    assert traced.count("clock_gettime", "syscall") == 0


@pytest.mark.parametrize("program", ["time_now", "time_now_recent"])
def test_gos_time_now_stays_in_ring_3(trace: Tracer, program: str) -> None:
    traced = trace(example(program))
    row = traced.row("clock_gettime", "vdso")
    assert row["ring"] == "3"
    # The runtime reads CLOCK_MONOTONIC for itself, too; the other one it does not.
    assert row["by_clock"]["CLOCK_REALTIME"] == 1_000_003
    assert row["by_clock"]["CLOCK_MONOTONIC"] >= 1_000_003
    assert traced.entered_ring_0("clock_gettime") == 0


def test_gos_random_numbers_come_from_the_vdso_that_has_them(trace: Tracer) -> None:
    traced = trace(example("go_random"))
    served, fallen = traced.count("getrandom", "vdso"), traced.count("getrandom", "vdso-fallback")
    if "getrandom" not in VDSO:
        assert traced.count("getrandom", "syscall") >= 10_007
        assert served == fallen == 0
        return
    # One read more than the program's own seeds the runtime.
    assert served + fallen >= 10_007
    assert served > 10_000
    assert fallen >= 1


def test_a_raw_clock_gettime_is_a_system_call_though_the_vdso_has_it(trace: Tracer) -> None:
    traced = trace(example("raw_clock"))
    assert traced.row("clock_gettime", "syscall")["count"] == 100_003
    assert traced.count("clock_gettime", "vdso-fallback") == 0


def test_pythons_clocks_stay_in_ring_3(trace: Tracer) -> None:
    traced = trace(sys.executable, str(EXAMPLES / "clock.py"), "10007")
    by_clock = traced.row("clock_gettime", "vdso")["by_clock"]
    assert by_clock["CLOCK_MONOTONIC"] >= 10_007
    assert by_clock["CLOCK_REALTIME"] >= 10_007
    assert traced.entered_ring_0("clock_gettime") == 0


def test_stress_ng_calls_getcpu_a_hundred_thousand_times(trace: Tracer) -> None:
    stress = ("stress-ng", "--vdso", "1", "--vdso-func", "getcpu", "--vdso-ops", "100000")
    traced = trace(*stress)
    assert traced.process.returncode == 0
    assert traced.row("getcpu", "vdso")["count"] == 100_000
