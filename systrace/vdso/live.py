"""vDSO calls of processes that run already: trampolines that a guard patches in, or breakpoints."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from systrace import proc
from systrace.errors import SystraceError, UnsupportedError
from systrace.layout import Hold
from systrace.options import VdsoMode
from systrace.ring import Ring
from systrace.seeds import Seeds
from systrace.tally import Entries, ProcessTally
from systrace.target import mover
from systrace.target.find import Found
from systrace.target.inject import TargetDiedError
from systrace.target.stop import Holder, HoldError, Stop, has_ended
from systrace.target.waker import Waker
from systrace.vdso.breakpoint import BreakpointError, Breakpoints
from systrace.vdso.count import VdsoCount
from systrace.vdso.guard import Guard
from systrace.vdso.image import Image
from systrace.vdso.live_patch import LivePatcher, Patched, Restorer
from systrace.vdso.patch import (
    CounterPages,
    UnpatchableError,
    check_address,
    check_image,
    vdso_address,
)
from systrace.vdso.x86_64 import PAGE, Plan

_UNHELD_TRIES: Final = 20
_FORKED: Final = "breakpoints are not inherited by a fork"
_SHARED: Final = "attach gives them no counters of their own"
# what /proc says of a process that execs or ends meanwhile among them
_OBSTACLES: Final = (UnpatchableError, BreakpointError, HoldError, OSError)


class LivePages(CounterPages):
    """Counters that may have counted before, for an earlier attach."""

    def __init__(self, plan: Plan, patched: Patched) -> None:
        super().__init__(plan, patched.process.pid, patched.block + PAGE)
        self._before = patched.before

    def read(self) -> Entries:
        """Return what came since."""
        return super().read().since(self._before)


class LiveVdso(VdsoCount):
    """As VdsoCount, for images that are in use: each is held while it is changed."""

    def __init__(
        self,
        asked: VdsoMode,
        announce: Callable[[str], None],
        *,
        follow: bool = True,
        per_process: bool = False,
    ) -> None:
        """``announce`` is told what will be done to a process, before it is done.

        Raises UnsupportedError for a mode that only ``run`` has.
        """
        if asked == "uprobe":
            raise UnsupportedError(
                "--vdso uprobe needs a program that systrace starts; "
                "attach counts with --vdso patch or breakpoint"
            )
        super().__init__(asked, follow=follow, per_process=per_process)
        self._announce = announce
        self._holder = Holder()
        self._guard: Guard | None = None
        self._holds: Ring[Hold] | None = None
        self._waker: Waker | None = None
        self._left: list[str] = []
        self._longest_ns: list[int] = []
        self._held: set[int] = set()  # they have breakpoints
        self._to_end: dict[int, bool] = {}  # of those, whether threads were held for it
        self._patched: set[int] = set()

    def __exit__(self, *of_error: object) -> None:
        super().__exit__(*of_error)
        if self._waker is not None:
            (self._waker.abandon if of_error[0] else self._waker.dismiss)()

    @property
    def longest_stop_ns(self) -> int | None:
        """For how long, at most, a thread was held; None if none was."""
        guard = self._guard.longest_stop_ns if self._guard is not None else None
        known = [ns for ns in (self._holder.longest_ns, guard, *self._longest_ns) if ns is not None]
        return max(known, default=None)

    def settle(self) -> bool:
        """Let go of threads that stopped too late; returns whether there are such."""
        return self._holder.settle()

    def hear(self, holds: Ring[Hold]) -> None:
        """Be told of threads that eBPF holds because they moved their vDSO; before any is taken.

        Whatever happens to systrace, somebody lets them go.
        """
        self._holds = holds
        if self._plan is None:
            self._waker = Waker(holds)

    def see_to_moves(self) -> None:
        """Follow the vDSOs that were moved, and let go of who moved them."""
        for hold in self._holds.take() if self._holds is not None else ():
            with contextlib.suppress(TargetDiedError):
                mover.see_to(self, hold, may_call=False)

    def moved(self, pid: int, tid: int, *, may_call: bool) -> int:
        """As VdsoCount; and the guard has to know."""
        pending = super().moved(pid, tid, may_call=may_call)
        counters, vdso = self._images.found_in(pid), vdso_address(tid)
        if self._guard is not None and counters is not None and vdso is not None:
            with contextlib.suppress(UnpatchableError):  # it was killed: nobody restores it
                self._guard.moved(vdso, counters.pages.address - PAGE, counters.pages.inode)
        return pending

    def take(self, process: Found, seeds: Seeds) -> None:
        """Begin to count a process: its system calls and, as the mode says, its vDSO calls.

        Raises UnsupportedError if a mode was named that this process does not allow, and
        SystraceError if nothing of it would be counted, or if it has ended.
        """
        self._first = self._first or process.pid
        first = self._first == process.pid
        try:
            if self._plan is not None:
                self._take_patched(process, seeds, self._plan)
            elif self._breakpoints is not None:
                self._take_held(process, seeds)
        except _OBSTACLES as error:
            reason = _reason(error)
            if proc.with_memory(process.pid) is None:
                reason = "it has ended"  # which is all that there is to say of it
                if first and self._asked != "auto":
                    raise SystraceError(f"cannot attach to {process}: {reason}") from error
            self._without(process, seeds, reason, first=first)
        seeds.sow([process.pid], held=False)
        if not seeds.found(process.pid) and proc.with_memory(process.pid) is not None:
            raise SystraceError(
                f"cannot attach to {process}: the kernel's iterator over tasks does not find it"
            )

    def _without(self, process: Found, seeds: Seeds, reason: str, *, first: bool) -> None:
        """Go on where patching failed: with breakpoints if none was named, or without any."""
        if self._asked == "auto" and self._with_breakpoints():
            try:
                self._take_held(process, seeds)
            except _OBSTACLES:
                pass
            else:
                self._notes.by_breakpoints[reason] += 1
                if first:
                    self.mode = "breakpoint"
                return
        self._unpatchable(reason, first=first)

    def _take_patched(self, process: Found, seeds: Seeds, plan: Plan) -> None:
        _check_unheld(process.pid, plan.image)
        self._announce(
            f"patching {len(plan.trampolines)} vDSO functions of {process}, restored on exit; "
            "--vdso breakpoint or off changes nothing in it"
        )
        if self._holds is None:
            raise UnpatchableError("nobody would hear of it if it moved its vDSO")
        if self._guard is None:
            self._guard = Guard(LivePatcher(plan, self.secret, seeds, self._holds))
        patched = self._guard.patch(process)
        self._images.add(process.pid, LivePages(plan, patched))
        self._patched.add(process.pid)

    def _take_held(self, process: Found, seeds: Seeds) -> None:
        breakpoints, image = self._breakpoints, self._image
        if breakpoints is None or image is None:
            return
        _check_unheld(process.pid, image)
        self._announce(
            f"setting breakpoints on {len(breakpoints.functions)} vDSO functions of {process}; "
            "nothing in it changes"
        )

        def set_them(stop: Stop) -> None:
            tid, registers = next(iter(stop.threads.items()))
            base = check_image(tid, image, registers.cs, jumps=True)
            breakpoints.hold(process.pid, base, tuple(stop.threads))
            seeds.sow([process.pid], held=True)
            self._to_end[process.pid] = True

        try:
            self._holder.hold(process.pid, set_them)
        except HoldError:
            base = _check_unheld(process.pid, image)
            _set_unheld(process.pid, breakpoints, base)
            self._to_end[process.pid] = False
        self._held.add(process.pid)

    def descended(self, processes: Sequence[ProcessTally]) -> None:
        """Note who was forked, and has no breakpoints, or no counters, of its own."""
        if without := _descendants(self._held, processes):
            self._notes.uncounted[_FORKED] = without
        if self._per_process and (sharing := _descendants(self._patched, processes)):
            self._notes.with_parent[_SHARED] = sharing

    def let_go(self, seeds: Seeds) -> None:
        """Restore what was patched, and let breakpoints count no more.

        From then on calls are not counted. What cannot be held keeps its trampolines, which
        do no harm, and a warning says so.
        """
        if self._to_end and self._breakpoints is not None:
            self._end_breakpoints(self._breakpoints, seeds)
        guard, self._guard = self._guard, None
        if guard is not None:
            self._left += guard.let_go()
            if guard.longest_stop_ns is not None:
                self._longest_ns.append(guard.longest_stop_ns)

    def see_to_last(self, seeds: Seeds) -> None:
        """Hold no thread any more that moves its vDSO, and let go of those that are held still."""
        holds, self._holds = self._holds, None
        if holds is not None:
            Restorer(self._plan).see_to_last(holds, seeds)

    def _end_breakpoints(self, breakpoints: Breakpoints, seeds: Seeds) -> None:
        """Let each process's breakpoints and its system calls count no more, in one moment."""
        to_end, self._to_end = self._to_end, {}
        seeds.holding(True)
        for pid, held in to_end.items():

            def end(_: Stop | None = None, pid: int = pid) -> None:
                breakpoints.disable(pid)
                seeds.forget(pid)

            try:
                if held:
                    self._holder.hold(pid, end)
                else:
                    end()
            except (HoldError, OSError):
                end()
        if not self._holder.settle():
            seeds.holding(False)

    def warnings(self) -> list[str]:
        """Return what a report has to say about these counts."""
        return [*super().warnings(), *self._left]


def _descendants(pids: set[int], processes: Sequence[ProcessTally]) -> int:
    """Return how many processes these have forked, and those in turn."""
    tree = set(pids)
    for process in sorted(processes, key=lambda process: process.start_ns):
        if process.ppid in tree:
            tree.add(process.pid)
    return len(tree) - len(pids)


def _reason(error: Exception) -> str:
    """Complete 'not counted: '."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _check_unheld(pid: int, image: Image) -> int:
    """As ``check_address``: what can be known of a process before anything is done to it."""
    return check_address(proc.with_memory(pid) or pid, image, jumps=True)


def _set_unheld(pid: int, breakpoints: Breakpoints, vdso: int) -> None:
    """Set breakpoints in a process that cannot be held, as long as no thread comes or goes.

    Raises BreakpointError.
    """
    for _ in range(_UNHELD_TRIES):
        tids = _tids(pid)
        breakpoints.hold(pid, vdso, tids)
        if breakpoints.holds(pid) and _tids(pid) == tids:
            return
        breakpoints.drop(pid)
    raise BreakpointError("its threads come and go too fast")


def _tids(pid: int) -> tuple[int, ...]:
    return tuple(tid for tid in sorted(proc.tids(pid)) if not has_ended(pid, tid))
