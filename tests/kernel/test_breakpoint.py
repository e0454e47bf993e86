"""eBPF on hardware breakpoints counts what trampolines count, and changes nothing."""

import errno
import os
import signal
import sys
from collections.abc import Callable

import pytest

from systrace import perf_event

from .tracing import EXAMPLES, VDSO, Traced, Tracer, example

pytestmark = pytest.mark.exact

Build = Callable[..., str]
BREAKPOINT = ("--vdso", "breakpoint")
COVERED = ("clock_gettime", "gettimeofday", "time", "getrandom")


def covered(traced: Traced) -> dict[tuple[str, str, str], int]:
    return {
        key: row["count"]
        for key, row in traced.rows.items()
        if key[0] in COVERED and key[1] in ("vdso", "vdso-fallback")
    }


def only_the_usual_warnings(traced: Traced) -> bool:
    cost, left_out = traced.warnings
    assert "us longer" in cost
    assert left_out.endswith("were not counted: a CPU has 4 breakpoints")
    return True


@pytest.mark.parametrize("program", ["vdso_all", "vdso_all_musl"])
def test_breakpoints_and_trampolines_agree(trace: Tracer, program: str) -> None:
    patched = trace(example(program), options=("--vdso", "patch"))
    held = trace(example(program), options=BREAKPOINT)
    assert held.report["probes"]["vdso"] == "breakpoint"
    assert covered(held) == covered(patched)
    row = held.row("clock_gettime", "vdso")
    assert row["by_clock"] == patched.row("clock_gettime", "vdso")["by_clock"]
    assert only_the_usual_warnings(held)


def test_what_no_breakpoint_is_left_for_is_named(trace: Tracer) -> None:
    traced = trace(example("vdso_all"), options=BREAKPOINT)
    wanted = ("clock_gettime", "gettimeofday", "getrandom", "time", "clock_getres")
    left_out = VDSO - set([name for name in wanted if name in VDSO][:4])
    assert [traced.count(name, "vdso") for name in left_out] == [0] * len(left_out)
    assert f"vDSO calls of {', '.join(sorted(left_out))} were not counted" in traced.warnings[1]


def test_threads_and_forked_children_are_counted_to_the_last_call(
    trace: Tracer, build: Build
) -> None:
    traced = trace(build("clocks"), options=BREAKPOINT)
    assert traced.row("clock_gettime", "vdso")["by_clock"] == {"CLOCK_MONOTONIC": 120_084}
    assert only_the_usual_warnings(traced)


def test_children_that_exec_are_counted(trace: Tracer) -> None:
    script = f"{example('vdso_all')}; {example('vdso_all_musl')}; ({example('vdso_all')}); exec "
    traced = trace("sh", "-c", script + example("vdso_all"), options=BREAKPOINT)
    assert traced.row("clock_gettime", "vdso")["count"] == 3 * 10_007 + 12_039
    assert traced.row("clock_gettime", "vdso-fallback")["count"] == 4 * 1_009
    assert traced.row("time", "vdso")["count"] == 3 * 1_019
    assert only_the_usual_warnings(traced)


def test_a_shell_that_execs_while_its_child_lives_is_counted(trace: Tracer) -> None:
    program = example("vdso_all")
    script = f"({program}; {program}) & exec sh -c '{program}; sleep 2'"
    traced = trace("sh", "-c", script, options=BREAKPOINT)
    assert traced.row("clock_gettime", "vdso")["count"] == 3 * 10_007
    assert only_the_usual_warnings(traced)


def test_python_is_counted(trace: Tracer) -> None:
    traced = trace(sys.executable, str(EXAMPLES / "clock.py"), "1009", options=BREAKPOINT)
    by_clock = traced.row("clock_gettime", "vdso")["by_clock"]
    assert by_clock["CLOCK_REALTIME"] >= 1_009
    assert by_clock["CLOCK_MONOTONIC"] >= 1_009


def test_auto_takes_breakpoints_where_memory_cannot_be_mapped(trace: Tracer) -> None:
    # less than the program and its trampolines need, and enough for a static program
    limited = ("prlimit", "--as=155648", example("vdso_all_musl"))
    traced = trace(*limited)
    assert traced.process.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 12_039
    assert any("1 program were counted by breakpoints" in line for line in traced.warnings)


def test_a_survivor_keeps_no_breakpoint(trace: Tracer) -> None:
    traced = trace("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!", options=BREAKPOINT)
    survivor = int(traced.process.stdout)
    try:
        assert "TracerPid:\t0" in open(f"/proc/{survivor}/status").read()  # noqa: PTH123, SIM115
        with pytest.raises(OSError, match="descriptor") as refused:
            perf_event.open_breakpoint(survivor, 0x400000, -1, threads=True)
        # the slot was there; only the program was not
        assert refused.value.errno == errno.EBADF
    finally:
        os.kill(survivor, signal.SIGKILL)
