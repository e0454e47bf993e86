"""What the counting of a system call adds to it on this machine, tried out once and kept.

A program of our own makes calls, first with no probe in place and then with all of them, counted
as the target's were: it runs when the target has ended and its counters have been read.
"""

import json
import os
import struct
from dataclasses import replace
from itertools import pairwise
from typing import Final, NoReturn

from systrace import cache, kernel, trial_x86_64
from systrace.counting import Counting
from systrace.errors import SystraceError
from systrace.overhead import Costs, estimate
from systrace.probe import Build
from systrace.vdso.count import VdsoCount
from systrace.watch import Snapshot

_FILES: Final = ("trial.py", "trial_x86_64.py")


def costed(
    snapshot: Snapshot, counting: Counting, build: Build, vdso: VdsoCount, held_ns: int = 0
) -> Snapshot:
    """Add to the last report what tracing cost, as far as that can be told.

    ``held_ns`` is for how long programs were held.
    """
    costs = Costs(added_ns(counting, build), vdso.added_ns(), held_ns)
    overhead = estimate(snapshot.report, costs)
    return snapshot._replace(report=replace(snapshot.report, overhead=overhead))


def added_ns(counting: Counting, build: Build) -> float | None:
    """Return the ns that probes of this build add to a call; None where it cannot be tried.

    ``counting`` has stopped and been read: it counts the trial now.
    """
    known = kernel.sources()
    if known is None:
        return _tried(counting)
    sources = (*known, *build.sources, cache.own_source(*_FILES))
    return cache.kept("trial", sources, lambda: _tried(counting), _encode, _decode)


def _tried(counting: Counting) -> float | None:
    try:
        alone = _call_ns(None)
        counted = _call_ns(counting)
    except (OSError, SystraceError):
        return None  # a program in memory may not be run here, or a tracepoint was taken away
    finally:
        counting.stop()
    return max(0.0, counted - alone) if alone and counted else None


def _call_ns(counting: Counting | None) -> float | None:
    """Return what a call takes, the fastest of a few rounds; None if the program did not run."""
    go_read, go = os.pipe()
    times, said = os.pipe()
    file = os.memfd_create("systrace-trial", os.MFD_CLOEXEC)
    try:
        os.write(file, trial_x86_64.program(said))
        pid = os.fork()
        if pid == 0:
            _become(file, go_read, said)
        try:
            if counting is not None:
                counting.await_exec(pid, 0)
            os.write(go, b"!")
            os.close(said)
            said = -1
            read = os.read(times, trial_x86_64.TIMES_BYTES)
        finally:
            os.close(go)
            go = -1
            os.waitpid(pid, 0)
    finally:
        for fd in (go_read, go, times, said, file):
            if fd >= 0:
                os.close(fd)
    if len(read) < trial_x86_64.TIMES_BYTES:
        return None
    moments = [seconds * 10**9 + ns for seconds, ns in struct.iter_unpack("=QQ", read)]
    fastest: int = min(after - before for before, after in pairwise(moments))
    return fastest / trial_x86_64.CALLS


def _become(file: int, go_read: int, said: int) -> NoReturn:
    """In the child: wait for the word, and run the program. Never returns."""
    try:
        os.set_inheritable(said, True)
        if os.read(go_read, 1) == b"!":
            os.execve(f"/proc/self/fd/{file}", ["systrace-trial"], {})  # noqa: S606
    finally:
        os._exit(127)


def _encode(ns: float | None) -> bytes:
    return json.dumps(ns).encode("ascii")


def _decode(text: bytes) -> float | None:
    ns: float | None = json.loads(text)
    if ns is not None and not isinstance(ns, float):
        raise ValueError("not a time")
    return ns
