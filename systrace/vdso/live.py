"""vDSO calls of processes that run already: patched while all of their threads are held.

Code and counter pages stay mapped when the functions are restored, for a thread may come back
into them from a signal handler; the next attach finds and uses them again.
"""

import fcntl
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from systrace import ptrace
from systrace.errors import UnsupportedError
from systrace.options import VdsoMode
from systrace.seeds import Seeds
from systrace.tally import Entries
from systrace.target.find import Found
from systrace.target.inject import TargetDiedError
from systrace.target.seccomp import filters_more_than_ours
from systrace.target.stop import AgainError, Holder, HoldError, Stop
from systrace.vdso import place, x86_64
from systrace.vdso.breakpoint import BreakpointError, Breakpoints
from systrace.vdso.count import VdsoCount
from systrace.vdso.patch import (
    CounterPages,
    UnpatchableError,
    check_address,
    check_image,
    map_block,
    open_counters,
    vdso_address,
    write_jumps,
)
from systrace.vdso.x86_64 import JUMP_BYTES, PAGE, Plan

_MAGIC: Final = b"systrace vdso 1\n"  # at the end of the code page
_UNHELD_TRIES: Final = 20
_SHARED: Final = "/dev/zero (deleted)"  # how /proc/PID/maps names shared anonymous memory


class LivePages(CounterPages):
    """Counters that may have counted before, for an earlier attach."""

    def __init__(self, plan: Plan, counters: CounterPages) -> None:
        super().__init__(plan, counters.pages)
        self._before = super().read()

    def read(self) -> Entries:
        """Return what came since."""
        return super().read().since(self._before)


@dataclass(frozen=True, slots=True)
class _Patched:
    """Where a process has its vDSO, its trampolines, and the counters that its children share."""

    process: Found
    vdso: int
    block: int
    shared: str


