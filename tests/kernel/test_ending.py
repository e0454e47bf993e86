"""systrace ends as its target ended: the same status, or the same signal."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .live import started
from .tracing import HANGS_S, Tracer, example

WITH_CORES = ("prlimit", "--core=unlimited")


@pytest.mark.parametrize("status", [0, 1, 7, 125, 126, 127, 255])
def test_the_targets_exit_status_is_systraces(trace: Tracer, status: int) -> None:
    traced = trace("sh", "-c", f"exit {status}")
    assert traced.process.returncode == status
    assert traced.report["exit"] == {"code": status, "signal": None}
    assert traced.process.stderr == b""


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "KILL", "PIPE", "USR1", "RTMIN"])
def test_a_target_killed_by_a_signal_takes_systrace_with_it(trace: Tracer, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    traced = trace("sh", "-c", f"ulimit -c 0; kill -{int(number)} $$")
    assert traced.process.returncode == -number
    assert traced.report["exit"] == {"code": None, "signal": number.name}


@pytest.mark.parametrize("name", ["SEGV", "ABRT", "QUIT"])
def test_systrace_dies_by_the_targets_signal_without_a_core_of_its_own(
    trace: Tracer, tmp_path: Path, name: str
) -> None:
    """The target forbids its own core, so that any core would be systrace's."""
    argv = (*WITH_CORES, *trace.argv("sh", "-c", f"ulimit -c 0; kill -{name} $$"))
    directory = tmp_path / "directory"
    directory.mkdir()
    with subprocess.Popen(argv, cwd=directory) as systrace:
        # Popen would not say whether the kernel wrote a core
        ended = os.waitid(os.P_PID, systrace.pid, os.WEXITED | os.WNOWAIT)
        systrace.wait(HANGS_S)
    assert ended
    assert ended.si_code == os.CLD_KILLED
    assert systrace.returncode == -signal.Signals[f"SIG{name}"]
    assert list(directory.iterdir()) == []


def test_a_target_that_dumps_a_core_still_does(tmp_path: Path, trace: Tracer) -> None:
    program = "import os,resource,signal; os.kill(os.getpid(), signal.SIGSEGV)"
    argv = (*WITH_CORES, *trace.argv("/usr/bin/python3", "-S", "-c", program))
    with subprocess.Popen(argv, cwd=tmp_path) as systrace:
        systrace.wait(HANGS_S)
    assert systrace.returncode == -signal.SIGSEGV
    if Path("/proc/sys/kernel/core_pattern").read_text() == "core\n":
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("core")]


def test_children_that_outlive_the_target_go_on(trace: Tracer, tmp_path: Path) -> None:
    """A daemon is neither waited for nor harmed; the vDSO calls that it makes still work."""
    go = tmp_path / "go"
    os.mkfifo(go)
    program = f"(read line <{go}; date +%N >/dev/null && echo done $line) & exit 5"
    with subprocess.Popen(trace.argv("bash", "-c", program), stdout=subprocess.PIPE) as systrace:
        assert systrace.wait(HANGS_S) == 5
        go.write_text("and alive\n")
        assert systrace.stdout
        assert systrace.stdout.read() == b"done and alive\n"


@pytest.mark.parametrize("mode", ["patch", "off"])
def test_wait_all_waits_for_children_and_ends_as_the_target(trace: Tracer, mode: str) -> None:
    script = f"(sleep 0.3; {example('vdso_all')}; exit 3) & exit 5"
    traced = trace("bash", "-c", script, options=("--wait-all", "-P", "--vdso", mode))
    assert traced.process.returncode == 5
    assert traced.warnings == []
    assert traced.row("clock_gettime", "vdso-fallback")["count"] == 1_009
    first, child, *_ = traced.report["processes"]
    assert child["exit"]["code"] == 3
    assert traced.report["elapsed_ns"] == child["ended_ns"] > first["ended_ns"]


def children_of(pid: int) -> list[str]:
    """The names of its children, those that have ended too."""
    names = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # waited for meanwhile
            names.append(Path(f"/proc/{child}/comm").read_text().strip())
    return names


@pytest.mark.parametrize("mode", ["patch", "off"])
def test_a_signal_ends_the_waiting_for_children_and_not_them(trace: Tracer, mode: str) -> None:
    argv = trace.argv(
        "bash",
        "-c",
        "sleep 1000 >&- 2>&- & echo $!; exit 5",
        options=("--wait-all", "-P", "--vdso", mode),
    )
    with started(*argv) as live:
        child = int(live.line())
        while live.process.poll() is None and "bash" in children_of(live.process.pid):
            time.sleep(0.01)
        live.process.send_signal(signal.SIGINT)
        traced = live.end(trace)
    os.kill(child, signal.SIGKILL)
    assert traced.process.returncode == 5
    assert any("still running at the end" in line for line in traced.warnings)
    # counted up to the signal, which came when the first was gone
    first = traced.report["processes"][0]
    assert traced.report["elapsed_ns"] > first["ended_ns"]
