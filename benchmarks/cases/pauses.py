"""For how long the target stands still: at its exec, and when systrace attaches to it."""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import tools
from benchmarks.run import FailedError, run
from benchmarks.table import Sample, Section, interleaved, markdown, shown

_THREADS: Final = (1, 100, 1_000)
_TOOLS: Final = (tools.UNTRACED, tools.systrace("--vdso", "off"), tools.FULL, tools.STRACE)


def sections(rounds: int, _: int) -> list[Section]:
    """The two."""
    return [_exec(rounds), _attach(rounds)]


def _exec(rounds: int) -> Section:
    program = (str(tools.PROGRAMS / "exec_stop"),)
    table = interleaved(
        _TOOLS, 2 * rounds, lambda tool: Sample(float(run(tool, program).said) / 1000)
    )
    native = table.median(tools.UNTRACED)
    more = [("added", lambda ms: ms - native)]
    text = table.markdown("ms", lambda tool: tool.name, more, lost=False)
    return Section("An exec inside the target, to the new program's first instructions", text)


def _attach(rounds: int) -> Section:
    seen = interleaved(_THREADS, rounds, lambda threads: Sample(_attached(threads)[0]))
    told = interleaved(_THREADS, rounds, lambda threads: Sample(_attached(threads)[1]))
    rows = [
        [f"{threads:,} threads", shown(seen.median(threads)), shown(told.median(threads))]
        for threads in _THREADS
    ]
    text = markdown(["", "ms, as the target sees it", "ms, as the report says it"], rows)
    return Section("`systrace attach`: the longest pause", text)


def _attached(threads: int) -> tuple[float, float]:
    """Return the longest pause in ms, as a thread that reads the clock saw it, and as reported."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        target = subprocess.Popen(
            (str(tools.PROGRAMS / "gaps"), str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with target:
            if target.stdout is None or not target.stdout.readline():
                raise FailedError("gaps did not start")
            time.sleep(0.1)
            command = (tools.SYSTRACE, "attach", "-q", "-d", "0.2", "-o", str(report))
            done = subprocess.run(
                (*command, str(target.pid)), capture_output=True, text=True, check=False
            )
            gap, _ = target.communicate("\n")
        if done.returncode:
            raise FailedError(done.stderr[-200:])
        return float(gap) / 1000, json.loads(report.read_text()).get("longest_stop_ns", 0) / 1e6
