"""What tracing costs on this machine, tried out when the target has ended: no count changes."""

import subprocess
from collections.abc import Sequence

import pytest

from .attaching import CALLS as ROUND
from .attaching import MODES, attached, round_of
from .live import Live
from .tracing import SYSTRACE, Tracer, example

CALLS = 10_007


@pytest.mark.parametrize("mode", MODES)
def test_attach_says_it_too(trace: Tracer, target: Live, mode: str) -> None:
    with attached(trace, target.process.pid, options=("--vdso", mode)) as systrace:
        round_of(target)
        traced = systrace.detach()
    assert traced.count("clock_gettime", "vdso") == ROUND
    assert traced.report["overhead"]["syscall_ns"] >= 0


@pytest.mark.parametrize("options", [(), ("--counts-only",), ("--vdso", "off")])
def test_a_report_says_what_a_call_cost_and_counts_no_trial(
    trace: Tracer, options: Sequence[str]
) -> None:
    traced = trace(example("getppid"), str(CALLS), options=options)
    assert traced.count("getppid") == CALLS
    assert traced.totals["processes"] == 1
    overhead = traced.report["overhead"]
    assert overhead["syscall_ns"] >= 0
    assert overhead["added_ns"] == pytest.approx(
        traced.totals["ring0_calls"] * overhead["syscall_ns"], rel=0.1
    )
    least, most = overhead["slowdown_least"], overhead["slowdown_most"]
    assert least is None or most is None or 1 <= least <= most


def test_a_trampoline_has_a_cost_of_its_own(trace: Tracer) -> None:
    traced = trace(example("vdso_all"))
    overhead = traced.report["overhead"]
    assert overhead["vdso_ns"] >= 0
    assert overhead["added_ns"] >= traced.totals["ring0_calls"] * overhead["syscall_ns"] * 0.9


def test_what_nobody_measured_is_not_in_the_report(trace: Tracer) -> None:
    """A uprobe's cost is not known, and there were such calls."""
    assert "overhead" not in trace(example("vdso_all"), options=("--vdso", "uprobe")).report


def test_the_table_says_it_when_it_is_asked() -> None:
    argv = [str(SYSTRACE), "run", "--overhead", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "to a system call" in " ".join(done.stderr.split())


@pytest.mark.parametrize("options", [(), ("--follow=signal",)])
def test_programs_that_were_held_are_in_it(trace: Tracer, options: Sequence[str]) -> None:
    script = "; ".join([example("getppid") + " 1"] * 7)
    overhead = trace("sh", "-c", f"{script}; exit", options=options).report["overhead"]
    assert 0 < overhead["held_ns"] < overhead["added_ns"]
