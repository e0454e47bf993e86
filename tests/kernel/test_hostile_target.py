"""Targets that turn against systrace: what it mapped into them, and the process that it is."""

import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .attaching import attached, vdso_bytes
from .live import loud, started
from .tracing import HANGS_S, SYSTRACE, Tracer, check

Build = Callable[..., str]

pytestmark = pytest.mark.exact

OVERWRITTEN = "vDSO calls of 1 program were not counted: it wrote into its counters"


@pytest.mark.parametrize("byte", ["255", "127", "1"])
@pytest.mark.parametrize("option", ["--no-follow", "-P", "--follow=signal"])
def test_counters_that_cannot_be_true_are_no_counts_and_the_report_says_so(
    trace: Tracer, build: Build, byte: str, option: str
) -> None:
    traced = trace(build("scribbles"), byte, options=(option,))
    assert traced.process.returncode == 7
    assert traced.count("clock_gettime", "vdso") == 0
    assert traced.report["incomplete"] == ["vdso"]
    assert OVERWRITTEN in traced.warnings


def test_counters_that_run_backwards_do_not_in_an_interval(trace: Tracer, build: Build) -> None:
    """All are valid reports, whatever is in them."""
    options = ("-i", "0.05", "-F", "json")
    argv = loud(trace, build("scribbles"), "0", "0", options=options)
    reports = []
    with started(*argv) as live:
        for report in live.reports():
            reports.append(report)
            if report["totals"]["ring3_calls"] and live.process.stdin:
                live.tell("they have been read")
                live.end_input()
                live.process.stdin = None
        traced = live.end(trace)
    assert traced.process.returncode == 7
    assert traced.report["incomplete"] == ["vdso"]
    for report in reports:
        check(report)
        assert report["totals"]["ring3_calls"] <= 3 * 1_009


def test_system_calls_are_out_of_its_reach(trace: Tracer, build: Build) -> None:
    honest = trace(build("scribbles"), "0")
    traced = trace(build("scribbles"), "255")
    assert traced.totals["ring0_calls"] == honest.totals["ring0_calls"]


def test_without_its_counters_it_crashes_alone(trace: Tracer, build: Build) -> None:
    traced = trace(build("scribbles"), "-1")
    assert traced.process.returncode == -signal.SIGSEGV
    assert traced.process.stderr == b""
    assert traced.count("clock_gettime", "vdso") == 1_009


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_user_gets_nothing_out_of_systrace(trace: Tracer, build: Build, mode: str) -> None:
    attack = build("attacks")
    for directory in Path(attack).parents[:3]:
        directory.chmod(0o755)
    traced = trace(attack, options=("-u", "nobody", "--vdso", mode))
    assert traced.process.stdout == b"tried\n"
    assert traced.process.returncode == 0
    # which root, who is trusted, does: so they are attacks
    assert len(trace(attack).process.stdout.splitlines()) > 10


def test_a_user_who_kills_his_process_group_kills_no_systrace(trace: Tracer) -> None:
    traced = trace("sh", "-c", "kill -9 0", options=("-u", "nobody"), start_new_session=True)
    assert traced.process.returncode == -signal.SIGKILL
    assert traced.report["exit"] == {"code": None, "signal": "SIGKILL"}
    assert traced.count("kill") == 1


def test_root_may_kill_systrace_and_goes_on() -> None:
    command = 'kill -9 $PPID; while [ "$(ps -o ppid= $$)" -eq "$1" ]; do :; done; echo alone'
    script = f"exec \"$0\" run -q sh -c '{command}' sh $$"
    argv = ["sh", "-c", script, str(SYSTRACE)]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=HANGS_S)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b"alone\n"


@pytest.mark.parametrize("mode", ["auto", "breakpoint", "off"])
def test_a_vdso_that_is_not_the_kernels_is_neither_read_nor_written(
    trace: Tracer, build: Build, mode: str
) -> None:
    with started(build("own_vdso")) as live:
        assert live.line() == "ready"
        before = vdso_bytes(live.process.pid)
        assert not before.startswith(b"\x7fELF")
        if mode == "breakpoint":
            argv = [str(SYSTRACE), "attach", "--vdso", mode, str(live.process.pid)]
            done = subprocess.run(argv, capture_output=True, check=False, timeout=HANGS_S)
            assert done.returncode == 125
            said = done.stderr.decode().splitlines()[-2]
            assert said.endswith("its vDSO is not the kernel's, or was changed already")
        else:
            with attached(trace, live.process.pid, options=("--vdso", mode)) as systrace:
                live.tell("go")
                assert live.line() == "done"
                assert vdso_bytes(live.process.pid) == before
                traced = systrace.detach()
            assert traced.count("clock_gettime", "vdso") == 0
            assert (traced.report.get("incomplete") == ["vdso"]) == (mode == "auto")
        assert vdso_bytes(live.process.pid) == before
        live.tell("once more")
        assert live.line() == "done"
        live.end_input()
        assert live.process.wait(HANGS_S) == 0


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.parametrize("options", [(), ("-P",), ("--follow=signal",)])
def test_a_set_uid_program_counts_into_pages_of_its_own(
    trace: Tracer, public: Path, options: tuple[str, ...]
) -> None:
    shutil.copy("/usr/bin/cat", public / "cat")
    (public / "cat").chmod(0o755 | stat.S_ISUID)
    script = f"while read line; do echo $line; done </proc/self/maps; {public}/cat /proc/self/maps"
    traced = trace("sh", "-c", script, options=("-u", "nobody", *options))
    assert traced.process.returncode == 0
    text = traced.process.stdout.decode()
    inodes = re.findall(r"rw-s \S+ \S+ (\d+)\s+/dev/zero \(deleted\)", text)
    assert len(inodes) == len(set(inodes)) == 2


@pytest.mark.parametrize("kind", ["file", "far"])
def test_forged_pages_are_not_taken_for_those_of_an_earlier_attach(
    trace: Tracer, build: Build, tmp_path: Path, kind: str
) -> None:
    with started(build("forged"), str(tmp_path), kind) as live:
        assert live.line() == "ready"
        with attached(trace, live.process.pid) as systrace:
            for _ in range(2):
                live.tell("go")
                assert live.line() == "done"
            traced = systrace.detach()
        assert traced.process.returncode == 0
        assert traced.count("clock_gettime", "vdso") == 2 * 1_009
        assert traced.warnings == []
        live.end_input()
        assert live.process.wait(HANGS_S) == 0


def test_a_stack_in_a_file_is_not_read_for_its_file_system_may_never_answer(
    trace: Tracer, build: Build, tmp_path: Path
) -> None:
    with started(build("file_stack"), str(tmp_path / "stack")) as live:
        assert live.line() == "ready"
        with attached(trace, live.process.pid) as systrace:
            live.tell("go")
            assert live.line() == "done"
            traced = systrace.detach()
        assert traced.count("clock_gettime", "vdso") == 1_009
        said = "vDSO calls of 1 program were counted by breakpoints: "
        assert f"{said}a thread has its stack in a file" in traced.warnings
