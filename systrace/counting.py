"""The probes of one session: compiled for this kernel, attached, drained, detached."""

import os
import time
from typing import Final

from systrace import kernel, probe, proc
from systrace.counters import Counters
from systrace.definitions import HOLD_BYTES, tracepoints
from systrace.layout import Config, Hold
from systrace.links import Links
from systrace.options import TraceOptions
from systrace.ring import Ring
from systrace.seeds import Seeds
from systrace.tally import Tally
from systrace.vdso.image import Image

TRACEPOINTS: Final = {
    "on_newtask": "task_newtask",
    "on_exit": "sched_process_exit",
    "on_exec": "sched_process_exec",
    "on_sys_exit": "sys_exit",
    "on_sys_enter": "sys_enter",
}
_FIRST_ENTER: Final = "on_first_enter"
_COLLECTED_AT_ONCE: Final = 1024


class Counting:
    """A context manager; nothing of it is left in the kernel when it is left."""

    def __init__(self, options: TraceOptions, image: Image | None, build: probe.Build) -> None:
        """Load what ``prepare`` began to build. Raises UnsupportedError and PrivilegeError."""
        self._collected = 0
        self._stopped_ns: int | None = None
        self._links = Links()
        self._programs = probe.Programs(build)
        self._counters = Counters(
            self._programs, tuple(TRACEPOINTS), per_process=options.per_process
        )
        functions = tuple(function.name for function in image.functions) if image else ()
        self._counters.select(options.selection, functions)

    def __enter__(self) -> "Counting":
        return self

    def __exit__(self, *_: object) -> None:
        self._links.close()
        self._programs.close()

    def await_exec(self, pid: int, secret: int) -> None:
        """Attach, so that counting begins with the execve that starts ``pid``'s program."""
        try:
            entry = os.stat(f"/proc/{pid}/ns/pid")  # noqa: PTH116 - a magic link, followed
            numbers = _pid_numbers(pid)
        except (FileNotFoundError, ProcessLookupError):
            return  # killed already: nothing will start
        self._counters.configure(
            Config(
                secret=secret,
                pidns_dev=entry.st_dev,
                pidns_ino=entry.st_ino,
                target=numbers[-1],
                level=len(numbers) - 1,
                parent=os.getpid(),
            )
        )
        self._attach()
        self._links.attach("sys_enter", self._programs.program(_FIRST_ENTER), _FIRST_ENTER)

    def hold_moves(self) -> None:
        """Hold threads that have moved or unmapped their vDSO, for their tracer: before exec.

        Each stands in the delivery of a SIGSTOP of the kernel's own (SI_KERNEL).
        """
        self._counters.hold_moves()

    def holds(self) -> Ring[Hold]:
        """Return the tasks that are held; with ``by_signal`` only."""
        return Ring(self._programs.map_fd("holds"), HOLD_BYTES, Hold)

    def hold(self, *, births: bool) -> None:
        """Begin to hold processes that exec and, with ``births``, new ones."""
        self._counters.hold(births=births)

    def execs(self, process: int) -> int:
        """Return how often a process, by its key, has executed a program; 0 if it is gone."""
        return self._counters.execs(process)

    def was_killed(self, process: int) -> bool:
        """Whether SIGKILL ended a process, by its key."""
        return self._counters.was_killed(process)

    def living(self) -> dict[int, int] | None:
        """Return the pids that live, and when each began, ns; None if some are not listed."""
        return self._counters.living()

    def _attach(self) -> None:
        typed_calls = tracepoints() == "tp_btf"
        for program, tracepoint in TRACEPOINTS.items():
            typed = kernel.tracepoint(tracepoint)
            if typed_calls and typed is not None:
                self._links.attach_typed(tracepoint, self._programs.typed(program, typed))
            else:
                self._links.attach(tracepoint, self._programs.program(program))
        self._links.attach_if_there("emulate_vsyscall", self._programs.program("on_vsyscall"))

    def await_seeds(self, secret: int) -> "Seeds":
        """Attach, so that counting begins with the threads that are handed to what this returns.

        Only with probe.SEEDING among the sources. Raises UnsupportedError.
        """
        self._counters.configure(Config(secret=secret))
        seeds = Seeds(self._programs)
        self._attach()
        return seeds

    def started(self) -> None:
        """Detach what only the start needed."""
        self._links.detach(_FIRST_ENTER)

    def started_ns(self) -> int:
        """Return when the target's first call began; the present where it never came to that."""
        started = [process.start_ns for process in self._counters.drain().processes]
        return started[0] if started else time.monotonic_ns()

    def stop(self) -> None:
        """Detach all probes; the counters stay readable."""
        self._links.close()
        self._stopped_ns = time.monotonic_ns()

    def drain(self) -> Tally:
        """Read all counters, up to this moment or that in which the probes were detached."""
        tally = self._counters.drain()
        return tally if self._stopped_ns is None else tally._replace(at_ns=self._stopped_ns)

    def collect(self) -> None:
        """Take processes that have ended out of the kernel's tables, so that these never fill.

        That costs reading all that live: it is done where many have ended since the last time.
        """
        ended = self._counters.ended()
        if ended - self._collected >= _COLLECTED_AT_ONCE:
            self._collected = ended
            self._counters.collect()

    def alive(self) -> int:
        """Return how many listed processes live."""
        return self._counters.alive()


def _pid_numbers(pid: int) -> list[int]:
    """A process's pid in our /proc's namespace and in each one below, up to its own (NSpid)."""
    return [int(number) for number in proc.status(pid).get("NSpid", str(pid)).split()]
