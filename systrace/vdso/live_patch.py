"""Trampolines patched into processes that run, each held for it, and taken out again.

Code and counter pages stay mapped when the functions are restored, for a thread may come back
into them from a signal handler; the next attach finds and uses them again.
"""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from systrace import bpf, proc, ptrace
from systrace.layout import Hold
from systrace.ring import Ring
from systrace.seeds import Seeds
from systrace.tally import Entries
from systrace.target import mover
from systrace.target.find import Found
from systrace.target.inject import Injector, TargetDiedError
from systrace.target.seccomp import filters_more_than_ours
from systrace.target.stop import AgainError, Holder, HoldError, Stop
from systrace.vdso import lock, place, x86_64
from systrace.vdso.patch import (
    CounterPages,
    UnpatchableError,
    check_address,
    check_image,
    counters_inode,
    has_jumps,
    map_block,
    open_memory,
    part,
    read_memory,
    restore,
    set_mark,
    vdso_address,
    write_jumps,
)
from systrace.vdso.x86_64 import JUMP_BYTES, PAGE, Plan

_MAGIC: Final = b"systrace vdso 1\n"  # at the end of the code page
_MARKED: Final = b"systrace vdso 2\n"  # there is a page for a mark, too
_SHARED: Final = "/dev/zero (deleted)"  # how /proc/PID/maps names shared anonymous memory
_UNMAPPED: Final = (errno.EIO, errno.EFAULT)  # by /proc/PID/mem, by process_vm_readv(2)


@dataclass(frozen=True, slots=True)
class Patched:
    """Where a process has its vDSO, its trampolines, and the counters that its children share.

    ``before`` is what those had counted already, for an earlier attach.
    """

    process: Found
    vdso: int
    block: int
    inode: int
    before: Entries


@dataclass(frozen=True, slots=True)
class Restorer:
    """Whoever moves a patched vDSO gets it back as it was: its jumps lead nowhere now."""

    plan: Plan | None

    def moved(self, pid: int, tid: int, *, may_call: bool) -> int:  # noqa: ARG002 - as Moved
        """Restore it, if that is what was moved."""
        if self.plan is None:
            return 0
        with suppress(UnpatchableError, OSError):
            vdso = check_address(tid, self.plan.image, jumps=True)
            with proc.memory(tid, "r+b") as memory:
                restore(memory, self.plan, vdso)
        return 0

    def see_to_last(self, holds: Ring[Hold], seeds: Seeds) -> None:
        """Hold no thread any more that moves its vDSO, and see to those that are held still."""
        seeds.hold_nobody()
        bpf.await_programs()
        for hold in holds.take():
            with suppress(TargetDiedError):
                mover.see_to(self, hold, may_call=False)


