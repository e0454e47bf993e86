"""On a terminal, a job under systrace stops and goes on as it does without."""

import re
from pathlib import Path

import pytest

from .terminal import PROMPT, Terminal, shell
from .tracing import SYSTRACE, Tracer

CTRL_C, CTRL_Z = "\x03", "\x1a"
HANDLES = """
import os, select, signal
# a signal that comes just before a read would wait for its end
woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
def say(line):  # print() may be what the signal interrupts
    os.write(1, line.encode() + b"\\n")
def handle(number, frame):
    say("handled")
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handle)
    say("back")
signal.signal(signal.SIGTSTP, handle)
say("ready")
while True:
    ready, _, _ = select.select([0, woken], [], [])
    if woken in ready:
        os.read(woken, 64)
    if 0 in ready:
        line = os.read(0, 64).decode().strip()
        if not line:
            break
        say("got " + line)
"""
DEFAULT = "echo ready; while read line; do echo got $line; done"

MODES = ("", "--vdso off")


def systrace(mode: str) -> str:
    return f"{SYSTRACE} run -q {mode} "


@pytest.fixture
def handles(tmp_path: Path) -> str:
    program = tmp_path / "handles.py"
    program.write_text(HANDLES)
    return f"/usr/bin/python3 {program}"


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_z_stops_the_job_and_fg_goes_on(mode: str) -> None:
    with shell() as terminal:
        terminal.type(f"{systrace(mode)} bash -c '{DEFAULT}'\n")
        terminal.until("\nready\r\n")
        for word in ("one", "two", "three"):
            terminal.type(CTRL_Z)
            assert "Stopped" in terminal.until(PROMPT)
            assert "Stopped" in terminal.run("jobs")
            terminal.type("fg\n")
            terminal.type(f"{word}\n")
            terminal.until(f"got {word}\r\n")
        terminal.type(CTRL_C)
        terminal.until(PROMPT)
        assert terminal.run("echo status $?") == "status 130\r\n"
        assert terminal.run("jobs") == ""


@pytest.mark.parametrize("mode", MODES)
def test_a_program_that_handles_sigtstp_stops_and_goes_on(mode: str, handles: str) -> None:
    with shell() as terminal:
        terminal.type(f"{systrace(mode)} {handles}\n")
        terminal.until("\nready\r\n")
        for word in ("one", "two", "three"):
            terminal.type(CTRL_Z)
            terminal.until("handled\r\n")
            assert "Stopped" in terminal.until(PROMPT)
            terminal.type("fg\n")
            terminal.until("back\r\n")
            terminal.type(f"{word}\n")
            terminal.until(f"got {word}\r\n")
            # until systrace has gone on, too, a Ctrl-Z stops it before the program
            terminal.until_it_goes_on()
        terminal.type("\x04")
        terminal.until(PROMPT)
        assert terminal.run("jobs") == ""


def test_a_job_in_the_background_that_reads_is_stopped() -> None:
    with shell() as terminal:
        terminal.run(f"{systrace('')} cat &")
        while "Stopped" not in terminal.run("jobs"):
            pass
        terminal.type("fg\n")
        terminal.until("cat\r\n")
        terminal.type("words\n")
        terminal.until("words\r\nwords\r\n")
        terminal.type("\x04")
        terminal.until(PROMPT)


@pytest.mark.parametrize("mode", MODES)
def test_an_interactive_shell_under_systrace_has_its_job_control(mode: str) -> None:
    with shell() as terminal:
        plain = session_of(terminal, "bash --norc --noediting -i")
        traced = session_of(terminal, f"{systrace(mode)} bash --norc --noediting -i")
    assert traced == plain


def session_of(terminal: Terminal, command: str) -> list[str]:
    """What an interactive shell shows of jobs that stop, go on, and end."""
    terminal.type(f"{command}\n")
    terminal.until(PROMPT)
    shown = []
    terminal.type("cat\n")
    terminal.type("first\n")
    terminal.until("first\r\nfirst\r\n")
    terminal.type(CTRL_Z)
    shown += [terminal.until(PROMPT), terminal.run("jobs")]
    terminal.type("fg\n")
    terminal.until("cat\r\n")
    terminal.type("second\n")
    terminal.until("second\r\nsecond\r\n")
    terminal.type(CTRL_C)
    shown += [terminal.until(PROMPT), terminal.run("echo $?"), terminal.run("jobs")]
    shown.append(
        terminal.run("sleep 100 & kill -STOP $!; sleep 0.5; jobs; kill -KILL %1; sleep 0.5")
    )
    shown.append(terminal.run("exit 7"))
    shown.append(terminal.run("echo $?"))
    return [re.sub(r"(?<=\[1\] )\d+", "PID", line) for line in shown]


def test_a_process_without_a_shell_that_stops_does_not_stop_systrace(trace: Tracer) -> None:
    """Its own child continues it: systrace must be there to let that happen."""
    script = "(sleep 0.1; kill -CONT $$) & kill -STOP $$; wait; echo on"
    traced = trace("bash", "-c", script, start_new_session=True)
    assert traced.process.stdout == b"on\n"
