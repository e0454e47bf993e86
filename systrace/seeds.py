"""Threads that exist already, handed to the probes: a BPF iterator over all tasks (seed.c).

The iterator runs while on_newtask is attached, and again until it finds nothing new: no thread is
missed, however fast they come.
"""

import ctypes
import os
from collections.abc import Iterable

from systrace import bpf
from systrace.layout import Config, Seeding, SeedingMode
from systrace.probe import Programs

_ZERO = ctypes.c_uint32(0)


class Seeds:
    """Which processes are counted that systrace did not start."""

    def __init__(self, programs: Programs) -> None:
        """Load the iterator. Raises UnsupportedError."""
        self._iterator = programs.task_iterator("on_task")
        self._wanted = programs.numbers("wanted")
        self._seeding = bpf.Map(programs.map_fd("seeding"), ctypes.c_uint32, Seeding)
        self._config = bpf.Map(programs.map_fd("config"), ctypes.c_uint32, Config)

    def sow(self, pids: Iterable[int], *, held: bool) -> int:
        """Count these processes, pids as /proc numbers them; returns how many threads they have.

        ``held``: all of their threads stand where ``PTRACE_INTERRUPT`` stopped them. Otherwise
        they run, and of a call that a seccomp filter answers one can be missed for each thread.
        """
        for pid in pids:
            if self._wanted.get(ctypes.c_uint32(pid)) is None:
                self._wanted[ctypes.c_uint32(pid)] = ctypes.c_uint32(0)
        threads = 0
        while added := self._run(SeedingMode.HELD if held else SeedingMode.RUNNING):
            threads += added
        return threads

    def found(self, pid: int) -> bool:
        """Whether a thread of this process has been found."""
        process = self._wanted.get(ctypes.c_uint32(pid))
        return process is not None and process.value != 0

    def forget(self, pid: int) -> None:
        """Count a process no longer; a call that a thread is in stays unfinished."""
        self._run(SeedingMode.FORGET, pid)
        self._wanted.discard(ctypes.c_uint32(pid))

    def _run(self, mode: SeedingMode, pid: int = 0) -> int:
        self._seeding[_ZERO] = Seeding(mode=mode, pid=pid)
        self._iterator.run()
        return int(self._seeding[_ZERO].added)

    def holding(self, now: bool) -> None:
        """Say that we hold threads from now on: a call that this interrupts is none that ended."""
        config = self._config[_ZERO]
        config.holder = os.getpid() if now else 0
        self._config[_ZERO] = config

    def hold_nobody(self) -> None:
        """Stop no thread any more that moves its vDSO; one may be on its way still."""
        config = self._config[_ZERO]
        config.hold_nobody = 1
        self._config[_ZERO] = config

    def close(self) -> None:
        """Unload the iterator."""
        self._iterator.close()
