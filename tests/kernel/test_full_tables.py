"""The kernel's tables when they are full: what found no place is told, to the last one."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .attaching import CALLS
from .leftovers import nothing_left
from .live import started
from .tracing import HANGS_S, Tracer, example

SMALL = Path(__file__).with_name("small.py")
CLOCK = ("clock_gettime", "vdso")

Report = dict[str, Any]


def small(trace: Tracer, *definitions: str, command: tuple[str, ...]) -> list[str]:
    """The command line of a systrace whose tables have these sizes."""
    python = (sys.executable, "-I", str(SMALL), str(trace.output.parent / "probes"))
    return [*python, *definitions, "--", *trace.argv(*command)[1:]]


def run(trace: Tracer, *definitions: str, command: tuple[str, ...], options: str = "") -> Report:
    argv = small(trace, *definitions, command=command)
    at = argv.index("-q")
    with nothing_left() as environment:
        done = subprocess.run(
            [*argv[:at], *options.split(), *argv[at:]],
            check=False,
            capture_output=True,
            timeout=HANGS_S,
            env=environment,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    report: Report = json.loads(trace.output.read_text())
    return report


def told(report: Report, what: str) -> int:
    """The number in the one warning that says this, 0 if there is none."""
    found = [line for line in report["warnings"] if what in line]
    assert len(found) <= 1
    return int(re.findall(r"^[\d,]+", found[0])[0].replace(",", "")) if found else 0


def of(report: Report, name: str, key: str = "count") -> int:
    return sum(row.get(key, 0) for row in report["calls"] if row["name"] == name)


def test_calls_of_more_kinds_than_there_are_rows_are_lost_by_their_number(trace: Tracer) -> None:
    whole = trace(example("vdso_all_musl")).report
    report = run(trace, "MAX_ROWS=5", command=(example("vdso_all_musl"),))
    assert whole["totals"]["lost"] == 0
    lost = report["totals"]["lost"]
    assert lost == told(report, "more kinds of calls than rows") > 0
    assert report["totals"]["ring0_calls"] + lost == whole["totals"]["ring0_calls"]
    # what has a row is whole
    rows = [
        {row["name"]: row["count"] for row in calls if row["ring"] == "3->0"}
        for calls in (report["calls"], whole["calls"])
    ]
    assert rows[0].items() <= rows[1].items()
    assert len(rows[0]) == 5 < len(rows[1])


def test_errors_of_more_kinds_than_are_kept_are_told_by_their_number_and_their_calls_counted(
    trace: Tracer,
) -> None:
    command = (example("threads"), "10007")
    failed = trace(*command).totals["errors"]
    report = run(trace, "MAX_ERRORS=1", command=command)
    assert of(report, "close") == of(trace(*command).report, "close")
    lost = told(report, "errors were not kept")
    assert lost > 0
    assert report["totals"]["errors"] + lost == failed
    assert report["incomplete"] == ["errors"]


def test_threads_that_find_no_place_are_told_by_their_number(
    trace: Tracer, build: Callable[..., str]
) -> None:
    threads = 23
    command = (build("on_signal"), str(threads))
    argv = small(trace, "_SLOT_BITS=1", "_MOST_THREADS=3", command=command)
    with nothing_left() as environment, started(*argv, env=environment) as live:
        assert live.line() == "ready"
        target = live.target()
        os.kill(target, signal.SIGUSR1)
        assert live.line() == "done"
        os.kill(target, signal.SIGTERM)
        live.process.communicate(timeout=HANGS_S)
    report = json.loads(trace.output.read_text())
    lost = told(report, "threads were not followed")
    assert lost > 0
    assert report["totals"]["threads"] + lost == threads + 1
    assert report["incomplete"] == ["threads"]
    # their vDSO calls are counted where they are made
    assert of(report, "clock_gettime") == threads * CALLS // 8


FORKS = """
import os, time
read, write = os.pipe()
for child in range(53):
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)
        for _ in range(101): time.time_ns()
        os._exit(os.getppid() == 0)
os.close(write)
for child in range(53): os.wait()
"""
COMMAND = ("/usr/bin/python3", "-S", "-c", FORKS)


def test_processes_that_find_no_place_are_counted_and_told_by_their_number(trace: Tracer) -> None:
    report = run(trace, "MOST_PROCESSES=7", command=COMMAND)
    lost = told(report, "processes are counted, and not listed")
    assert lost > 0
    assert len(report["processes"]) + lost == 54
    (clock,) = (row for row in report["calls"] if (row["name"], row["via"]) == CLOCK)
    assert clock["by_clock"]["CLOCK_REALTIME"] == 53 * 101
    assert of(report, "getppid") == 53
    assert report["totals"]["lost"] == 0


def test_calls_that_find_no_place_by_process_are_counted_and_told_by_their_number(
    trace: Tracer,
) -> None:
    sizes = ("MOST_PROCESSES=61", "_ROWS_A_PROCESS=1")
    report = run(trace, *sizes, command=COMMAND, options="-P")
    lost = told(report, "calls are counted, and not shown by process")
    shown = sum(
        call["count"]
        for process in report["processes"]
        for call in process["calls"]
        if call["ring"] == "3->0"
    )
    assert lost > 0
    assert shown + lost == report["totals"]["ring0_calls"]
    assert of(report, "getppid") == 53
    assert report["totals"]["lost"] == 0
