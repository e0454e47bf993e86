"""What a report cannot know, by how it was made: no limit may hold for want of counting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from systrace.limits.quantity import TIMES, Quantity, matches
from systrace.options import Selection, TraceOptions
from systrace.report import UNCOUNTED, Report
from systrace.syscalls import VDSO_FUNCTIONS

# Figures of a call in which its calls that the vDSO served have a part.
_WITH_VDSO: Final = frozenset({"count", "ring3_calls", "vdso", *TIMES})
_ONLY_VDSO: Final = frozenset({"ring3_calls", "vdso"})
_NOT_COUNTED: Final = frozenset({"elapsed", "lost"})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a figure is not known: up to ``missing`` more, or ``excess`` less."""

    reason: str
    missing: float = inf
    excess: float = 0


@dataclass(frozen=True, slots=True)
class Knowledge:
    """How a trace was, or will be, made.

    ``part`` is why it is not of the whole run, ``blind`` why any count may be too low; each is
    empty where that is not so. ``uncounted`` has the vDSO functions whose calls in ring 3 nobody
    counted, each with the reason. ``selected`` without a ``selection`` is of an old report, which
    does not say what was left out. ``foreign``: calls of children that were left out may be among
    those of the vDSO.
    """

    part: str = ""
    blind: str = ""
    lost: int = 0
    errors_lost: bool = False
    foreign: bool = False
    timed: bool = True
    selected: bool = False
    selection: Selection | None = None
    uncounted: Mapping[str, str] = field(default_factory=dict)

    @property
    def unseen(self) -> frozenset[str]:
        """The calls that may have been made though no row has them."""
        return frozenset(name for name in self.uncounted if self._may_select(name))

    def doubt(self, quantity: Quantity, *, has_row: bool = False) -> Doubt | None:
        """Say why this figure cannot be known, if so; ``has_row``: there are calls of it."""
        if self.part:
            return Doubt(self.part)
        if quantity.field in _NOT_COUNTED and quantity.call is None:
            return None
        if reason := self._reason(quantity, has_row=has_row):
            of_vdso = quantity.field in _WITH_VDSO
            return Doubt(reason, excess=inf if self.foreign and of_vdso else 0)
        if not self.lost:
            return None
        lost = f"{self.lost:,} calls were lost" if self.lost > 1 else "1 call was lost"
        if quantity.field in _ONLY_VDSO:
            # entries are counted where they happen: what was lost is a fallback, if anything
            return Doubt(lost, missing=0, excess=self.lost)
        return Doubt(lost, missing=inf if quantity.is_time else self.lost)

    def _reason(self, quantity: Quantity, *, has_row: bool) -> str:
        """Say why a figure may be too low by any number."""
        if self.blind:
            return self.blind
        if quantity.call is not None and not has_row and not self._may_select(quantity.call):
            return "a selection (-e) left it out"
        if quantity.is_time and not self.timed:
            return "no times were taken (--counts-only)"
        if quantity.field == "errors" and self.errors_lost:
            return "some errors were not kept"
        parts = (name for name in sorted(self.unseen) if _has_part(name, quantity))
        return next((self.uncounted[name] for name in parts), "")

    def _may_select(self, name: str) -> bool:
        """Whether calls of this name, or some that match the pattern, are counted."""
        if not self.selected:
            return True
        if self.selection is None:
            return False
        if self.selection.negated:
            return self.selection.admits(name)
        return any(matches(admitted, name) for admitted in self.selection.names)


def before(trace: TraceOptions) -> Knowledge:
    """What is certain before anything is traced."""
    off = trace.vdso == "off" and not trace.without_vdso
    return Knowledge(
        timed=not trace.counts_only,
        selected=trace.selection is not None,
        selection=trace.selection,
        uncounted=dict.fromkeys(VDSO_FUNCTIONS, _why_uncounted("off")) if off else {},
    )


def of_report(report: Report) -> Knowledge:
    """What a report tells of itself."""
    return Knowledge(
        part=_part(report),
        blind=_blind(report),
        lost=report.lost,
        errors_lost="errors" in report.incomplete,
        foreign=report.without_children and "vdso" in report.incomplete,
        selected=report.selected,
        selection=report.selection,
        uncounted=_uncounted(report),
    )


def _part(report: Report) -> str:
    if report.since_ns is not None:
        return "the report is of an interval (-i), and not of the whole run"
    # what was attached to need not end
    if report.command and report.exit.code is None and report.exit.signal is None:
        return "the report was made while the command still ran"
    return ""


def _blind(report: Report) -> str:
    incomplete = set(report.incomplete)
    if "threads" in incomplete:
        return "some threads were not followed"
    if "unknown" in incomplete:
        return "an older systrace wrote warnings, and not what they are about"
    if report.command and not report.calls and not report.selected:
        # its own execve would be there
        return "no call at all was counted"
    return ""


def _uncounted(report: Report) -> Mapping[str, str]:
    if report.probes.vdso in UNCOUNTED:
        return dict.fromkeys(VDSO_FUNCTIONS, _why_uncounted(report.probes.vdso))
    if "vdso" in report.incomplete:
        why = "vDSO calls of some program were not counted"
        if report.without_children:
            why += ", or those of children were"
        return dict.fromkeys(VDSO_FUNCTIONS, why)
    named = (entry.partition(" ") for entry in report.incomplete)
    return {
        name: f"vDSO calls of {name} were not counted" for kind, _, name in named if kind == "vdso"
    }


def _why_uncounted(mode: str) -> str:
    return "vDSO calls were not counted" + (" (--vdso off)" if mode == "off" else "")


def _has_part(function: str, quantity: Quantity) -> bool:
    """Whether calls of this vDSO function are in the figure."""
    if quantity.call is None:
        return quantity.field == "ring3_calls"
    return quantity.field in _WITH_VDSO and matches(function, quantity.call)
