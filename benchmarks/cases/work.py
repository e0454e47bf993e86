"""Real work: a build, and a server under load."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import tools
from benchmarks.run import FailedError, run, started
from benchmarks.table import Sample, Section, interleaved
from benchmarks.tools import Tool

_FILES: Final = 40
_SOURCE: Final = """#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
int function_{n}(int argc, char **argv) {{ return argc > {n} ? puts(argv[0]) : errno; }}
"""
_BUILT: Final = (
    tools.UNTRACED,
    tools.FLOOR,
    tools.FULL,
    tools.systrace("--vdso", "off"),
    tools.COUNTS_ONLY,
    tools.STRACE,
    tools.PERF_TRACE,
    tools.PERF_STAT,
    tools.BPFTRACE,
)
_SERVED: Final = (*_BUILT, tools.BPFTRACE_TIMES)


def sections(rounds: int, milliseconds: int) -> list[Section]:
    """The two."""
    rounds = max(1, rounds // 2 + 1)
    return [_build(rounds), _server(rounds, 4 * milliseconds)]


def _project(directory: Path) -> None:
    for number in range(_FILES):
        (directory / f"{number}.c").write_text(_SOURCE.format(n=number))
    objects = " ".join(f"{number}.o" for number in range(_FILES))
    (directory / "Makefile").write_text(f"library.a: {objects}\n\tar rcs $@ $^\n")


def _build(rounds: int) -> Section:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        _project(directory)
        make = ("make", "-s", "-C", name, f"-j{os.cpu_count()}")

        def measure(tool: Tool) -> Sample:
            for made in directory.glob("*.[oa]"):
                made.unlink()
            return Sample(run(tool, make).seconds)

        measure(tools.UNTRACED)
        table = interleaved(_BUILT, rounds, measure)
    native = table.median(tools.UNTRACED)
    more = [("times untraced", lambda seconds: seconds / native)]
    text = table.markdown("s", lambda tool: tool.name, more, lost=False)
    return Section(f"A build of {_FILES} C files with `make -j`, start-up included", text)


def _server(rounds: int, milliseconds: int) -> Section:
    load = str(tools.PROGRAMS / "load")

    def measure(tool: Tool) -> Sample:
        with started(tool, (load, "serve")) as server:
            done = subprocess.run(
                (load, "get", server.said, "8", str(milliseconds)),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise FailedError(f"{tool.name}: {done.stderr[-200:]}")
        return Sample(float(done.stdout))

    table = interleaved(_SERVED, rounds, measure)
    native = table.median(tools.UNTRACED)
    more = [("of untraced", lambda requests: requests / native)]
    text = table.markdown("requests a second", lambda tool: tool.name, more, lost=False)
    return Section("A Go HTTP server with 8 connections", text)