class LiveVdso(VdsoCount):
    """As VdsoCount, for images that are in use: each is held while it is changed."""

    def __init__(self, asked: VdsoMode, announce: Callable[[str], None]) -> None:
        """``announce`` is told what will be done to a process, before it is done.

        Raises UnsupportedError for a mode that only ``run`` has.
        """
        if asked == "uprobe":
            raise UnsupportedError(
                "--vdso uprobe needs a program that systrace starts; "
                "attach counts with --vdso patch or breakpoint"
            )
        super().__init__(asked)
        self._announce = announce
        self._holder = Holder()
        self._patched: dict[int, _Patched] = {}
        self._seeds: Seeds | None = None
        self._left: list[str] = []
        self._locks: list[int] = []

    @property
    def longest_stop_ns(self) -> int | None:
        """For how long, at most, a thread was held; None if none was."""
        return self._holder.longest_ns

    def settle(self) -> bool:
        """Let go of threads that stopped too late; returns whether there are such."""
        return self._holder.settle()

    def take(self, process: Found, seeds: Seeds) -> None:
        """Begin to count a process: its system calls and, as the mode says, its vDSO calls.

        Raises UnsupportedError if a mode was named that this process does not allow.
        """
        self._seeds = seeds
        self._first = self._first or process.pid
        first = self._first == process.pid
        try:
            if self._plan is not None:
                self._take_patched(process, seeds, self._plan)
            elif self._breakpoints is not None:
                self._take_held(process, seeds)
        except (UnpatchableError, BreakpointError, HoldError, TargetDiedError) as error:
            self._without(process, seeds, str(error), first=first)
        seeds.sow([process.pid], held=False)

    def _without(self, process: Found, seeds: Seeds, reason: str, *, first: bool) -> None:
        """Go on where patching failed: with breakpoints if none was named, or without any."""
        if self._asked == "auto" and self._with_breakpoints():
            try:
                self._take_held(process, seeds)
            except (UnpatchableError, BreakpointError, HoldError, TargetDiedError):
                pass
            else:
                self._held[reason] += 1
                if first:
                    self.mode = "breakpoint"
                return
        self._unpatchable(reason, first=first)

    def _take_patched(self, process: Found, seeds: Seeds, plan: Plan) -> None:
        count = len(plan.trampolines)
        self._announce(
            f"patching {count} vDSO functions of {process}, restored on exit; "
            "--vdso breakpoint or off changes nothing in it"
        )

        def patch(stop: Stop) -> None:
            self._patch(process, stop, plan)
            seeds.sow([process.pid], held=True)

        self._lock(process.pid)
        self._holder.hold(process.pid, patch)

    def _lock(self, pid: int) -> None:
        """Be the only systrace that patches a process; raises UnpatchableError if another does.

        The lock sits on its directory in /proc: it ends with the process, or with us.
        """
        fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._locks.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnpatchableError("another systrace has patched it") from error

    def _take_held(self, process: Found, seeds: Seeds) -> None:
        breakpoints, image = self._breakpoints, self._image
        if breakpoints is None or image is None:
            return
        self._announce(
            f"setting breakpoints on {len(breakpoints.functions)} vDSO functions of {process}; "
            "nothing in it changes"
        )

        def set_them(stop: Stop) -> None:
            tid, registers = next(iter(stop.threads.items()))
            base = check_image(tid, image, registers.cs)
            breakpoints.hold(process.pid, base, tuple(stop.threads))
            seeds.sow([process.pid], held=True)

        try:
            self._holder.hold(process.pid, set_them)
        except HoldError:
            _set_unheld(process.pid, breakpoints, check_address(process.pid, image))

    def _patch(self, process: Found, stop: Stop, plan: Plan) -> None:
        tid, registers = next(iter(stop.threads.items()))
        vdso, block = _leftover(tid, plan)
        if not block:
            vdso = check_image(tid, plan.image, registers.cs)
            inside = {
                vdso + trampoline.function.offset + byte
                for trampoline in plan.trampolines
                for byte in range(1, JUMP_BYTES)
            }
            if stop.stands_in(inside):
                raise AgainError("a thread stands in the first instructions of a vDSO function")
            block = _find_block(tid)
        if not block:
            block = self._map(stop, plan, vdso)
        counters = CounterPages(plan, open_counters(tid, block + PAGE))
        pages = LivePages(plan, counters)
        with Path(f"/proc/{tid}/mem").open("r+b", buffering=0) as memory:
            memory.seek(block)
            memory.write(plan.code_page(block, vdso)[: -len(_MAGIC)] + _MAGIC)
            write_jumps(memory, plan, block, vdso)
        self._images.add(process.pid, pages)
        shared = _identity(tid, block + PAGE)
        self._patched[process.pid] = _Patched(process, vdso, block, shared)

    def _map(self, stop: Stop, plan: Plan, vdso: int) -> int:
        with stop.injector(vdso + plan.image.syscall_offset, self.secret) as injector:
            tid = injector.tid
            try:
                suspend = ptrace.O_SUSPEND_SECCOMP if filters_more_than_ours(tid) else 0
                ptrace.set_options(tid, ptrace.O_TRACESYSGOOD | suspend)
            except PermissionError as error:
                raise UnpatchableError(
                    "a seccomp filter may forbid it, and cannot be suspended"
                ) from error
            try:
                return map_block(tid, plan, vdso, injector)
            finally:
                ptrace.set_options(tid, ptrace.O_TRACESYSGOOD)

    def let_go(self) -> None:
        """Restore what was patched, in the processes and in the children that they forked.

        From then on their calls are not counted. What cannot be held keeps its trampolines, which
        do no harm, and a warning says so.
        """
        plan, seeds = self._plan, self._seeds
        if self._breakpoints is not None:
            self._breakpoints.disable()
        if plan is None or seeds is None or not self._patched:
            return
        seeds.holding(True)
        while self._patched:
            _, patched = self._patched.popitem()
            tried: set[int] = set()
            while pids := _sharing(patched) - tried:
                for pid in sorted(pids):
                    tried.add(pid)
                    self._restore(pid, patched, plan, seeds)
        seeds.holding(False)
        self._holder.settle()

    def __exit__(self, *of_error: object) -> None:
        super().__exit__(*of_error)
        for fd in self._locks:
            os.close(fd)
        self._locks.clear()

    def _restore(self, pid: int, patched: _Patched, plan: Plan, seeds: Seeds) -> None:
        def restore(stop: Stop) -> None:
            with Path(f"/proc/{next(iter(stop.threads))}/mem").open("r+b", buffering=0) as memory:
                for trampoline in plan.trampolines:
                    start = trampoline.function.offset
                    memory.seek(patched.vdso + start)
                    memory.write(plan.image.data[start : start + JUMP_BYTES])
            seeds.forget(pid)

        if not _is_patched(pid, patched, plan):
            return
        try:
            self._holder.hold(pid, restore)
        except (HoldError, OSError) as error:
            if Path(f"/proc/{pid}").exists():
                self._left.append(f"{pid} keeps its patched vDSO, which does no harm: {error}")

    def warnings(self) -> list[str]:
        """Return what a report has to say about these counts."""
        return [*super().warnings(), *self._left]


