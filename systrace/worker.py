"""The process that traces for ``systrace.run``: takes the options, hands back what came of them.

Both go through a file in memory that only the caller and we have. What is in it was pickled by
the one and is read by the other, two processes of one user that run the same code.
"""

import os
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

from systrace.errors import SystraceError
from systrace.options import RunOptions
from systrace.report import Report

# To us: kill the target and its children, and end. The session reports so far when it comes.
KILL = signal.SIGUSR1


def main() -> None:
    """Trace what the file asks for that ``sys.argv`` names by its descriptor."""
    message = int(sys.argv[1])
    os.set_inheritable(message, False)
    options: RunOptions = take(message)
    put(message, _outcome(options))


def put(fd: int, value: object) -> None:
    """Make the file hold this and nothing else."""
    os.truncate(fd, 0)
    with open(fd, "wb", closefd=False) as file:
        file.seek(0)
        pickle.dump(value, file)


def take(fd: int) -> Any:
    """Read what the file holds."""
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        return pickle.load(file)  # noqa: S301  see above


def _outcome(options: RunOptions) -> Report | SystraceError:
    try:
        return _trace(options)
    except SystraceError as error:
        return error
    except Exception as error:  # the caller's to raise  # noqa: BLE001
        if os.environ.get("SYSTRACE_TRACEBACK"):
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        return SystraceError(f"internal error: {what}; set SYSTRACE_TRACEBACK=1 to see where")


def _trace(options: RunOptions) -> Report:
    # The caller, who shares this file, needs none of it.
    from systrace import early  # noqa: PLC0415

    final = None
    for snapshot in early.run(options):
        if snapshot.kind == "asked":
            _kill(snapshot.report)
        final = snapshot.report if snapshot.kind == "final" else final
    if final is None:
        raise RuntimeError("the session ended without a final report")
    return final


def _kill(report: Report) -> None:
    for process in report.processes:
        if process.ended_ns is None and process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
