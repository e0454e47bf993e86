"""What tracing cost a run, estimated from what it adds to a call."""

from dataclasses import replace

import pytest

from systrace.options import TableOptions
from systrace.overhead import Costs, estimate
from systrace.render import table
from systrace.report import Call, Overhead, Probes, Report

COSTS = Costs(syscall_ns=200.0, vdso_ns=10.0)


def run(
    report: Report, *calls: Call, cpus: int = 2, threads: int = 1, vdso: str = "patch"
) -> Report:
    return replace(
        report,
        calls=calls,
        elapsed_ns=1_000_000,
        thread_count=threads,
        machine=replace(report.machine, cpus=cpus),
        probes=Probes("tp_btf", vdso),
    )


def ring_0(count: int) -> Call:
    return Call("read", "syscall", "x86_64", count)


def ring_3(count: int) -> Call:
    return Call("clock_gettime", "vdso", "x86_64", count)


def fallback(count: int) -> Call:
    return Call("clock_gettime", "vdso-fallback", "x86_64", count)


def test_each_call_adds_what_it_costs(goapp: Report) -> None:
    cost = estimate(run(goapp, ring_0(1000), ring_3(30_000)), COSTS)
    assert cost == Overhead(200.0, 10.0, 0, 500_000, 2.0, 2.0)


def test_programs_that_were_held_cost_as_long(goapp: Report) -> None:
    cost = estimate(run(goapp, ring_0(1000), threads=2), COSTS._replace(held_ns=300_000))
    assert cost == Overhead(200.0, 10.0, 300_000, 500_000, 4 / 3, None)


def test_a_fallback_pays_in_both_rings(goapp: Report) -> None:
    cost = estimate(run(goapp, fallback(1000)), COSTS)
    assert cost is not None
    assert cost.added_ns == 210_000


@pytest.mark.parametrize("vdso", ["off", "none", "removed", "uncounted"])
def test_a_vdso_that_nobody_counts_costs_nothing(goapp: Report, vdso: str) -> None:
    report = run(goapp, fallback(1000), vdso=vdso)
    cost = estimate(report, Costs(200.0, None))
    assert cost is not None
    assert cost.added_ns == 200_000


@pytest.mark.parametrize(
    ("threads", "cpus", "slowdown"), [(1, 8, 2.0), (2, 8, 4 / 3), (8, 2, 4 / 3), (4, 4, 8 / 7)]
)
def test_threads_share_what_is_added_as_far_as_cpus_go(
    goapp: Report, threads: int, cpus: int, slowdown: float
) -> None:
    cost = estimate(run(goapp, ring_0(2500), threads=threads, cpus=cpus), COSTS)
    assert cost is not None
    assert cost.slowdown_least == pytest.approx(slowdown)
    assert cost.slowdown_most == (slowdown if threads == 1 else None)


def test_with_breakpoints_nobody_knows_the_most(goapp: Report) -> None:
    cost = estimate(run(goapp, ring_0(1000), vdso="breakpoint"), COSTS)
    assert cost == Overhead(200.0, 10.0, 0, 200_000, 1.25, None)


def test_more_than_the_run_took_is_no_slowdown(goapp: Report) -> None:
    cost = estimate(run(goapp, ring_0(5000)), COSTS)
    assert cost == Overhead(200.0, 10.0, 0, 1_000_000, None, None)


@pytest.mark.parametrize("costs", [Costs(None, 10.0), Costs(200.0, None)])
def test_a_cost_that_nobody_knows_is_not_taken_for_0(goapp: Report, costs: Costs) -> None:
    assert estimate(run(goapp, ring_0(1), ring_3(1)), costs) is None


def test_a_cost_of_calls_that_were_not_made_need_not_be_known(goapp: Report) -> None:
    cost = estimate(run(goapp, ring_0(1000)), Costs(200.0, None))
    assert cost == Overhead(200.0, None, 0, 200_000, 1.25, 1.25)


def said(report: Report, overhead: Overhead | None) -> str:
    text = table.render(replace(report, overhead=overhead), TableOptions(overhead=True, width=200))
    (line,) = [line for line in text.splitlines() if line.startswith(("Tracing", "What tracing"))]
    return line


def test_the_table_says_it_where_it_was_asked_for(goapp: Report) -> None:
    assert said(goapp, Overhead(229.4, 6.04, 0, 12_300_000, 1.084, 1.084)) == (
        "Tracing adds 229 ns to a system call and 6 ns to a vDSO call here: about 12.3 ms to this "
        "run, summed over threads; it took about 8.4 % longer than without."
    )
    assert "Tracing" not in table.render(
        replace(goapp, overhead=Overhead(1.0, 1.0, 0, 1, 1.0, 1.0)), TableOptions()
    )


def test_the_table_says_what_it_does_not_know(goapp: Report) -> None:
    assert said(goapp, None) == "What tracing cost was not measured."
    assert said(goapp, Overhead(200.0, None, 0, 70_000_000, None, None)) == (
        "Tracing adds 200 ns to a system call here: about 70.0 ms to this run, summed over "
        "threads; that is more than it took."
    )
    held = Overhead(200.0, None, 9_000_000, 10_000_000, 1.5, None)
    assert said(goapp, held) == (
        "Tracing adds 200 ns to a system call here, and held programs at their start for 9.00 ms: "
        "about 10.0 ms to this run, summed over threads; it took at least 50 % longer than without."
    )
    alone = said(goapp, Overhead(200.0, None, 0, 40_000_000, 1.5, None))
    assert alone.endswith("it took at least 50 % longer than without.")
    many = said(goapp, Overhead(200.0, None, 0, 7, 25.5, 25.5))
    assert many.endswith("it took about 2,450 % longer than without.")


def test_what_a_selection_left_out_is_said_to_cost_too(goapp: Report) -> None:
    some = replace(goapp, selected=True)
    text = said(some, Overhead(200.0, None, 0, 70, 1.0, 1.0))
    assert "summed over threads, and more for calls that -e left out; it took" in text
