"""The report, ``systrace.report/1``: plain values, no root, no bcc.

Everything right of here (renderers, compare, budgets) needs only this module. All times are
nanoseconds of CLOCK_MONOTONIC unless the name says otherwise; the shapes are those of
``report.schema.json`` beside this file.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from systrace import syscalls
from systrace.options import Selection

SCHEMA = "systrace.report/1"

Via = Literal["vdso", "vdso-fallback", "syscall", "vsyscall"]
Ring = Literal["3", "3->0"]

# values of Probes.vdso for which a missing vDSO row is no zero
UNCOUNTED = frozenset({"off", "uncounted"})

# The clocksources with a VDSO_CLOCKMODE (arch/x86/include/asm/vdso/clocksource.h, arm64 alike).
READABLE_CLOCKSOURCES = frozenset(
    {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"}
)

RING: Mapping[Via, Ring] = {
    "vdso": "3",
    "vdso-fallback": "3->0",
    "syscall": "3->0",
    "vsyscall": "3->0",
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """``count`` calls that took at least ``low_ns`` and less than ``high_ns``."""

    low_ns: int
    high_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class Times:
    """Durations of the calls that returned; wall clock, waiting included.

    Percentiles come from ``histogram`` (ascending, empty buckets left out) and are off by at
    most 12.5 %; they never lie outside ``min_ns``..``max_ns``. ``estimated`` marks a time that
    was calibrated, not measured: such times have a total and a mean, and no distribution.
    ``mean_ns`` is kept to a tenth, as in a file, so that a saved report reads as it did.
    """

    total_ns: int
    mean_ns: float
    min_ns: int | None = None
    max_ns: int | None = None
    p50_ns: int | None = None
    p95_ns: int | None = None
    p99_ns: int | None = None
    histogram: tuple[Bucket, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One row: a name, the way it went, the ring that served it, and how often.

    ``count`` counts entries. ``unfinished`` of them had not returned when the task or the trace
    ended. ``filtered`` calls were answered by a seccomp filter: they are not in ``count``.
    ``restarted`` exits asked for a restart after a signal (-512..-516) and are no errors, though
    the kernel may end such a call with EINTR after all.
    ``errors`` maps an errno name (``ENOENT``; ``errno 4095`` where it has none) to a count.
    ``by_clock`` maps ``CLOCK_…`` names to counts, for the calls that take a clock id.
    ``times`` is None where nothing was measured (``--counts-only``, vDSO rows, vsyscall rows).
    """

    name: str
    via: Via
    abi: str
    count: int
    unfinished: int = 0
    filtered: int = 0
    restarted: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    by_clock: Mapping[str, int] = field(default_factory=dict)
    times: Times | None = None

    @property
    def ring(self) -> Ring:
        """The ring that served the call."""
        return RING[self.via]

    @property
    def error_count(self) -> int:
        """How many calls returned an error."""
        return sum(self.errors.values())


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: a status or a signal number; both None while it runs."""

    code: int | None = None
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was counted; pid and ppid as systrace's own pid namespace numbers them.

    ``comm`` is the last one seen. ``calls`` stays empty unless counts were kept by process.
    ``pid_in_namespace`` is its number in its own pid namespace, the innermost one (0: unknown).
    ``started_ns`` and ``ended_ns`` are counted from the start of the run; ``ended_ns`` is None,
    and ``exit`` empty, while it lives.
    """

    pid: int
    ppid: int
    comm: str
    calls: tuple[Call, ...] = ()
    pid_in_namespace: int = 0
    started_ns: int = 0
    ended_ns: int | None = None
    exit: Exit = field(default_factory=Exit)