class LivePatcher:
    """What one attach has patched."""

    def __init__(self, plan: Plan, secret: int, seeds: Seeds, holds: Ring[Hold]) -> None:
        """``secret`` marks injected calls; ``seeds`` are told of threads while they are held.

        ``holds`` are read by systrace itself, as long as it lives.
        """
        self._plan = plan
        self._secret = secret
        self._seeds = seeds
        self._holds = holds
        self._holder = Holder()
        self._patched: list[Patched] = []
        self._locks: list[int] = []

    @property
    def longest_stop_ns(self) -> int | None:
        """For how long, at most, a thread was held; None if none was."""
        return self._holder.longest_ns

    def settle(self) -> bool:
        """Let go of threads that stopped too late; returns whether there are such."""
        return self._holder.settle()

    def patch(self, process: Found) -> Patched:
        """Patch a process, and begin to count it in the same moment.

        Raises UnpatchableError, HoldError, TargetDiedError or OSError.
        """
        self._lock(process.pid)
        self._holder.hold(process.pid, lambda stop: self._patch_held(process, stop))
        return self._patched[-1]

    def _lock(self, pid: int) -> None:
        """Be the only systrace that patches a process; raises UnpatchableError if another does."""
        try:
            self._locks.append(lock.taken(pid))
        except BlockingIOError as error:
            raise UnpatchableError("another systrace has patched it") from error

    def _patch_held(self, process: Found, stop: Stop) -> None:
        with open_memory(next(iter(stop.threads))) as memory:
            self._patch(process, stop, memory)

    def _patch(self, process: Found, stop: Stop, memory: io.FileIO) -> None:
        plan = self._plan
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
            block = _find_block(tid, vdso, plan)
        magic = _MARKED if plan.marked else _MAGIC
        if not block:
            block = self._map(stop, vdso)
            memory.seek(block + PAGE - len(magic))
            memory.write(magic)
            counters = CounterPages(plan, tid, block + PAGE)
        else:
            counters = self._own_counters(stop, vdso, block)
        before = counters.read()
        counters.close()
        memory.seek(block)
        memory.write(plan.code_page(block, vdso)[: -len(magic)])
        if plan.marked:
            set_mark(memory, block)
        write_jumps(memory, plan, block, vdso)
        self._patched.append(Patched(process, vdso, block, counters.inode, before))
        self._seeds.sow([process.pid], held=True)

    def _own_counters(self, stop: Stop, vdso: int, block: int) -> CounterPages:
        """Open the counters that an earlier attach has left, or new ones in their place.

        Those are shared with who was forked since, whose calls would be counted as this one's.
        """
        tid = next(iter(stop.threads))
        left = CounterPages(self._plan, tid, block + PAGE)
        others = _counting_in(left.inode, left.address) - {stop.pid}
        if not others:
            return left
        try:
            if _leftover(tid, self._plan)[1] and any(map(lock.is_taken, others)):
                raise UnpatchableError("another systrace has patched what it was forked from")
            with self._injecting(stop, vdso) as injector:
                return part(self._plan, injector, left)
        finally:
            left.close()

    def _map(self, stop: Stop, vdso: int) -> int:
        with self._injecting(stop, vdso) as injector:
            return map_block(injector.tid, self._plan, vdso, injector)

    @contextmanager
    def _injecting(self, stop: Stop, vdso: int) -> Iterator[Injector]:
        """Make calls in it that no filter may forbid. Raises UnpatchableError."""
        with stop.injector(vdso + self._plan.image.syscall_offset, self._secret) as injector:
            tid = injector.tid
            try:
                suspend = ptrace.O_SUSPEND_SECCOMP if filters_more_than_ours(tid) else 0
                ptrace.set_options(tid, ptrace.O_TRACESYSGOOD | suspend)
            except PermissionError as error:
                raise UnpatchableError(
                    "a seccomp filter may forbid it, and cannot be suspended"
                ) from error
            try:
                yield injector
            finally:
                ptrace.set_options(tid, ptrace.O_TRACESYSGOOD)

    def moved(self, vdso: int, block: int, inode: int) -> None:
        """Note that a process with these counters has its vDSO and its trampolines there now."""
        self._patched.append(Patched(self._patched[0].process, vdso, block, inode, Entries()))

    def abandon(self) -> None:
        """As ``let_go``, where systrace itself is gone."""
        try:
            self.let_go()
        finally:
            Restorer(self._plan).see_to_last(self._holds, self._seeds)

    def let_go(self) -> list[str]:
        """Restore what was patched, in the processes and in the children that they forked.

        From then on their calls are not counted. Returns what cannot be held: it keeps its
        trampolines, which do no harm.
        """
        left: list[str] = []
        if self._patched:
            self._seeds.holding(True)
        while self._patched:
            patched = self._patched.pop(0)  # each is counted for as long
            tried: set[int] = set()
            while pids := ({patched.process.pid} | _sharing(patched)) - tried:
                for pid in sorted(pids):
                    tried.add(pid)
                    left += self._restore(pid, patched)
        if not self._holder.settle():
            self._seeds.holding(False)
        for fd in self._locks:
            os.close(fd)
        self._locks.clear()
        return left

    def _restore(self, pid: int, patched: Patched) -> list[str]:
        plan = self._plan

        def take_out(stop: Stop) -> None:
            with proc.memory(next(iter(stop.threads)), "r+b") as memory:
                restore(memory, plan, patched.vdso)
            self._seeds.forget(pid)

        keeps = "may keep"
        try:
            if _is_patched(pid, patched, plan):
                keeps = "keeps"
                self._holder.hold(pid, take_out)
        except (HoldError, OSError) as error:
            if proc.with_memory(pid) is not None:
                return [f"{pid} {keeps} its patched vDSO, which does no harm: {error}"]
        return []


def _is_patched(pid: int, patched: Patched, plan: Plan) -> bool:
    """Whether a process has jumps to this block, and not another image by now.

    Raises OSError where it lives and cannot be read.
    """
    while (tid := proc.with_memory(pid)) is not None:
        try:
            code = read_memory(tid, patched.vdso, len(plan.image.data))
        except (FileNotFoundError, ProcessLookupError):
            continue  # that thread has ended meanwhile, and others may live
        except OSError as error:
            if error.errno in _UNMAPPED:
                return False
            raise
        if code:
            return has_jumps(code, plan, patched.block, patched.vdso)
    return False


def _find_block(tid: int, vdso: int, plan: Plan) -> int:
    """Return where an earlier attach left its pages, all that a plan needs; 0 if nowhere.

    They may hold anything.

    The counters are shared memory, and no file that has its name, and whose owner could keep us
    waiting for it or take its contents away.
    """
    device = proc.shared_memory_device()
    mappings = place.parse_maps(proc.maps(tid))
    with proc.memory(tid) as memory:
        behind = [*mappings[2:], place.Mapping(0, 0, "")]
        for (code, counters), mark in zip(pairwise(mappings), behind, strict=False):
            if code.name or code.high - code.low != PAGE or counters.name != _SHARED:
                continue
            if counters.device != device or counters.low != code.high:
                continue
            if not place.within_reach(code.low, vdso):
                continue
            if counters.high - counters.low != x86_64.COUNTER_BYTES:
                continue
            marked = not mark.name and (mark.low, mark.high - mark.low) == (counters.high, PAGE)
            memory.seek(code.high - len(_MAGIC))
            magic = memory.read(len(_MAGIC))
            if (magic == _MARKED and marked) or (magic == _MAGIC and not plan.marked):
                return code.low
    return 0


def _leftover(tid: int, plan: Plan) -> tuple[int, int]:
    """Return vDSO and block of a process that is patched still; (0, 0) if it is not."""
    vdso = vdso_address(tid)
    block = _find_block(tid, vdso, plan) if vdso is not None else 0
    if vdso is None or not block:
        return 0, 0
    code = read_memory(tid, vdso, len(plan.image.data))
    return (vdso, block) if has_jumps(code, plan, block, vdso) else (0, 0)


def _sharing(patched: Patched) -> set[int]:
    """Return the processes that have the same counters: itself, and those forked from it."""
    return _counting_in(patched.inode, patched.block + PAGE)


def _counting_in(inode: int, address: int) -> set[int]:
    return {pid for pid in proc.pids() if counters_inode(pid, address) == inode}
