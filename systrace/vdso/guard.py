"""A process beside systrace that patches what runs already, and restores it whatever happens.

It is the tracer of everything that it holds, so that a systrace that is killed leaves no thread
half-way through an injected call; and when systrace goes away, it restores what is patched.
It is forked from systrace, so that both have the same code and the same maps, and takes no signal.
"""

import os
import pickle
import select
import socket
from contextlib import suppress
from typing import Any, Final, NoReturn

from systrace import beside
from systrace.errors import SystraceError
from systrace.target.find import Found
from systrace.vdso.live_patch import LivePatcher, Patched
from systrace.vdso.patch import UnpatchableError

_MOST_BYTES: Final = 1 << 20
_SETTLE_MS: Final = 5


class Guard:
    """Asks the guard process; ``longest_stop_ns`` is for how long, at most, it held a thread."""

    def __init__(self, patcher: LivePatcher) -> None:
        """Fork it; from here on only the guard uses ``patcher``."""
        self.longest_stop_ns: int | None = None
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            self._socket.close()
            _keep(patcher, theirs)
        theirs.close()

    def patch(self, process: Found) -> Patched:
        """As LivePatcher; raises UnpatchableError, whatever the reason."""
        patched: Patched = self._ask("patch", process)
        return patched

    def moved(self, vdso: int, block: int, inode: int) -> None:
        """As LivePatcher; raises UnpatchableError."""
        self._ask("moved", vdso, block, inode)

    def let_go(self) -> list[str]:
        """As LivePatcher, and end the guard."""
        try:
            left: list[str] = self._ask("let_go")
        except UnpatchableError as error:
            left = [f"patched vDSOs may not be restored: {error}"]
        self._socket.close()
        os.waitpid(self._pid, 0)
        return left

    def _ask(self, *question: Any) -> Any:
        try:
            self._socket.send(pickle.dumps(question))
            answer = self._socket.recv(_MOST_BYTES)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        if not answer:
            raise UnpatchableError("systrace's guard process was killed")
        failed, value, self.longest_stop_ns = pickle.loads(answer)  # noqa: S301 - our own fork
        if failed:
            raise UnpatchableError(value)
        return value


def _keep(patcher: LivePatcher, questions: socket.socket) -> NoReturn:
    """In the guard: answer until systrace says that it is over, or is gone. Never returns."""
    try:
        beside.settle(b"systrace-guard")
        while _answer(patcher, questions):
            pass
    finally:
        with suppress(BaseException):
            patcher.abandon()
        os._exit(0)


def _answer(patcher: LivePatcher, questions: socket.socket) -> bool:
    """Wait for a question and answer it; returns whether more may come."""
    poll = select.poll()
    poll.register(questions, select.POLLIN)
    while patcher.settle():
        if poll.poll(_SETTLE_MS):
            break
    question = questions.recv(_MOST_BYTES)
    if not question:
        return False
    name, *arguments = pickle.loads(question)  # noqa: S301 - from systrace, which forked us
    try:
        answer = (False, getattr(patcher, name)(*arguments), patcher.longest_stop_ns)
    except (SystraceError, OSError) as error:
        answer = (True, str(error), patcher.longest_stop_ns)
    questions.send(pickle.dumps(answer))
    return True
