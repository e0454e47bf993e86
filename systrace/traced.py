"""``systrace.run``: trace a command from Python.

The tracing happens in a Python process of its own. It forks, waits for any child, blocks signals
and stays one thread, for ptrace wants one tracer; in the process that calls, a test suite with
threads and children of its own, each of these would do harm. So ``run`` may be called from any
thread, and from several at once.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal

from systrace import privilege, selection
from systrace.errors import SystraceError, TargetTimeoutError, UsageError
from systrace.options import VDSO_MODES, RunOptions, TraceOptions, VdsoMode
from systrace.report import Report
from systrace.target import user as users
from systrace.worker import KILL, put, take

Stream = int | IO[Any] | None
_Path = str | os.PathLike[str]

# Past this the tracing process is killed too: the target's end should take no second.
_PATIENCE_S = 10.0
# -I: neither PYTHON* variables nor the current directory; what we were imported from is handed on.
_WORKER = "import sys; sys.path[:] = sys.argv[2:]; from systrace.worker import main; main()"


def run(  # noqa: PLR0913  each is an option of the command line or of subprocess.run
    command: Sequence[_Path],
    *,
    expr: str | Sequence[str] = (),
    vdso: VdsoMode = "auto",
    without_vdso: bool = False,
    counts_only: bool = False,
    follow: bool | Literal["signal"] = True,
    per_process: bool = False,
    wait_all: bool = False,
    user: str | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    cwd: _Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Report:
    """Run ``command`` to its end and return what it and its children called.

    The options are those of ``systrace run``: ``expr`` is ``-e``, once or in a list. ``stdin``,
    ``stdout``, ``stderr``, ``cwd`` and ``env`` are as for subprocess.run, but PIPE is refused: the
    report is all that comes back. After ``timeout`` seconds, which count from the call on, the
    command and its children are killed. A command that fails is no error: see ``Report.exit``.

    Raises PrivilegeError without the right to trace, NotFoundError and NotExecutableError for the
    command, UsageError, UnsupportedError, TargetTimeoutError, all of them SystraceError.
    """
    if isinstance(command, str | bytes) or not command:
        raise UsageError("run takes a command as a list: the program and each of its arguments")
    if subprocess.PIPE in (stdin, stdout, stderr):
        raise UsageError("run has nobody who reads or writes a PIPE; give it a file")
    if vdso not in VDSO_MODES:
        raise UsageError(f"vdso is one of {', '.join(VDSO_MODES)}, not {vdso!r}")
    if follow not in (True, False, "signal"):
        raise UsageError(f"follow is True, False or 'signal', not {follow!r}")
    if not (timeout is None or (isinstance(timeout, int | float) and timeout >= 0)):
        raise UsageError(f"timeout is a number of seconds, or None for no end, not {timeout!r}")
    expressions = (expr,) if isinstance(expr, str) else tuple(expr)
    # Here, for the environment that is handed on may not say who called sudo.
    identity = users.resolve(user)
    options = RunOptions(
        command=tuple(os.fspath(word) for word in command),
        user=None if identity is None else identity.name,
        trace=TraceOptions(
            vdso=vdso,
            counts_only=counts_only,
            selection=selection.narrowing(expressions),
            follow=bool(follow),
            by_signal=follow == "signal",
            without_vdso=without_vdso,
            per_process=per_process,
        ),
        wait_all=wait_all,
    )
    privilege.require(sys.orig_argv[1:], (sys.executable,))
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    return _traced(options, timeout, cwd=cwd, env=env, **streams)


def _traced(options: RunOptions, timeout: float | None, **popen: Any) -> Report:
    # Neither a pipe, which could fill up, nor a file, which could stay behind.
    message = os.memfd_create("systrace")
    try:
        put(message, options)
        status = _wait(message, timeout, popen)
        reply = take(message)
    finally:
        os.close(message)
    if isinstance(reply, Report):
        return reply
    if isinstance(reply, SystraceError):
        raise reply
    raise SystraceError(f"the process that traces ended with status {status} and no report")


def _wait(message: int, timeout: float | None, popen: Mapping[str, Any]) -> int:
    path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  "" is where we are
    flags = ("-I", "-B") if sys.dont_write_bytecode else ("-I",)
    argv = (sys.executable, *flags, "-c", _WORKER, str(message), *path)
    try:
        worker = subprocess.Popen(argv, pass_fds=(message,), **popen)
    except OSError as error:
        if error.filename is not None and error.filename == popen["cwd"]:
            where = os.fsdecode(error.filename)
            raise SystraceError(f"cannot run in cwd {where!r}: {error.strerror}") from error
        raise SystraceError(f"cannot start a process that traces: {error}") from error
    with worker:
        try:
            return worker.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(worker)
            raise TargetTimeoutError(
                f"the command did not end within {timeout:g} s and was killed, with its children"
            ) from None
        except BaseException:  # Ctrl-C, or whatever else ends a test that takes too long
            _kill(worker)
            raise


def _kill(worker: "subprocess.Popen[bytes]") -> None:
    """End the command, its children, and then the process that traces them."""
    worker.send_signal(KILL)
    try:
        worker.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        worker.kill()
