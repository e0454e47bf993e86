"""systrace with a session that traces nothing: it runs the command, and hands out made reports.

``FAKE`` holds a JSON list of ``[kind, elapsed in seconds]`` to come before the final report,
``STOPPED_BY`` the signal that asked systrace to end meanwhile. The command is started as a shell
would, with every descriptor that is not close-on-exec.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

from systrace import early, privilege, session
from systrace.cli import main
from systrace.errors import NotFoundError
from systrace.options import RunOptions
from systrace.report import Call, Exit, Machine, Probes, Report
from systrace.session import Timing
from systrace.watch import Snapshot

STOPPED_BY = int(os.environ.get("STOPPED_BY", "0"))


def report(seconds: float = 1.5, end: Exit | None = None, since_ns: int | None = None) -> Report:
    return Report(
        command=("./goapp",),
        exit=end or Exit(),
        started="2026-11-22T10:00:00Z",
        elapsed_ns=int(seconds * 1e9),
        machine=Machine("6.18.44", "x86_64", 2, "tsc"),
        probes=Probes("raw_tracepoint", "patch"),
        calls=(
            Call("clock_gettime", "vdso", "x86_64", 2_000_152),
            Call("futex", "syscall", "x86_64", 29),
        ),
        process_count=1,
        thread_count=4,
        lost=0,
        since_ns=since_ns,
    )


def run(options: RunOptions) -> Iterator[Snapshot]:
    elapsed_ns = 0
    for kind, seconds in json.loads(os.environ.get("FAKE", "[]")):
        if kind == "crash":
            raise ValueError("the engine\nbroke \x1b[31m")
        if kind == "refuse":
            raise NotFoundError("no such command")
        interval = kind == "interval"
        yield Snapshot(kind, report(seconds, since_ns=elapsed_ns if interval else None))
        elapsed_ns += int(seconds * 1e9) if interval else 0
    yield Snapshot("final", report(2.5, started(options)), stopped_by=STOPPED_BY)


def started(options: RunOptions) -> Exit:
    names = ("stdin", "stdout", "stderr")
    streams = {
        name: fd
        for stream, (name, fd) in enumerate(zip(names, options.streams, strict=True))
        if fd != stream
    }
    status = subprocess.run(options.command, close_fds=False, check=False, **streams).returncode  # type: ignore[call-overload]  # kwargs
    return Exit(signal=-status) if status < 0 else Exit(code=status)


def unprobed(options: RunOptions) -> Timing:
    factor = 8 if options.trace.without_vdso else 1
    return Timing(factor * 1_000_000, started(options))


def executable(options: RunOptions) -> None:
    if shutil.which(options.command[0]) is None:
        raise NotFoundError(f"command not found: {options.command[0]}")


def unprivileged(arguments: Sequence[str], program: Sequence[str] | None = None) -> None:
    assert arguments
    assert program is None


if __name__ == "__main__":
    privilege.require = unprivileged
    early.run = run
    session.unprobed = unprobed
    session.executable = executable  # type: ignore[assignment]  # nobody asks what it returns
    sys.exit(main(sys.argv[1:]))
