"""systrace attached to a program that runs already, and what it says of it."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .live import Live, started
from .tracing import SYSTRACE, Traced, Tracer

ATTACHED = "systrace: attached to "
CALLS = 8 * 10_007  # of a round of on_signal
MODES = ("patch", "breakpoint")


def round_of(live: Live) -> None:
    """Let an on_signal make its calls, all of them."""
    live.process.send_signal(signal.SIGUSR1)
    assert live.line() == "done"


class Attached(Live):
    """A systrace that has attached; ``said`` is what it said before."""

    def __init__(self, process: "subprocess.Popen[bytes]", trace: Tracer) -> None:
        super().__init__(process)
        self.said: list[str] = []
        self._trace = trace
        while not (line := self.shown()).startswith(ATTACHED):
            self.said.append(line)

    def detach(self, by: signal.Signals = signal.SIGINT) -> Traced:
        """End the observation, and read the report of it."""
        self.process.send_signal(by)
        return self.end(self._trace)


def attach_argv(trace: Tracer, *words: str, options: Sequence[str] = ()) -> list[str]:
    return [str(SYSTRACE), "attach", "-q", "-o", str(trace.output), *options, *words]


@contextmanager
def attached(
    trace: Tracer, *words: object, options: Sequence[str] = (), prefix: Sequence[str] = ()
) -> Iterator[Attached]:
    argv = attach_argv(trace, *map(str, words), options=options)
    with started(*prefix, *argv, cwd="/") as live:
        yield Attached(live.process, trace)


def vdso_bytes(pid: int) -> bytes:
    """A process's vDSO as it is now."""
    low, high = next(
        (int(bound, 16) for bound in line.split()[0].split("-"))
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
        if line.endswith("[vdso]")
    )
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        memory.seek(low)
        return memory.read(high - low)


def mappings(pid: int) -> set[str]:
    """Address, rights and name of each mapping, but what grows by itself."""
    lines = (line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines())
    return {
        " ".join((fields[0], fields[1], *fields[5:]))
        for fields in lines
        if not fields[-1].startswith(("[heap", "[stack"))
    }


def tracer_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("TracerPid:")[2].split()[0])
