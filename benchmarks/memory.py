"""Peak memory of a tool with all its processes, and of the kernel on their behalf: a cgroup's."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.run import FailedError, environment
from benchmarks.tools import Tool

_V1: Final = Path("/sys/fs/cgroup/memory")
_V2: Final = Path("/sys/fs/cgroup")


def peak_bytes(tool: Tool, work: Sequence[str]) -> int:
    """Run it, and return the most that it held at once."""
    with _group() as (group, peak):
        # the shell joins the group, so that nothing of the tool's is outside
        join = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", join, str(group), *tool.command(str(group.name), work)]
        done = subprocess.run(
            command,
            input=b"\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
            cwd="/tmp",  # noqa: S108 - where the report goes
        )
        for report in Path("/tmp").glob(f"{group.name}*"):  # noqa: S108
            report.unlink()
        if done.returncode:
            raise FailedError(f"{tool.name}: {done.stderr.decode()[-300:]}")
        return int(peak.read_text())


@contextmanager
def _group() -> Iterator[tuple[Path, Path]]:
    """Make a cgroup; yields it, and the file that knows its peak (cgroups(7), v2 or v1)."""
    v1 = _V1.is_dir()
    group = (_V1 if v1 else _V2) / f"systrace-benchmark-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise FailedError(f"no memory cgroup: {error.strerror}") from error
    peak = group / ("memory.max_usage_in_bytes" if v1 else "memory.peak")
    try:
        if not peak.exists():
            raise FailedError("this kernel does not tell a cgroup's peak")
        yield group, peak
    finally:
        group.rmdir()
