"""Counting vDSO calls in whichever mode was asked for, or the best that works (``auto``)."""

import contextlib
import os
from collections.abc import Sequence
from typing import Final

from systrace.errors import SystraceError, UnsupportedError
from systrace.options import VdsoMode
from systrace.ptrace import get_registers
from systrace.tally import Entries, OwnEntries, ProcessTally
from systrace.target.inject import Injector
from systrace.target.stop import same_memory
from systrace.vdso import image, kept, moved, x86_64
from systrace.vdso.breakpoint import BreakpointError, Breakpoints
from systrace.vdso.calibrate import Calibration
from systrace.vdso.images import ImageCounters
from systrace.vdso.lent import Lent
from systrace.vdso.notes import Notes
from systrace.vdso.patch import (
    UnpatchableError,
    check_address,
    check_image,
    part,
    patch,
    vdso_address,
)
from systrace.vdso.sweep import Living, in_use
from systrace.vdso.told import How, Told
from systrace.vdso.uprobe import UprobeCounters, code_file

_UNTOLD: Final = "CLONE_UNTRACED hides a new process from its tracer"
_FILTERED: Final = "a seccomp filter may forbid it, and cannot be suspended"
_OVERWRITTEN: Final = "it wrote into its counters"
_MOVED: Final = "it moved its vDSO, and {} (calls before that are counted)"


