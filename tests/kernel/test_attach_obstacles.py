"""attach: what cannot be attached to is refused; what cannot be held is counted all the same."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .attaching import (
    CALLS,
    attached,
    round_of,
    tracer_of,
)
from .live import Live, started
from .tracing import HANGS_S, SYSTRACE, Tracer

Build = Callable[..., str]


def refused(*words: object) -> str:
    """What systrace says when it cannot attach: one line or two, and 125."""
    done = subprocess.run(
        [str(SYSTRACE), "attach", "-q", *map(str, words)],
        check=False,
        capture_output=True,
        timeout=HANGS_S,
    )
    assert done.returncode == 125
    lines = done.stderr.decode().splitlines()
    # what it is about to do comes first
    said = [line for line in lines if not line.startswith("systrace: patching ")]
    assert len(said) <= 2
    return "\n".join(said)


def test_what_cannot_be_attached_to_is_said_in_a_line() -> None:
    with subprocess.Popen(["true"]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert "(a zombie)" in refused(zombie.pid)
    assert f"there is no process {zombie.pid}" in refused(zombie.pid)
    assert "it is a kernel thread" in refused(2)
    assert "there is no process 'no such program'" in refused("no such program")


def test_a_thread_is_not_taken_for_its_process(target: Live) -> None:
    pid = target.process.pid
    tid = max(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
    assert f"it is a thread of process {pid}" in refused(tid)


def test_systrace_does_not_attach_to_what_started_it(tmp_path: Path) -> None:
    trace = Tracer(tmp_path)
    script = 'exec "$@" $PPID'
    argv = trace.argv("sh", "-c", script, "sh", str(SYSTRACE), "attach")
    done = subprocess.run(argv, check=False, capture_output=True, timeout=HANGS_S)
    assert b"it is the systrace that started this one" in done.stderr
    assert done.returncode == 125


@pytest.mark.parametrize("mode", ["auto", "patch"])
def test_a_stopped_process_is_not_let_run(trace: Tracer, target: Live, mode: str) -> None:
    pid = target.process.pid
    target.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    if mode == "patch":
        assert "it is stopped; `kill -CONT` lets it run" in refused("--vdso", "patch", pid)
    else:
        with attached(trace, pid) as systrace:
            target.process.send_signal(signal.SIGCONT)
            round_of(target)
            traced = systrace.detach()
        assert traced.row("clock_gettime", "vdso")["count"] == CALLS
        assert any("it is stopped" in line for line in traced.warnings)
        return
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    assert state == "T"
    target.process.send_signal(signal.SIGCONT)
    round_of(target)


@pytest.mark.parametrize("mode", ["auto", "patch"])
def test_a_process_under_a_debugger_is_counted_by_breakpoints(
    trace: Tracer, target: Live, mode: str
) -> None:
    pid = target.process.pid
    with subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(pid)], stderr=subprocess.PIPE
    ) as strace:
        assert strace.stderr
        assert b"attached" in strace.stderr.readline()
        if mode == "patch":
            assert f"strace ({strace.pid}) traces it already" in refused("--vdso", "patch", pid)
        else:
            with attached(trace, pid) as systrace:
                round_of(target)
                traced = systrace.detach()
            assert traced.row("clock_gettime", "vdso")["count"] == CALLS
            assert any("traces it already" in line for line in traced.warnings)
        assert tracer_of(pid) == strace.pid
        strace.terminate()


def test_a_process_whose_filter_kills_survives(trace: Tracer, build: Build) -> None:
    with started(build("caged"), build("on_signal")) as caged:
        assert caged.line() == "ready"
        with attached(trace, caged.process.pid) as systrace:
            round_of(caged)
            traced = systrace.detach()
        round_of(caged)
    assert traced.row("clock_gettime", "vdso")["count"] == CALLS
    assert traced.report["probes"]["vdso"] == "patch"


def test_of_a_32_bit_program_nothing_is_announced_that_cannot_be_done(
    trace: Tracer, build: Build
) -> None:
    with started(build("on_signal", "-m32")) as live:
        assert live.line() == "ready"
        pid = live.process.pid
        with attached(trace, pid) as systrace:
            assert systrace.said == []
            round_of(live)
            traced = systrace.detach()
        assert refused("--vdso", "breakpoint", pid).startswith(
            "systrace: --vdso breakpoint cannot count this program's vDSO calls: "
            "it is a 32-bit program\n"
        )
    assert traced.row("write", abi="i386")["count"] == 1
    assert any(line.endswith("it is a 32-bit program") for line in traced.warnings)
    assert traced.report["probes"]["vdso"] == "uncounted"


@pytest.mark.parametrize("program", ["in_vfork", "churn"])
def test_what_cannot_be_held_is_counted_by_breakpoints(
    trace: Tracer, build: Build, program: str
) -> None:
    """The parent of a vfork stands still until its child execs, which here it never does."""
    with started(build(program)) as live:
        assert live.line() == "ready"
        with attached(trace, live.process.pid) as systrace:
            live.tell("go")
            assert live.line() == "done"
            traced = systrace.detach()
        live.end_input()
    by_clock = traced.row("clock_gettime", "vdso")["by_clock"]
    assert by_clock["CLOCK_REALTIME"] == 10_007
    if program == "in_vfork":
        assert traced.report["probes"]["vdso"] == "breakpoint"
        assert any("may be in vfork" in line for line in traced.warnings)


def test_a_thread_that_execs_meanwhile_is_no_hang(trace: Tracer, build: Build) -> None:
    """The other threads vanish without a word, and the one that execs takes the first one's tid."""
    with started(build("execs")) as execs:
        assert execs.line() == "ready"
        for _ in range(3):
            with attached(trace, execs.process.pid) as systrace:
                traced = systrace.detach()
            assert traced.process.returncode == 0
            assert traced.totals["processes"] == 1
        assert execs.process.poll() is None
        assert tracer_of(execs.process.pid) == 0
