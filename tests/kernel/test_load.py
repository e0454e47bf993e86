"""stress-ng at work: every count is perf's, nothing is lost, and systrace does not grow.

perf counts inside systrace, so that both count the same run: how often a futex waits, or a signal
comes in time, no two runs have in common. Work is bounded by operations, and done ROUNDS times;
SYSTRACE_LOAD_MINUTES=10 repeats it for so long, half of that in each mode.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from systrace.definitions import MOST_PROCESSES

from .live import Live, started
from .perf import FIXED, NOWHERE, mount_tracefs, perf_counts
from .tracing import HANGS_S, Traced, Tracer

MINUTES = float(os.environ.get("SYSTRACE_LOAD_MINUTES", "0"))
ROUNDS = 10
STATUS = 7
STRESS = "/usr/bin/stress-ng --temp-path /tmp"
EVENT = "raw_syscalls:sys_enter"

# Stressors, all at once, and how many operations of each. Those of the first set make processes
# by fork alone.
FORKING = {
    "fork": 40, "pthread": 40, "kill": 100, "sigq": 200, "sigsuspend": 20, "sigsegv": 20,
    "vdso": 2_000, "seccomp": 10, "pipe": 1_000, "futex": 100, "switch": 200, "nanosleep": 2,
    "usersyscall": 50, "enosys": 1, "get": 2,
}  # fmt: skip
SHARING = {**FORKING, "vfork": 40, "clone": 20, "daemon": 5, "timer": 20}

# What is read at once comes and goes; each process that ended is kept, with -P with its calls.
SLACK_KB = 12_288
PROCESS_KB = 4


def stress(operations: dict[str, int]) -> str:
    """A shell that does it once for each line that it reads, and says so."""
    words = " ".join(f"--{name} 1 --{name}-ops {count}" for name, count in operations.items())
    once = f"{STRESS} {words} >/dev/null 2>&1 || exit 1"
    return f"while read go; do {once}; echo done; done; exit {STATUS}"


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Load:
    """perf's count beside systrace's, in one run."""

    def __init__(self, trace: Tracer, output: Path, *options: str) -> None:
        self._trace = trace
        self._output = output
        self._options = ("-P", *options)

    def argv(self, *command: str) -> list[str]:
        perf = ("/usr/bin/perf", "stat", "-x,", "-o", str(self._output), "-e", EVENT, "--")
        return self._trace.argv(*perf, *command, options=self._options)

    def difference(self, traced: Traced) -> int:
        """How many calls more we count than perf, of what perf has started."""
        line = next(line for line in self._output.read_text().splitlines() if EVENT in line)
        perf, *others = traced.report["processes"]
        assert perf["comm"].startswith("perf")
        ours: int = sum(
            call["count"]
            for process in others
            for call in process["calls"]
            if call["via"] != "vdso"
        )
        return ours - int(line.split(",")[0])

    def of_nothing(self) -> int:
        """The same for a program that does nothing: what perf's child does before its execve."""
        done = subprocess.run(self.argv("/bin/true"), check=True, timeout=HANGS_S, **NOWHERE)
        return self.difference(self._trace.read(done))


def rounds(live: Live) -> list[int]:
    """Let it work; returns what systrace holds in memory after each round, kB."""
    end = time.monotonic() + 60 * MINUTES / 2
    held: list[int] = []
    while len(held) < ROUNDS or time.monotonic() < end:
        live.tell("go")
        assert live.line() == "done"
        held.append(resident_kb(live.process.pid))
    return held


def worked(trace: Tracer, output: Path, mode: str, operations: dict[str, int]) -> tuple[int, int]:
    """Put a load on systrace; returns how many calls perf lacks, and how many systrace injected.

    The first is beyond what it lacks of a program that does nothing. The second is at least so
    many: with ``-P`` one in each forked process, and two in each program, as a shell starts them,
    which is with vfork, without the one.
    """
    mount_tracefs()
    load = Load(trace, output, "--vdso", mode)
    before = load.of_nothing()
    with started(*load.argv("/bin/sh", "-c", stress(operations))) as live:
        held = rounds(live)
        live.end_input()
        live.process.stdin = None
        live.process.wait(HANGS_S * (1 + MINUTES))  # 50,000 processes make a long report
        traced = live.end(trace)
    lacking = load.difference(traced) - before
    totals, programs = traced.totals, len(held)
    tenths = [held[len(held) * tenth // 10 - 1] for tenth in range(1, 11)]
    shown = f"--vdso {mode}: {programs} rounds, {totals}; perf lacks {lacking}; kB {tenths}"
    sys.stdout.write(f"{shown}\n")
    assert traced.process.returncode == STATUS
    assert traced.warnings == []
    assert traced.row("execve")["count"] == 2 + programs  # perf, the shell, and each stress-ng
    processes = totals["processes"]
    assert tenths[-1] - tenths[0] <= SLACK_KB + processes * PROCESS_KB
    return lacking, processes - 2 - programs + 2 * programs


def test_under_load_every_call_is_perfs(trace: Tracer, tmp_path: Path) -> None:
    """What a filter answers never reaches the tracepoint, and is in neither count."""
    lacking, _ = worked(trace, tmp_path / "perf", "off", SHARING)
    assert lacking == 0


def test_under_load_perf_lacks_nothing_of_what_systrace_injects(
    trace: Tracer, tmp_path: Path
) -> None:
    """perf sees what systrace leaves out: the calls that it injects, and the restarts it causes.

    A restart is that of a wait which a signal that the program ignores would end under ptrace
    alone: how many there are is left to chance, so this is no equation.
    """
    lacking, injected = worked(trace, tmp_path / "perf", "auto", FORKING)
    assert -lacking >= injected


# How many calls these make depends on nothing but their number.
SAME = ("fork 500", "vfork 500", "vdso 50000", "usersyscall 200", "getrandom 20", "get 3")


def test_stressors_that_do_the_same_in_each_run_make_perfs_calls(
    trace: Tracer, tmp_path: Path
) -> None:
    """One after the other, with trampolines in place, in a run of systrace and one of perf."""
    mount_tracefs()
    pairs = (words.split() for words in SAME)
    lines = [f"{STRESS} --{name} 1 --{name}-ops {count}" for name, count in pairs]
    command = ("/bin/sh", "-c", " && ".join(lines))
    perf = perf_counts([EVENT], command, tmp_path / "perf")
    traced = trace(*command, prefix=FIXED, capture_output=False, **NOWHERE)
    assert traced.process.returncode == 0
    assert traced.warnings == []
    assert traced.totals["ring0_calls"] == perf[EVENT] + 1


def test_processes_that_come_and_go_are_all_listed(trace: Tracer) -> None:
    """More than the kernel's table holds, where there is the time for it."""
    forks = MOST_PROCESSES + 1_000 if MINUTES else 3_000
    command = (*STRESS.split(), "--fork", "1", "--fork-ops", str(forks))
    traced = trace(*command, options=("--vdso", "off", "--counts-only"))
    assert traced.process.returncode == 0
    assert traced.warnings == []
    assert traced.totals["processes"] == len(traced.report["processes"]) == forks + 2