def _set_unheld(pid: int, breakpoints: Breakpoints, vdso: int) -> None:
    """Set breakpoints in a process that cannot be held, as long as no thread comes or goes.

    Raises BreakpointError.
    """
    for _ in range(_UNHELD_TRIES):
        tids = _tids(pid)
        breakpoints.hold(pid, vdso, tids)
        if _tids(pid) == tids:
            return
        breakpoints.drop(pid)
    raise BreakpointError("its threads come and go too fast")


def _tids(pid: int) -> tuple[int, ...]:
    return tuple(sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()))


def _is_patched(pid: int, patched: _Patched, plan: Plan) -> bool:
    """Whether a process has jumps to this block, and not another image by now."""
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            return _has_jumps(memory, plan, patched.block, patched.vdso)
    except OSError:
        return False


def _has_jumps(memory: io.RawIOBase, plan: Plan, block: int, vdso: int) -> bool:
    for trampoline in plan.trampolines:
        memory.seek(vdso + trampoline.function.offset)
        if memory.read(JUMP_BYTES) != plan.jump(trampoline, block, vdso):
            return False
    return bool(plan.trampolines)


def _find_block(tid: int) -> int:
    """Return where an earlier attach left its pages; 0 if nowhere. They may hold anything."""
    maps = Path(f"/proc/{tid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
    mappings = place.parse_maps(maps)
    with Path(f"/proc/{tid}/mem").open("rb", buffering=0) as memory:
        for code, counters in pairwise(mappings):
            if code.name or code.high - code.low != PAGE or counters.name != _SHARED:
                continue
            if counters.low != code.high or counters.high - counters.low != x86_64.COUNTER_BYTES:
                continue
            memory.seek(code.high - len(_MAGIC))
            if memory.read(len(_MAGIC)) == _MAGIC:
                return code.low
    return 0


def _leftover(tid: int, plan: Plan) -> tuple[int, int]:
    """Return vDSO and block of a process that a killed systrace left patched; (0, 0) if none."""
    vdso, block = vdso_address(tid), _find_block(tid)
    if vdso is None or not block:
        return 0, 0
    with Path(f"/proc/{tid}/mem").open("rb", buffering=0) as memory:
        return (vdso, block) if _has_jumps(memory, plan, block, vdso) else (0, 0)


def _identity(pid: int, address: int) -> str:
    """Return device and inode of the shared memory at an address; empty where there is none."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    for line in maps.splitlines():
        if line.startswith(f"{address:x}-"):
            return " ".join(line.split(maxsplit=5)[3:5])
    return ""


def _sharing(patched: _Patched) -> set[int]:
    """Return the processes that have the same counters: itself, and those forked from it."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return {pid for pid in pids if _identity(pid, patched.block + PAGE) == patched.shared}
