"""Targets whose names, arguments and files are chosen to be taken for something else."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from systrace.render.text import printable

from .attaching import attached
from .live import started
from .tracing import HANGS_S, SYSTRACE, Tracer, told

Build = Callable[..., str]

pytestmark = pytest.mark.exact

NAMES = (b"\rTgid:\tx", b"\x0cNSpid:\tx", b"\xff\n\x1b[2J) Z 1")
FILE = b"\r\xe2\x80\xa8\n\xff\x1b[2J [vdso]"
CALLS = 2 * 1_009
FORMATS = ("json", "csv", "md", "prom", "txt")


@pytest.fixture
def file(tmp_path: Path) -> str:
    name = os.path.join(os.fsencode(tmp_path), FILE)  # noqa: PTH118 - bytes
    Path(os.fsdecode(name)).write_bytes(b"x")
    return os.fsdecode(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
def test_hostile_names_change_no_count_of_attach(
    trace: Tracer, build: Build, file: str, name: bytes, mode: str
) -> None:
    with started(build("hostile"), os.fsdecode(name), file) as live:
        assert live.line() == "ready"
        with attached(trace, live.process.pid, options=("--vdso", mode, "-P")) as systrace:
            assert not [line for line in systrace.said if line != printable(line)]
            live.tell("go")
            assert live.process.wait(HANGS_S) == 0
            traced = systrace.end(trace)
    assert traced.process.returncode == 0
    # breakpoints are not inherited by a fork, which the report says
    assert traced.count("clock_gettime", "vdso") == (CALLS if mode == "patch" else CALLS // 2)
    assert bool(traced.report.get("incomplete")) == (mode == "breakpoint")
    assert {process["comm"] for process in traced.report["processes"]} == {os.fsdecode(name)}


@pytest.mark.parametrize("follow", ["--follow", "--follow=signal"])
def test_hostile_names_change_no_count_of_run(
    trace: Tracer, build: Build, file: str, follow: str
) -> None:
    name = os.fsdecode(NAMES[0])
    traced = trace(build("hostile"), name, file, options=("-P", follow), input=b"go\n", stdin=None)
    assert traced.process.returncode == 0
    assert traced.count("clock_gettime", "vdso") == CALLS
    assert told(follow == "--follow=signal", traced.warnings)[0] == []


def test_hostile_names_reach_a_terminal_escaped_in_every_format(
    build: Build, file: str, tmp_path: Path
) -> None:
    """JSON has them as they are, in strings, and every other format in one line each."""
    name = os.fsdecode(NAMES[2])
    outputs = [tmp_path / f"report.{ending}" for ending in FORMATS]
    options = [word for output in outputs for word in ("-o", str(output))]
    argv = [str(SYSTRACE), "run", "-P", *options, build("hostile"), name, file]
    done = subprocess.run(argv, input=b"go\n", capture_output=True, check=True, timeout=HANGS_S)
    for text in (done.stderr, *(output.read_bytes() for output in outputs)):
        for line in text.decode("ascii", "backslashreplace").replace("\r\n", "\n").split("\n"):
            assert line == printable(line)
    report = json.loads(outputs[0].read_text())
    assert report["command"][1:] == [name, file]
    assert name in {process["comm"] for process in report["processes"]}
