"""The target, forked and held: first before its execve, then at its first instruction.

The child waits on a pipe until the probes are attached, then becomes the user it runs as and
execs. If systrace dies meanwhile the pipe closes and the child ends; from the exec on, until it
is let go, PTRACE_O_EXITKILL takes it along. After that nothing ties it to us.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from systrace import privilege, ptrace
from systrace.errors import NotExecutableError, NotFoundError, SystraceError
from systrace.target.user import Identity, drop

_ENVIRON: Final = Path("/proc/self/environ")
_IGNORED: Final = b"SYSTRACE_SIGIGN"
_ENDING_S: Final = 0.2
# Python ignores these from its start, whatever they were before
_PYTHON_IGNORES: Final = (signal.SIGPIPE, signal.SIGXFSZ)


class Command(NamedTuple):
    """What to execute: the file, its argument vector, its environment and its three streams."""

    file: str
    argv: Sequence[str]
    environment: Mapping[bytes, bytes]
    streams: Sequence[int] = (0, 1, 2)


class Signals(NamedTuple):
    """What systrace inherited and changed for itself: the mask, and whether SIGCHLD was ignored.

    The third thing, SIGPIPE and SIGXFSZ, Python changes before it runs us: see bin/systrace.
    """

    mask: frozenset[int]
    children_ignored: bool


def inherited_environment() -> dict[bytes, bytes]:
    """Read the environment as systrace inherited it, from the kernel.

    ``os.environ`` is not that: Python's start may add LC_CTYPE (PEP 538), and so may libraries.
    """
    entries = (entry.partition(b"=") for entry in _ENVIRON.read_bytes().split(b"\0") if entry)
    return {name: value for name, equals, value in entries if equals and name != _IGNORED}


def _ignored_at_start() -> int:
    """Read the mask of signals ignored when systrace started, which the launcher kept; 0 else."""
    text = os.environ.get(_IGNORED.decode("ascii"), "")
    try:
        return int(text, 16)
    except ValueError:
        return 0


class Held:
    """The forked child. Whoever holds it must ``start`` it, and in the end ``wait`` for it.

    ``exec_ns`` is when it reached its exec and was held there, on CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        command: Command,
        identity: Identity | None,
        signals: Signals,
        lent_fd: int | None = None,
    ) -> None:
        """Fork; ``signals`` are what the target starts with.

        ``lent_fd`` stays open across the exec; whoever lends it closes it in the target before
        that runs.
        """
        self._command = command
        self._ours = True
        self.exec_ns = 0
        go_read, self._go = os.pipe()
        self._failure, failure_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            if lent_fd is not None:
                os.set_inheritable(lent_fd, True)
            _become(command, identity, signals, (go_read, self._go, failure_write))
        os.close(go_read)
        os.close(failure_write)
        try:
            ptrace.seize(
                self.pid,
                ptrace.O_TRACEEXEC | ptrace.O_EXITKILL | ptrace.O_TRACESYSGOOD,
            )
        except ProcessLookupError:
            pass  # killed already: start() finds out how
        except OSError as error:
            # EPERM, too, of one that is on its way out
            if self._is_ending():
                return
            self.abandon()
            raise SystraceError(
                f"cannot trace the command: {error.strerror}\nsystrace doctor says what forbids it"
            ) from error

    def _is_ending(self) -> bool:
        """Whether it ends without our doing, now or very soon."""
        end = time.monotonic() + _ENDING_S
        while time.monotonic() < end:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return True
            time.sleep(_ENDING_S / 100)
        return False

    def start(self) -> int | None:
        """Let the child exec; it then stands at the exec's exit, before its first instruction.

        Returns None, or the wait status if a signal ended it before. Raises NotFoundError and
        NotExecutableError if the kernel refused the file.
        """
        with contextlib.suppress(BrokenPipeError):  # killed while it waited: its status says how
            os.write(self._go, b"!")
        status = self._wait_for(lambda status: ptrace.is_event(status, ptrace.EVENT_EXEC))
        self.exec_ns = time.monotonic_ns()
        if status is None:
            ptrace.to_syscall(self.pid)
            status = self._wait_for(ptrace.is_syscall_stop, ptrace.to_syscall)
        self._ours = status is None
        os.close(self._go)
        with os.fdopen(self._failure, "rb") as failure:
            if status is not None and (number := failure.read()):
                self._refuse(int(number))
        return status

    def _wait_for(
        self,
        wanted: Callable[[int], bool],
        resume: Callable[..., None] = ptrace.cont,
    ) -> int | None:
        """Deliver every signal until a wanted stop; return None, or the status of its end."""
        while True:
            _, status = os.waitpid(self.pid, ptrace.WALL)
            if not os.WIFSTOPPED(status):
                return status
            if wanted(status):
                return None
            if ptrace.is_event(status, ptrace.EVENT_STOP):
                if os.WSTOPSIG(status) == signal.SIGTRAP:
                    resume(self.pid)
                else:
                    ptrace.listen(self.pid)
            else:
                resume(self.pid, os.WSTOPSIG(status))

    def _refuse(self, number: int) -> NoReturn:
        from systrace.launcher import quoted  # noqa: PLC0415

        file, reason = quoted((self._command.file,)), os.strerror(number)
        if number in (2, 20):  # ENOENT, ENOTDIR
            interpreter = " (or the interpreter that its first line names)"
            raise NotFoundError(f"cannot run {file}: {reason}{interpreter}")
        if number == 8:  # ENOEXEC
            raise NotExecutableError(
                f"cannot run {file}: {reason}\n"
                f"if it is a shell script without a #! line: systrace run sh {file}"
            )
        raise NotExecutableError(f"cannot run {file}: {reason}")

    def released(self) -> None:
        """Note that somebody else looks after it from now on: it ends in its own time."""
        self._ours = False

    def send(self, number: int) -> None:
        """Send the target a signal; one that has ended, and is not waited for yet, gets none."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def abandon(self) -> None:
        """End a child that was never released; one that was is left alone."""
        if not self._ours:
            return
        self._ours = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, ptrace.WALL)


def _become(
    command: Command, identity: Identity | None, signals: Signals, pipes: tuple[int, int, int]
) -> NoReturn:
    """In the child: wait, put back what systrace changed for itself, drop, exec. Never returns."""
    go_read, go_write, failure = pipes
    try:
        _restore_signals(signals)
        os.close(go_write)
        if os.read(go_read, 1) != b"!":
            os._exit(125)
        for stream, fd in enumerate(command.streams):
            if fd != stream:
                os.dup2(fd, stream)
        if identity is not None:
            drop(identity)
        privilege.keep_from_target()
        os.execve(command.file, list(command.argv), command.environment)  # noqa: S606
    except OSError as error:
        os.write(failure, str(error.errno).encode("ascii"))
    except BaseException:  # noqa: BLE001 - nothing may run on in the child
        os.write(failure, b"22")
    finally:
        os._exit(127)


def _restore_signals(signals: Signals) -> None:
    """Put dispositions and mask as systrace inherited them; exec(2) resets handlers itself."""
    ignored = _ignored_at_start()
    if signals.children_ignored:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for number in _PYTHON_IGNORES:
        kept = ignored >> (number - 1) & 1
        signal.signal(number, signal.SIG_IGN if kept else signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, signals.mask)


@contextlib.contextmanager
def signals_blocked(numbers: frozenset[signal.Signals]) -> Iterator[Signals]:
    """Block signals, to be taken by sigtimedwait(2); yields what was before.

    Where SIGCHLD was ignored the kernel would neither send it nor keep a status to wait for.
    """
    mask = frozenset(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, numbers))
    children_ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
    if children_ignored:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield Signals(mask, children_ignored)
    finally:
        if children_ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