@dataclass(frozen=True, slots=True)
class Attached:
    """A process that systrace attached to, with the name that it had then."""

    pid: int
    comm: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran. ``clocksource`` as in sysfs; ``cpus`` is the number on-line."""

    kernel: str
    arch: str
    cpus: int
    clocksource: str


@dataclass(frozen=True, slots=True)
class Probes:
    """What counted.

    ``syscalls`` is ``tp_btf`` or ``raw_tracepoint``; ``vdso`` is ``patch``, ``uprobe``,
    ``breakpoint``, ``off``, ``none`` (there is no vDSO), ``removed`` (``--without-vdso``) or
    ``uncounted`` (a warning says why).
    """

    syscalls: str
    vdso: str


@dataclass(frozen=True, slots=True)
class Overhead:
    """What tracing cost, estimated from what it was measured to add to a call on this machine.

    ``syscall_ns`` and ``vdso_ns`` are added to each call (None: not measured, and none was made),
    ``held_ns`` is for how long programs were held to be prepared, ``added_ns`` all of it, summed
    over threads. ``slowdown_least`` and ``slowdown_most`` are how many times as long the run took
    as without, were that spread over the CPUs or one after another; None where the estimate leaves
    nothing of the run, and the most also where more than calls took longer (starts, threads,
    breakpoints).
    """

    syscall_ns: float | None
    vdso_ns: float | None
    held_ns: int
    added_ns: int
    slowdown_least: float | None
    slowdown_most: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """One whole observation; ``totals`` are derived from ``calls`` and never stored twice.

    ``started`` is UTC, RFC 3339. ``threads`` counts every thread that ran, ``processes`` every
    process. ``lost`` is by how much the counts may be too low. ``selected`` says that a
    selection (``-e``) left calls out on purpose; ``selection`` which, where that is known.
    ``incomplete`` names what was not counted to the last call, for reasons that ``warnings`` give:
    ``vdso`` and ``vdso NAME`` (of some program), ``threads`` (all calls of some), ``errors``; and
    ``unknown`` where an old report has warnings and does not say. ``longest_stop_ns`` is for how
    long, at most, systrace held a thread of a process that it attached to; None where it held none.
    ``since_ns`` is where an interval report (``-i``) begins, from the start of the run on; None
    for a report of everything from the start on. ``overhead`` is what tracing cost, if known.
    ``without_children`` says that what the target forked was left out on purpose (--no-follow).
    ``attached`` is what systrace attached to, where it did that and there is no ``command``.
    """

    command: tuple[str, ...]
    exit: Exit
    started: str
    elapsed_ns: int
    machine: Machine
    probes: Probes
    calls: tuple[Call, ...]
    process_count: int
    thread_count: int
    lost: int
    processes: Sequence[Process] = ()
    warnings: tuple[str, ...] = ()
    selected: bool = False
    longest_stop_ns: int | None = None
    since_ns: int | None = None
    selection: Selection | None = None
    incomplete: tuple[str, ...] = ()
    overhead: Overhead | None = None
    without_children: bool = False
    attached: tuple[Attached, ...] = ()

    def ring_calls(self, ring: Ring) -> int:
        """Calls that were served in this ring."""
        return sum(call.count for call in self.calls if call.ring == ring)

    @property
    def ring0_calls(self) -> int:
        """Calls that entered ring 0. Raises ValueError where some may not have been counted."""
        self._require_whole("ring 0")
        return self.ring_calls("3->0")

    @property
    def ring3_calls(self) -> int:
        """Calls that stayed in ring 3. Raises ValueError where some were not counted."""
        self._require_whole("ring 3")
        self._require_vdso("ring 3", [part for part in self.incomplete if part.startswith("vdso ")])
        return self.ring_calls("3")

    def count(
        self,
        name: str,
        *,
        via: Via | None = None,
        ring: Ring | None = None,
        abi: str | None = None,
    ) -> int:
        """Calls of this name, of every via, ring and ABI or of those given; 0 if there were none.

        Raises ValueError for a name that no call has, for one that a selection left out, and where
        calls that are asked for may not have been counted: no number is a lower bound.
        """
        named = {call.name for call in self.calls}
        if name not in named and not syscalls.is_name(name):
            close = get_close_matches(name, syscalls.names(), n=1)
            raise ValueError(
                f"no call is named {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            )
        if self.selection is not None and not self.selection.admits(name):
            raise ValueError(f"{name} was not counted: the selection (expr, -e) left it out")
        _require_known("via", via, RING)
        _require_known("ring", ring, RING.values())
        _require_known("ABI", abi, syscalls.ABIS)
        self._require_whole(name)
        if name in syscalls.VDSO_FUNCTIONS and via in (None, "vdso") and ring in (None, "3"):
            self._require_vdso(name, (f"vdso {name}",))
        return sum(
            call.count
            for call in self.calls
            if call.name == name
            and via in (None, call.via)
            and ring in (None, call.ring)
            and abi in (None, call.abi)
        )

    def _require_whole(self, what: str) -> None:
        why = f"up to {self.lost:,} are missing" if self.lost else "; ".join(self.warnings)
        if self.lost or not {"threads", "unknown"}.isdisjoint(self.incomplete):
            raise ValueError(f"calls of {what} were not counted exactly: {why}")

    def _require_vdso(self, what: str, parts: Collection[str]) -> None:
        """``parts`` are what else of ``incomplete`` concerns it, besides ``vdso``."""
        if self.probes.vdso in UNCOUNTED and not self.ring_calls("3"):
            raise ValueError(
                f"calls of {what} were not all counted: those of the vDSO are {self.probes.vdso}"
            )
        if not {"vdso", *parts}.isdisjoint(self.incomplete):
            why = "; ".join(self._explaining(what))
            raise ValueError(f"calls of {what} were not counted exactly: {why}")

    def _explaining(self, what: str) -> Sequence[str]:
        """Pick the warnings that name it; or else those of some calls that were not counted."""
        named = [text for text in self.warnings if re.search(rf"\b{re.escape(what)}\b", text)]
        of_some = [text for text in self.warnings if "not counted" in text]
        return named or of_some or self.warnings

    @property
    def vdso_fallbacks(self) -> int:
        """Calls that entered the vDSO and then ring 0."""
        return sum(call.count for call in self.calls if call.via == "vdso-fallback")

    @property
    def errors(self) -> int:
        """Calls that returned an error."""
        return sum(call.error_count for call in self.calls)

    @property
    def restarted(self) -> int:
        """Calls that a signal interrupted: restarted, or ended with EINTR."""
        return sum(call.restarted for call in self.calls)


def _require_known(what: str, value: str | None, known: Iterable[str]) -> None:
    """Refuse a word that no call has, for it would always count 0. Raises ValueError."""
    words = dict.fromkeys(known)
    if value is not None and value not in words:
        raise ValueError(f"no {what} is {value!r}: there are {', '.join(words)}")
