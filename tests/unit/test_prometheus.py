"""The report as Prometheus text, read back by the official client's parser."""

import ast
from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from systrace.options import TableOptions
from systrace.render.prometheus import label, render
from systrace.report import Attached, Call, Exit, Overhead, Probes, Process, Report

from .conftest import HOSTILE, TEXT

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(report: Report) -> Series:
    """Every series with its value; none may be there twice."""
    text = render(report, TableOptions())
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    assert all(family.type != "unknown" and family.documentation for family in families)
    samples: list[Sample] = list(chain.from_iterable(family.samples for family in families))
    assert all(sample.timestamp is None for sample in samples)
    series = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(series) == len(samples)
    # The exporter joins files: what has no command would clash with another program's.
    assert all("command" in sample.labels for sample in samples)
    return series


def of(series: Series, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
    return {
        found: value
        for (called, found), value in series.items()
        if called == f"systrace_{name}" and found >= set(labels.items())
    }


def value(series: Series, name: str, **labels: str) -> float:
    (found,) = of(series, name, **labels).values()
    return found


FUTEX = {"call": "futex", "via": "syscall", "ring": "3->0", "abi": "x86_64", "command": "goapp"}


def test_every_row_is_a_counter_with_its_ring(goapp: Report) -> None:
    series = read(goapp)
    assert len(of(series, "calls_total")) == 4
    assert value(series, "calls_total", **FUTEX) == 29
    assert value(series, "calls_total", call="clock_gettime", via="vdso", ring="3") == 2_000_152
    assert value(series, "ring_calls_total", ring="3") == 2_000_152
    assert value(series, "ring_calls_total", ring="3->0") == 155
    assert value(series, "calls_by_clock_total", clock="CLOCK_REALTIME", ring="3") == 1_000_003
    assert value(series, "call_errors_total", **FUTEX, error="ETIMEDOUT") == 1
    assert value(series, "call_restarts_total", **FUTEX) == 3
    assert value(series, "lost_calls_total") == 0


def test_what_did_not_happen_is_no_series(goapp: Report) -> None:
    series = read(goapp)
    assert len(of(series, "call_errors_total")) == len(of(series, "call_restarts_total")) == 1
    assert not of(series, "filtered_calls_total")
    futex = replace(goapp.calls[1], filtered=2, unfinished=4)
    series = read(replace(goapp, calls=(futex,)))
    assert value(series, "filtered_calls_total", **FUTEX) == 2
    assert value(series, "unfinished_calls_total", **FUTEX) == 4
    # Times are of the calls that returned.
    assert value(series, "call_duration_seconds_count", **FUTEX) == 25


def test_times_are_seconds_and_quantiles_those_of_the_report(goapp: Report) -> None:
    series = read(goapp)
    seconds = {"0": 900e-9, "0.5": 2e-6, "0.95": 0.066, "0.99": 0.067, "1": 0.067}
    for quantile, expected in seconds.items():
        found = value(series, "call_duration_seconds", **FUTEX, quantile=quantile)
        assert found == pytest.approx(expected, rel=1e-12)
    assert value(series, "call_duration_seconds_sum", **FUTEX) == pytest.approx(0.135)
    assert value(series, "call_duration_seconds_count", **FUTEX) == 29


def test_estimates_are_kept_apart_from_what_was_measured(goapp: Report) -> None:
    series = read(goapp)
    assert value(series, "call_estimated_seconds_total", via="vdso") == pytest.approx(0.042)
    assert len(of(series, "call_estimated_seconds_total")) == 1
    assert not of(series, "call_duration_seconds_sum", via="vdso")
    assert len(of(series, "call_duration_seconds_sum")) == 3


def test_facts_of_the_run_are_gauges(goapp: Report) -> None:
    series = read(replace(goapp, lost=7, warnings=("a", "b"), longest_stop_ns=2_500_000))
    assert value(series, "run_info", vdso="patch", clocksource="tsc", selected="false") == 1
    assert value(series, "run_duration_seconds") == pytest.approx(0.0672)
    assert value(series, "run_start_time_seconds") == 1_795_341_600  # date -d 2026-11-22T10:00Z +%s
    assert value(series, "run_processes") == 1
    assert value(series, "run_threads") == 4
    assert value(series, "run_warnings") == 2
    assert value(series, "run_longest_stop_seconds") == 0.0025
    assert value(series, "lost_calls_total") == 7
    assert not of(read(goapp), "run_longest_stop_seconds")


def test_what_tracing_cost_is_there_where_it_is_known(goapp: Report) -> None:
    series = read(replace(goapp, overhead=Overhead(200.0, 10.0, 3_000_000, 8_000_000, 1.5, 2.0)))
    assert value(series, "run_added_seconds") == 0.008
    assert value(series, "run_held_seconds") == 0.003
    assert value(series, "call_added_seconds", ring="3") == 10e-9
    assert value(series, "call_added_seconds", ring="3->0") == 200e-9
    some = read(replace(goapp, overhead=Overhead(200.0, None, 0, 0, None, None)))
    assert len(of(some, "call_added_seconds")) == 1
    assert not of(read(goapp), "run_added_seconds")


@pytest.mark.parametrize(
    ("end", "code", "signal"),
    [(Exit(code=3), [3.0], []), (Exit(signal=9), [], [9.0]), (Exit(), [], [])],
)
def test_how_it_ended_is_a_status_or_a_signal(
    goapp: Report, end: Exit, code: list[float], signal: list[float]
) -> None:
    series = read(replace(goapp, exit=end))
    assert list(of(series, "run_exit_code").values()) == code
    assert list(of(series, "run_exit_signal").values()) == signal


def test_an_interval_begins_when_it_began(goapp: Report) -> None:
    series = read(replace(goapp, since_ns=1_500_000_000))
    assert value(series, "run_start_time_seconds") == 1_795_341_601.5


def test_a_ring_that_nobody_counted_has_no_series(goapp: Report) -> None:
    off = replace(goapp, calls=goapp.calls[1:], probes=Probes("raw_tracepoint", "off"))
    assert not of(read(off), "ring_calls_total", ring="3")
    assert value(read(off), "ring_calls_total", ring="3->0") == 155
    none = replace(off, probes=Probes("raw_tracepoint", "none"))
    assert value(read(none), "ring_calls_total", ring="3") == 0


def test_command_is_a_name_without_directory_or_arguments(goapp: Report) -> None:
    def command(report: Report) -> set[str]:
        return {dict(labels)["command"] for _, labels in read(report)}

    assert command(replace(goapp, command=("/opt/x y/app", "--password", "s3cret"))) == {"app"}
    # Where it was attached to, the process's.
    assert command(replace(goapp, command=())) == {"goapp"}
    assert command(replace(goapp, command=(), processes=())) == {""}
    assert command(replace(goapp, command=(), attached=(Attached(7, "bash"),))) == {"bash"}


def test_warnings_are_comments_of_one_line(goapp: Report) -> None:
    text = render(replace(goapp, warnings=('x\nsystrace_calls_total{call="a"} 9',)), TableOptions())
    assert text.startswith('# Warning: x\\nsystrace_calls_total{call="a"} 9\n# HELP ')


def test_processes_are_summed_by_name_and_names_are_not_endless(goapp: Report) -> None:
    def process(pid: int, comm: str, count: int) -> Process:
        calls = (Call("read", "syscall", "x86_64", count), Call("time", "vdso", "x86_64", 1))
        return Process(pid, 1, comm, calls=calls)

    few = (process(1, "sh", 3), process(2, "sh", 4), process(3, "ls", 5))
    series = read(replace(goapp, processes=few))
    assert value(series, "process_calls_total", comm="sh", ring="3->0") == 7
    assert value(series, "process_calls_total", comm="sh", ring="3") == 2
    assert value(series, "process_calls_total", comm="ls", ring="3->0") == 5
    many = tuple(process(n, f"p{n}", n) for n in range(250))
    series = read(replace(goapp, processes=many))
    comms = {dict(labels)["comm"] for labels in of(series, "process_calls_total")}
    assert len(comms) == 101
    assert value(series, "process_calls_total", comm="(others)", ring="3->0") == sum(range(150))
    assert value(series, "process_calls_total", comm="p249", ring="3->0") == 249


@settings(max_examples=200, deadline=None)
@given(text=HOSTILE | TEXT)
def test_a_label_is_printable_and_says_which_text_it_was(text: str) -> None:
    written = label(text)
    assert written.isprintable()
    written.encode()
    # An escaped one is a Python literal without its quotes; no other holds a backslash.
    literal = written.replace('"', r"\"")
    assert (ast.literal_eval(f'"{literal}"') if "\\" in written else written) == text


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_report_is_read_back(reports: st.SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    series = read(report)
    for call in report.calls:
        labels = {"call": label(call.name), "via": call.via, "ring": call.ring, "abi": call.abi}
        assert value(series, "calls_total", **labels) == call.count
        for error, count in call.errors.items():
            assert value(series, "call_errors_total", **labels, error=label(error)) == count
    assert len(of(series, "calls_total")) == len(report.calls)
    assert value(series, "lost_calls_total") == report.lost
    by_ring = Counter[str]()
    for process in report.processes:
        for call in process.calls:
            by_ring[call.ring] += call.count
    for ring, count in by_ring.items():
        assert sum(of(series, "process_calls_total", ring=ring).values()) == count
