"""Whatever becomes of systrace, nothing of it stays: no probe, no map, no held process."""

import os
import random
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .bpf_objects import bpf_objects
from .live import started
from .tracing import HANGS_S, SYSTRACE, Tracer, example

UPROBES = Path("/sys/kernel/tracing/uprobe_events")


def await_gone(objects: set[tuple[str, int]]) -> None:
    """The kernel frees them when it gets round to it; others' objects go when others end."""
    deadline = time.monotonic() + HANGS_S
    while left := objects & bpf_objects():
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


@pytest.mark.parametrize("mode", ["patch", "uprobe", "off"])
def test_no_program_map_or_link_is_left(trace: Tracer, mode: str) -> None:
    before = bpf_objects()
    trace(example("getppid"), "1", options=("--vdso", mode))
    await_gone(bpf_objects() - before)


def test_probes_are_there_while_the_target_runs_and_gone_when_systrace_is_killed(
    trace: Tracer, build: Callable[..., str]
) -> None:
    before = bpf_objects()
    with started(*trace.argv(build("bursts"))) as live:
        live.tell("go")
        assert live.line() == "done"
        ours = bpf_objects() - before
        assert {kind for kind, _ in ours} == {"program", "map", "link"}
        live.process.kill()
        live.process.wait(HANGS_S)
    await_gone(ours)


def test_no_file_is_left(trace: Tracer, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    trace("true", env={**os.environ, "TMPDIR": str(temporary)}, cwd=temporary)
    assert list(temporary.iterdir()) == []
    if UPROBES.exists():
        assert "systrace" not in UPROBES.read_text()


PROGRAM = """
import sys, time
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(10_007): time.monotonic()
    tracer = next(line for line in open("/proc/self/status") if line.startswith("TracerPid"))
    print(tracer.split()[1], flush=True)
print("end", flush=True)
"""


@pytest.mark.parametrize("mode", ["patch", "uprobe", "off"])
def test_a_target_outlives_a_killed_systrace_untraced(trace: Tracer, mode: str) -> None:
    command = ("/usr/bin/python3", "-S", "-c", PROGRAM)
    with started(*trace.argv(*command, options=("--vdso", mode))) as live:
        assert live.line() == "ready"
        target = os.pidfd_open(live.target())
        live.process.kill()
        assert live.process.wait(HANGS_S) == -signal.SIGKILL
        live.tell("calls that the patched vDSO serves")
        assert live.line() == "0"
        live.end_input()
        assert live.line() == "end"
        ended, _, _ = select.select([target], [], [], HANGS_S)  # pidfd_open(2): it has ended
        os.close(target)
        assert ended


@pytest.mark.parametrize("delay_ms", [random.Random(seed).randint(1, 900) for seed in range(20)])  # noqa: S311
def test_a_systrace_killed_at_its_start_leaves_no_half_prepared_process(
    trace: Tracer, delay_ms: int
) -> None:
    """The target either never runs or runs to its end: all hold standard output open till then."""
    argv = trace.argv("sh", "-c", "echo begin; echo end")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as systrace:
        time.sleep(delay_ms / 1000)
        systrace.kill()
        stdout, _ = systrace.communicate(timeout=HANGS_S)
    assert stdout in {b"", b"begin\nend\n"}


def test_the_target_does_not_run_where_counting_cannot_begin(tmp_path: Path) -> None:
    started_ = tmp_path / "started"
    argv = [str(SYSTRACE), "run", "-e", "nonsense", "touch", str(started_)]
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 125
    assert not started_.exists()
