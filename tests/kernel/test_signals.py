"""Signals that reach systrace are the target's; the report comes all the same."""

import fcntl
import os
import pty
import signal
import termios
from collections.abc import Callable

import pytest

from .live import loud, started
from .tracing import HANGS_S, Tracer

Build = Callable[..., str]

FORWARDED = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("number", FORWARDED, ids=lambda number: number.name)
def test_a_signal_to_systrace_reaches_the_target_and_the_report_comes(
    trace: Tracer, build: Build, number: signal.Signals
) -> None:
    with started(*trace.argv(build("signals"), str(int(number)))) as live:
        assert live.line() == "ready"
        live.process.send_signal(number)
        assert live.line() == str(int(number))
        traced = live.end(trace)
    assert traced.process.returncode == 0
    assert traced.report["exit"]["code"] == 0
    assert traced.row("execve")["count"] == 1


@pytest.mark.parametrize("number", FORWARDED[:3], ids=lambda number: number.name)
def test_a_target_that_a_forwarded_signal_ends_takes_systrace_with_it(
    trace: Tracer, number: signal.Signals
) -> None:
    with started(*trace.argv("sh", "-c", "echo ready; exec sleep 1000")) as live:
        assert live.line() == "ready"
        live.process.send_signal(number)
        traced = live.end(trace)
    assert traced.process.returncode == -number
    assert traced.report["exit"]["signal"] == number.name


def test_ctrl_c_on_a_terminal_reaches_the_target_once(trace: Tracer, build: Build) -> None:
    """The terminal sends it to both of us; systrace must not send it a second time."""
    keyboard, terminal = pty.openpty()
    with started(
        *loud(trace, build("signals")),
        stdin=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as live:
        assert live.line() == "ready"
        os.write(keyboard, b"\x03")
        assert live.line() == str(int(signal.SIGINT))
        # sigwaitinfo(2) hands out the lowest number first: when systrace has shown what SIGUSR1
        # asks for, it is done with SIGINT
        live.process.send_signal(signal.SIGUSR1)
        while "entered ring 0" not in live.shown():
            pass
        os.kill(live.target(), signal.SIGTERM)
        assert live.line() == str(int(signal.SIGTERM))
        traced = live.end(trace)
    os.close(keyboard)
    os.close(terminal)
    assert traced.process.returncode == 0


def test_sigusr1_shows_a_report_so_far_and_the_run_goes_on(trace: Tracer, build: Build) -> None:
    with started(*loud(trace, build("bursts"), options=("-F", "json"))) as live:
        reports = live.reports()
        for round_ in (1, 2, 3):
            live.tell("go")
            assert live.line() == "done"
            live.process.send_signal(signal.SIGUSR1)
            so_far = next(reports)
            counts = {row["name"]: row["count"] for row in so_far["calls"]}
            assert counts["getppid"] == round_ * 1_009
            assert so_far["exit"] == {"code": None, "signal": None}
        live.end_input()
        final = next(reports)
        assert next(reports, None) is None
        live.process.wait(HANGS_S)
    assert final["exit"]["code"] == 0
    counts = {row["name"]: row["count"] for row in final["calls"]}
    assert counts["getppid"] == 3 * 1_009


def test_sigusr1_is_answered_even_when_quiet(trace: Tracer, build: Build) -> None:
    with started(*trace.argv(build("bursts"))) as live:
        live.tell("go")
        assert live.line() == "done"
        live.process.send_signal(signal.SIGUSR1)
        assert live.shown().startswith("so far, elapsed ")
        traced = live.end(trace)
    assert traced.row("getppid")["count"] == 1_009


STOPS_CHILDREN = """
import os, signal, sys
signal.alarm(60)
for i in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "100"])
    for _ in range(i * 37 % 4001):
        pass
    os.kill(pid, signal.SIGSTOP)
    _, status = os.waitpid(pid, os.WUNTRACED)
    print(os.WIFSTOPPED(status))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


@pytest.mark.exact
def test_a_child_that_is_stopped_while_it_execs_has_stopped(trace: Tracer) -> None:
    traced = trace("/usr/bin/python3", "-S", "-c", STOPS_CHILDREN, "307")
    assert traced.process.stdout.split() == [b"True"] * 307