class VdsoCount:
    """The vDSO side of a session; a context manager.

    ``mode`` is what the report says: ``patch``, ``breakpoint``, ``uprobe``, ``off``, ``none``
    (there is no vDSO) or ``uncounted`` (the first program could not be). With ``auto``, breakpoints
    count what cannot be patched. ``secret`` marks what it injects.
    ``lent_fd`` is a file that the target needs across its exec, or None.
    """

    def __init__(
        self,
        asked: VdsoMode,
        *,
        follow: bool = True,
        per_process: bool = False,
        announced: bool = True,
    ) -> None:
        """``follow``: forked children are counted, too.

        ``announced``: forks and ends are told, by ``inherit`` and ``forget``.
        """
        self._asked = asked
        self._follow = follow
        self._per_process = per_process
        self._announced = announced
        self.mode: str = "patch" if asked == "auto" else asked
        self.secret = int.from_bytes(os.urandom(8), "little")
        self.lent_fd = code_file() if self.mode == "uprobe" else None
        self._plan: x86_64.Plan | None = None
        self._images = ImageCounters(per_process=per_process, announced=announced)
        self._image: image.Image | None = None
        self._breakpoints: Breakpoints | None = None
        self._no_breakpoints: str | None = None
        self._first: int | None = None
        self._notes = Notes()
        self._told = Told()
        self._lent = Lent()
        self._out_of_reach: set[int] = set()
        self._calibration: Calibration | None = None
        self._uprobes: UprobeCounters | None = None

    def __enter__(self) -> "VdsoCount":
        return self

    def __exit__(self, *_: object) -> None:
        if self._uprobes is not None:
            self._uprobes.close()
        if self._breakpoints is not None:
            self._breakpoints.close()
        self._images.close()
        if self.lent_fd is not None:
            os.close(self.lent_fd)

    def load(self) -> image.Image | None:
        """Read this kernel's vDSO and plan for it; None if there is none.

        Raises UnsupportedError if a mode was named that cannot work here.
        """
        data = image.own_bytes()
        if data is None:
            self._refuse("none", "this kernel runs without a vDSO")
            return None
        found = kept.image(data)
        self._image = found
        self._calibration = Calibration(found)
        if self.mode == "breakpoint":
            self._breakpoints = Breakpoints(found, self._calibration)
        if self.mode in ("patch", "uprobe"):
            self._plan = kept.plan(found, marked=not self._follow)
            if self.lent_fd is not None:
                self._uprobes = UprobeCounters(self._plan, self.lent_fd)
        return found

    @property
    def follows(self) -> bool:
        """Whether new images have to be prepared."""
        return self._plan is not None or self._breakpoints is not None

    def prepare(self, pid: int) -> int:
        """Patch a process that is held at the exit of its exec; returns a signal to hand it.

        Raises UnsupportedError if a mode was named that the first one does not allow.
        """
        self.forget(pid)
        first = self._first is None
        self._first = self._first or pid
        if self._plan is None:
            self._hold(pid, first=first)
            return 0
        try:
            base = check_image(pid, self._plan.image, get_registers(pid).cs)
            address = base + self._plan.image.syscall_offset
            lent = self.lent_fd if first else None
            with Injector(pid, address, self.secret) as injector:
                pages = patch(pid, self._plan, base, injector, lent)
        except UnpatchableError as error:
            self._instead(pid, str(error), first=first)
            return 0
        probed = self._uprobes is not None and first
        self._images.add(pid, pages, probed=probed)
        self._told.tell(pid, How.PAGES)
        if self._uprobes is not None and probed:
            self._uprobes.attach()
        return injector.pending_signal

    def refuse(self, pid: int, reason: str) -> None:
        """A new image in which nothing can be injected; raises UnsupportedError as ``prepare``."""
        self.forget(pid)
        first = self._first is None
        self._first = self._first or pid
        if self._plan is None:
            self._hold(pid, first=first)
        else:
            self._instead(pid, reason, first=first)

    def _instead(self, pid: int, reason: str, *, first: bool) -> None:
        """Set breakpoints in a process that cannot be patched, where that was not asked for."""
        if self._asked != "auto" or not self._with_breakpoints():
            self._told.tell(pid, How.NOT)
            self._unpatchable(reason, first=first)
        elif self._hold(pid, first=first, otherwise=reason):
            self._notes.by_breakpoints[reason] += 1
            if first:
                self.mode = "breakpoint"

    def _with_breakpoints(self) -> bool:
        """Make them ready at the first use of ``auto``: few programs need them."""
        if self._breakpoints is None and self._no_breakpoints is None:
            try:
                if self._image is not None and self._calibration is not None:
                    self._breakpoints = Breakpoints(self._image, self._calibration)
            except SystraceError as error:
                self._no_breakpoints = str(error)
        return self._breakpoints is not None

    def _hold(self, pid: int, *, first: bool, otherwise: str = "") -> bool:
        """Set breakpoints in a held process; ``otherwise`` is why it is not patched."""
        self._told.tell(pid, How.NOT)
        if self._breakpoints is None or self._image is None:
            return False
        try:
            base = check_image(pid, self._image, get_registers(pid).cs)
            self._breakpoints.hold(pid, base)
        except (UnpatchableError, BreakpointError) as error:
            self._unpatchable(otherwise or str(error), first=first)
            return False
        self._told.tell(pid, How.BREAKPOINTS)
        return True

    def miss(self, pid: int, reason: str) -> None:
        """Note that a new image runs unprepared."""
        self.forget(pid)
        self._notes.uncounted[reason] += 1

    def inherit(self, parent: int, child: int) -> None:
        """A forked child counts into its parent's pages."""
        if self._told.how(child) in (How.UNKNOWN, How.NOT):  # it may have another image by now
            self._told.tell(child, self._told.how(parent))
        self._images.share(parent, child)

    @property
    def lends(self) -> bool:
        """Whether it matters that a child which is left out has its parent's memory."""
        return self._plan is not None and self._plan.marked

    def lend(self, parent: int, child: int) -> None:
        """A child that is left out, and has not run yet, may have its parent's memory."""
        counters = self._images.found_in(parent)
        if counters is not None and same_memory(parent, child):
            self._lent.lend(child, counters.pages)

    def regain(self, child: int) -> None:
        """A child that was left out has memory of its own now, or has ended."""
        self._lent.regain(child)

    def left_out(self, sharers: int) -> None:
        """Note how many children that were left out had their parent's memory, all in all."""
        if self.lends and self.mode in ("patch", "uprobe"):
            self._notes.sharers = max(0, sharers - self._lent.children)

    @property
    def parts(self) -> bool:
        """Whether a forked process is changed when it arrives."""
        return self._per_process and self._plan is not None

    @property
    def wants_births(self) -> bool:
        """Whether ``arrive`` has to do with forked processes."""
        return self.parts or self._breakpoints is not None

    def arrive(self, child: int, *, may_call: bool) -> int:
        """A forked child, held, has its parent's image; returns a signal to hand it.

        It needs breakpoints of its own, or counters of its own where counts are kept by process.
        With ``may_call`` it can be made to make calls.
        """
        self._told.meet(child)
        pending = self._part(child, may_call=may_call) if self.parts else 0
        if self._breakpoints is None or self._image is None:
            return pending
        try:
            # one with another image, or a patched one, is not theirs
            with contextlib.suppress(UnpatchableError, OSError):
                self._breakpoints.hold(child, check_address(child, self._image))
        except BreakpointError as error:
            self._notes.uncounted[str(error)] += 1
        return pending

    def _part(self, child: int, *, may_call: bool) -> int:
        """Give a child its own counters, unless it shares its parent's memory as well."""
        shared = self._images.found_in(child)
        vdso = vdso_address(child)
        if self._plan is None or shared is None or vdso is None or shared.same_memory(child):
            return 0
        if not may_call:
            self._notes.with_parent[_FILTERED] += 1
            return 0
        address = vdso + self._plan.image.syscall_offset
        try:
            with Injector(child, address, self.secret) as injector:
                self._images.part(child, part(self._plan, injector, shared.pages), shared)
        except UnpatchableError as error:
            self._notes.with_parent[str(error)] += 1
            return 0
        return injector.pending_signal

    def stray(self, child: int, reason: str) -> None:
        """A forked child, with its parent's image, runs without having been held."""
        if self._images.found_in(child) is None:
            self._notes.uncounted[reason] += self._breakpoints is not None
        else:
            self._notes.with_parent[reason] += self._per_process

    def untold(self, processes: Sequence[ProcessTally]) -> None:
        """Note, when all is over, which of these were born without being announced."""
        if self._announced:
            found = self._told.untold(processes)
            self._notes.uncounted[_UNTOLD] = found[How.BREAKPOINTS]
            self._notes.with_parent[_UNTOLD] = found[How.PAGES] if self._per_process else 0

    def forget(self, pid: int) -> None:
        """A process has ended, or has another image now."""
        self._told.meet(pid)
        self._images.drop(pid)
        if self._breakpoints is not None:
            self._breakpoints.drop(pid)

    def descended(self, processes: Sequence[ProcessTally]) -> None:
        """Note which processes there are and were, where nobody tells of births."""

    @property
    def crowded(self) -> bool:
        """Whether ``sweep`` may be worth its while."""
        return self._images.crowded

    def sweep(self, living: Living) -> None:
        """Let go of what no living process has, where that was not announced."""
        found = in_use(living)
        if found is None:
            return
        pids, inodes = found
        self._images.sweep(inodes)
        if self._breakpoints is not None:
            self._breakpoints.keep(pids)

    def moved(self, pid: int, tid: int, *, may_call: bool) -> int:
        """A held thread may have moved or unmapped the vDSO; returns a signal to hand it.

        With ``may_call`` it can be made to make calls.
        """
        vdso = vdso_address(tid)
        if self._breakpoints is not None:
            try:
                self._breakpoints.move(pid, vdso)
            except BreakpointError as error:
                self._notes.uncounted[_MOVED.format(error)] += 1
        counters = self._images.found_in(pid)
        if self._plan is None or counters is None or vdso is None:
            return 0
        try:
            secret = self.secret if may_call else None
            pages, pending = moved.follow(tid, self._plan, counters, vdso, secret)
        except UnpatchableError as error:
            if pid not in self._out_of_reach:  # it may move it again and again
                self._out_of_reach.add(pid)
                self._notes.uncounted[_MOVED.format(error)] += 1
            return 0
        if pages is not counters.pages:
            self._images.replace(pid, pages)
        return pending

    def _unpatchable(self, reason: str, *, first: bool) -> None:
        if first:
            self._refuse("uncounted", reason)
        self._notes.uncounted[reason] += 1

    def _refuse(self, mode: str, reason: str) -> None:
        if self._asked in ("patch", "breakpoint", "uprobe"):
            raise UnsupportedError(
                f"--vdso {self._asked} cannot count this program's vDSO calls: {reason}\n"
                "--vdso auto counts what it can, and says what it could not"
            )
        if self._asked == "auto":
            self.mode = mode

    def read(self) -> Entries:
        """Return the entries so far; those of the first image as uprobes saw them, if they did."""
        probed = self._images.read(probed=True)
        entries = self._images.read(probed=False)
        if self._images.overwritten:
            self._notes.uncounted[_OVERWRITTEN] = self._images.overwritten
        self._notes.too_many = self._lent.came()
        if self._breakpoints is not None:
            entries = entries.plus(self._breakpoints.read())
        return entries.plus(self._uprobes.read() if self._uprobes is not None else probed)

    def by_process(self) -> list[OwnEntries]:
        """Return the entries so far, by process, where they are kept so."""
        if not self._per_process:
            return []
        held = self._breakpoints.by_process() if self._breakpoints is not None else []
        return [*self._images.by_process(), *held]

    def call_ns(self, name: str, clock: int) -> float | None:
        """Return what one call costs on this machine, natively; None where that is unknown."""
        return self._calibration.call_ns(name, clock) if self._calibration else None

    @property
    def uncounted(self) -> int:
        """How many programs had vDSO calls that nothing counted."""
        return self._notes.uncounted.total()

    def incomplete(self) -> set[str]:
        """Return what was not counted, as ``Report.incomplete`` names it."""
        names = list(self._plan.refused) if self._plan is not None else []
        if self._breakpoints is not None and self._breakpoints.used:
            names += self._breakpoints.left_out
        return {f"vdso {name}" for name in names} | ({"vdso"} if self._notes.doubtful else set())

    def added_ns(self) -> float | None:
        """Return what counting adds to one call; None where nobody can tell."""
        if self.mode == "breakpoint" and self._breakpoints is not None:
            return self._breakpoints.hit_ns
        if self.mode != "patch" or self._plan is None or self._calibration is None:
            return None
        from systrace.vdso.added import trampoline_ns  # noqa: PLC0415 - when all is over

        return trampoline_ns(self._plan, self._calibration)

    def warnings(self) -> list[str]:
        """Return what a report has to say about these counts."""
        warnings = []
        if self._plan is not None:
            for name, reason in self._plan.refused.items():
                warnings.append(f"vDSO calls of {name} were not counted: {reason}")
        warnings += self._notes.warnings()
        if self._breakpoints is not None:
            warnings += self._breakpoints.warnings()
        return warnings

    def disagreement(self) -> str | None:
        """Return a warning if two ways of counting the same do not agree to the last call."""
        if self._breakpoints is not None and (differs := self._breakpoints.disagreement()):
            return differs
        if self._uprobes is None:
            return None
        one, other = self._uprobes.read(), self._images.read(probed=True)
        if not one.since(other) and not other.since(one):
            return None
        return "uprobes and trampolines do not agree: vDSO counts may be off"
