"""systrace.run on real programs: exact from any thread, and nothing lives on."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import systrace

from .tracing import EXAMPLES, HANGS_S, SLOWNESS, example, told


def test_the_example_of_a_test_suite_passes_whole() -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_calls.py"]
    done = subprocess.run(argv, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^3 passed in", done.stdout, re.MULTILINE), done.stdout


def test_counts_are_exact_from_several_threads_at_once() -> None:
    def counted(_: int) -> int:
        report = systrace.run(
            [example("getppid"), "10007"], stdout=subprocess.DEVNULL, timeout=HANGS_S
        )
        assert (report.lost, report.exit.code) == (0, 0)
        return report.count("getppid")

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(counted, range(2))) == [10_007, 10_007]


def test_options_are_those_of_the_command_line(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        report = systrace.run(
            ["sh", "-c", "/bin/pwd; exit 3"],
            stdout=out,
            cwd=tmp_path,
            expr="getcwd,exit_group",
            counts_only=True,
            per_process=True,
        )
        out.seek(0)
        assert out.read() == f"{tmp_path}\n"
    assert report.exit.code == 3
    assert report.selected
    assert {call.name for call in report.calls} == {"getcwd", "exit_group"}
    assert all(call.times is None for call in report.calls)
    assert report.count("exit_group") == sum(bool(process.calls) for process in report.processes)


def test_it_follows_by_signals_where_that_is_asked_for() -> None:
    command = ["sh", "-c", f"{example('vdso_all')}; exit"]
    report = systrace.run(command, follow="signal", stdout=subprocess.DEVNULL, timeout=HANGS_S)
    assert report.count("clock_gettime", ring="3") == 10_007
    assert told(1, report.warnings)[0] == []


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM INT USR1; echo $$ >>{pids}; sleep 600 & echo $! >>{pids}; wait"
    enough_s = 3 * SLOWNESS  # to start
    with pytest.raises(systrace.TargetTimeoutError, match=rf"did not end within {enough_s} s"):
        systrace.run(["sh", "-c", script], timeout=enough_s)
    shell, sleep = map(int, pids.read_text().split())
    assert gone(shell)
    assert gone(sleep)


def test_a_test_that_is_interrupted_leaves_nothing_running(tmp_path: Path) -> None:
    """As with Ctrl-C or a test's own time limit: an exception in the middle of the wait."""
    ready = tmp_path / "ready"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def soon() -> None:
        while not ready.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    thread = threading.Thread(target=soon)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            systrace.run(["sh", "-c", f"echo $$ >{ready}.new; mv {ready}.new {ready}; sleep 600"])
    finally:
        signal.signal(signal.SIGALRM, before)
        thread.join()
    assert gone(int(ready.read_text()))


def gone(pid: int) -> bool:
    """Whether it has ended; a zombie that nobody has waited for has."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_what_cannot_be_run_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(systrace.SystraceError, match="command not found: nosuchcommand"):
        systrace.run(["nosuchcommand"])
    (tmp_path / "text").write_text("")
    with pytest.raises(systrace.SystraceError, match="is not executable"):
        systrace.run([tmp_path / "text"])


def test_the_callers_own_signals_and_children_are_left_alone() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with subprocess.Popen(["sh", "-c", "exit 5"]) as mine:
        assert systrace.run(["true"]).exit.code == 0
    assert mine.returncode == 5
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert "bcc" not in sys.modules
