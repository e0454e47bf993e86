"""-P: what each process did, to the last call, and nothing lost however many there are."""

import shlex
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from .tracing import EXAMPLES, VDSO, Traced, Tracer, example

pytestmark = pytest.mark.exact

Build = Callable[..., str]
PYTHON = "/usr/bin/python3"

# A static program of ours, a Go program, Python, and static musl; each makes so many calls.
GO_READS, PYTHON_READS, C_CALLS, MUSL_CALLS = 1_013, 1_019, 10_007, 12_039
COMMANDS = (
    (example("vdso_all"),),
    (example("go_random"), str(GO_READS)),
    (PYTHON, "-S", "-c", f"import time; [time.time_ns() for _ in range({PYTHON_READS})]"),
    (example("vdso_all_musl"),),
)


def vdso(process: dict[str, Any]) -> Counter[str]:
    """Entries into the vDSO: served there or not."""
    counts: Counter[str] = Counter()
    for call in process["calls"]:
        if call["via"].startswith("vdso"):
            counts[call["name"]] += call["count"]
    return counts


def adds_up(traced: Traced) -> None:
    """The processes together are the whole: every row, its errors and its time."""
    counts: Counter[tuple[str, str, str]] = Counter()
    errors: Counter[tuple[str, str, str]] = Counter()
    times: Counter[tuple[str, str, str]] = Counter()
    for process in traced.report["processes"]:
        for call in process["calls"]:
            key = call["name"], call["via"], call["abi"]
            counts[key] += call["count"]
            errors[key] += sum(call.get("errors", {}).values())
            times[key] += call.get("total_ns", 0)
    for key, row in traced.rows.items():
        assert counts[key] == row["count"], key
        assert errors[key] == sum(row.get("errors", {}).values()), key
        if not row.get("estimated"):
            assert times[key] == row.get("total_ns", 0), key


def by_pid(traced: Traced) -> dict[int, dict[str, Any]]:
    found = {process["pid"]: process for process in traced.report["processes"]}
    assert len(found) == len(traced.report["processes"])
    return found


@pytest.mark.parametrize("mode", ["patch", "uprobe", "breakpoint"])
def test_forked_processes_that_never_exec_have_counts_of_their_own(
    trace: Tracer, build: Build, mode: str
) -> None:
    traced = trace(build("forks"), options=("-P", "--vdso", mode))
    processes = by_pid(traced)
    lines = [line.split() for line in traced.process.stdout.decode().splitlines()]
    told = {int(pid): int(calls) for pid, calls in lines}
    assert len(told) == 6
    counted = {pid: vdso(process)["clock_gettime"] for pid, process in processes.items()}
    if mode != "breakpoint":
        assert traced.warnings == []
        # who shares its parent's memory shares its counters
        assert {pid: count for pid, count in counted.items() if count} == told
    else:
        first = traced.report["processes"][0]["pid"]
        assert counted[first] == 1_033 + 1_061
        assert sorted(counted.values())[:2] == [1_009, 1_013]
        assert {1_019, 1_051} <= set(counted.values())
    adds_up(traced)


def test_a_script_that_starts_programs_of_four_kinds_shows_each(trace: Tracer) -> None:
    script = "\n".join(f"{shlex.join(words)} & echo $!" for words in COMMANDS)
    traced = trace("bash", "-c", f"{script}\nwait", options=("-P",))
    pids = [line for line in traced.process.stdout.decode().splitlines() if line.isdecimal()]
    for number, pid in enumerate(pids):
        shows(by_pid(traced)[int(pid)], number)
    adds_up(traced)


def test_sixteen_goroutines_that_start_programs_at_once_show_each(trace: Tracer) -> None:
    words = [word for command in COMMANDS for word in ("::", *command)][1:]
    traced = trace(example("spawn"), "4", *words, options=("-P",))
    lines = [line.split() for line in traced.process.stdout.decode().splitlines()]
    assert len(lines) == 16
    for pid, number in lines:
        shows(by_pid(traced)[int(pid)], int(number))
    assert traced.row("execve")["count"] == 17
    adds_up(traced)


def shows(process: dict[str, Any], number: int) -> None:
    """A process has the vDSO calls of this one of COMMANDS."""
    counts = vdso(process)
    if number == 0:
        assert counts["clock_gettime"] == C_CALLS + 1_009
        assert (counts["gettimeofday"], counts["time"], counts["getcpu"]) == (1_013, 1_019, 1_021)
    elif number == 1:
        reads = GO_READS + 1 if "getrandom" in VDSO else 0  # and its runtime's seed
        assert counts.get("getrandom", 0) == reads
    elif number == 2:
        assert counts["clock_gettime"] >= PYTHON_READS
    else:
        assert counts == {"clock_gettime": MUSL_CALLS + 1_009, "getcpu": 1_021}


def test_ends_and_exits_are_each_processs_own(trace: Tracer) -> None:
    script = "(exit 3); sh -c 'kill -9 $$'; (:) ; exit 0"
    traced = trace("bash", "-c", script, options=("-P",))
    first, *children = traced.report["processes"]
    assert [child["exit"] for child in children] == [
        {"code": 3, "signal": None},
        {"code": None, "signal": "SIGKILL"},
        {"code": 0, "signal": None},
    ]
    assert all(child["ppid"] == first["pid"] for child in children)
    assert all(0 <= child["started_ns"] < child["ended_ns"] for child in children)
    assert all(child["ended_ns"] <= first["ended_ns"] for child in children)
    assert [child["comm"] for child in children] == ["bash", "sh", "bash"]


def test_ten_thousand_processes_lose_nothing(trace: Tracer) -> None:
    traced = trace(example("vfork_wait"), "10007", options=("-P", "--vdso", "off"))
    assert traced.totals["processes"] == len(traced.report["processes"]) == 10_008
    for process in traced.report["processes"][1:]:
        assert [(call["name"], call["count"]) for call in process["calls"]] == [("exit_group", 1)]
        assert process["exit"] == {"code": 0, "signal": None}
    adds_up(traced)


def test_without_it_processes_are_listed_and_not_told_apart(trace: Tracer) -> None:
    traced = trace("sh", "-c", f"{example('getppid')} 1009")
    assert all(process["calls"] == [] for process in traced.report["processes"])
    assert traced.totals["processes"] == len(traced.report["processes"])


def test_a_python_child_is_told_from_its_parent(trace: Tracer) -> None:
    program = str(EXAMPLES / "clock.py")
    traced = trace(
        "sh", "-c", f"{PYTHON} -S {program} 1009; {PYTHON} -S {program} 2003", options=("-P",)
    )
    _, one, two = (vdso(process)["clock_gettime"] for process in traced.report["processes"])
    assert two - one == 2 * (2_003 - 1_009)
