"""Writes that wait for a reader while the target does not wait for us."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # A run that makes one report does without these modules.
    from queue import Queue
    from threading import Thread

    Write = Callable[[], None]

_MOST: Final = 256  # reports that nobody has read; with one more the target waits, too


class Background:
    """A context manager; one write after the other, in their order, all done when it is left.

    Whoever watches a target holds it wherever it stops until it is seen to: to wait meanwhile for
    the reader of a full pipe would be to stop it. ptrace knows threads: this one only writes.
    """

    def __init__(self) -> None:
        self._writes: Queue[Write | None] | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):  # Ctrl-C waits for nobody
            self.finish()

    def do(self, write: "Write") -> None:
        """Have this done soon; it must not raise."""
        if self._writes is None:
            from queue import Queue  # noqa: PLC0415
            from threading import Thread  # noqa: PLC0415

            self._writes = Queue(_MOST)
            self._thread = Thread(target=self._work, args=(self._writes,), daemon=True)
            self._thread.start()
        self._writes.put(write)

    def finish(self) -> None:
        """Wait until all is done."""
        if self._writes is not None and self._thread is not None:
            self._writes.put(None)
            self._thread.join()
            self._writes = self._thread = None

    @staticmethod
    def _work(writes: "Queue[Write | None]") -> None:
        while (write := writes.get()) is not None:
            write()
