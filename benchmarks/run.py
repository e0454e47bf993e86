"""A workload under a tool, and what both of them said."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.tools import HERE, Tool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the workload printed, what the tool wrote, and how long the whole took."""

    said: str
    report: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Running:
    """A tool that has said its first line, ``said``."""

    process: "subprocess.Popen[str]"
    said: str


class FailedError(Exception):
    """A tool or its workload failed; the message holds their last words."""


def run(tool: Tool, work: Sequence[str], stdin: str = "\n") -> Outcome:
    """Run the workload under a tool, with ``stdin`` for the workload."""
    with tempfile.TemporaryDirectory() as directory:
        report = str(Path(directory) / "report")
        begin = time.perf_counter()
        if tool.beside:
            said, text = _beside(tool, work, stdin)
            return Outcome(said, text, time.perf_counter() - begin)
        done = subprocess.run(
            tool.command(report, work),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
        )
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise FailedError(f"{tool.name}: {done.stderr[-300:]}")
        written = "".join(path.read_text() for path in Path(directory).iterdir())
        return Outcome(done.stdout, written + done.stderr, seconds)


def _beside(tool: Tool, work: Sequence[str], stdin: str) -> tuple[str, str]:
    with (
        subprocess.Popen(work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target,
        started(tool, [str(target.pid)]) as running,
    ):
        said, _ = target.communicate(stdin)
        running.process.send_signal(signal.SIGINT)
        text, _ = running.process.communicate()
    return said, text


@contextmanager
def started(tool: Tool, work: Sequence[str]) -> Iterator[Running]:
    """Run a tool, or its workload, that says a line when it is ready.

    The workload is told to end by the end of its standard input.
    """
    pipe = subprocess.PIPE
    with tempfile.TemporaryDirectory() as directory:
        command = tool.command(str(Path(directory) / "report"), work)
        with subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        ) as process:
            said = process.stdout.readline() if process.stdout is not None else ""
            if not said or process.stdin is None:
                process.kill()
                raise FailedError(f"{tool.name} did not start")
            try:
                yield Running(process, said.strip())
            finally:
                process.stdin.close()
                process.stdin = None  # or communicate() would look at it once more


@cache
def environment() -> dict[str, str]:
    """Return ours, with headers that let bcc's tools compile where those of the kernel are missing.

    They are systrace's stand-ins and an empty linux/sched.h, of which syscount uses nothing.
    """
    ours = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if Path(f"/lib/modules/{os.uname().release}/build").exists():
        return ours
    directory = tempfile.mkdtemp(prefix="systrace-benchmarks-")
    atexit.register(shutil.rmtree, directory)
    headers = Path(directory) / "headers"
    shutil.copytree(HERE.parent / "probes" / "kernel", headers)
    (headers / "include" / "linux" / "sched.h").touch()
    return {**ours, "BCC_KERNEL_SOURCE": str(headers)}
