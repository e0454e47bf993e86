"""What the doctor found: plain values, ``systrace.doctor/1``, no root, no bcc.

The shapes are those of ``doctor.schema.json`` beside the report's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from systrace.options import VdsoMode
from systrace.report import Machine

SCHEMA = "systrace.doctor/1"

Level = Literal["good", "limited", "bad", "unknown"]
Outcome = Literal["exact", "wrong", "refused", "untried"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that this machine has or lacks.

    ``subject`` is a fixed word, ``value`` the bare fact for machines and ``says`` the same in
    words. ``limited``: ``run`` is exact all the same, and something else is worse than it could
    be. ``bad``: ``run`` is refused or not exact. ``unknown``: it could not be looked at. All but
    ``good`` have a consequence and a remedy, unknown ones at least a remedy. A second line of a
    remedy is to be pasted as it is.
    """

    subject: str
    level: Level
    value: str | int | None
    says: str
    consequence: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured here, in ns; None where it could not be.

    ``vdso_call_ns`` is one clock_gettime(CLOCK_MONOTONIC), ``system_call_ns`` one getppid, neither
    traced; ``breakpoint_hit_ns`` is what a hardware breakpoint with an eBPF program adds.
    """

    vdso_call_ns: float | None = None
    system_call_ns: float | None = None
    breakpoint_hit_ns: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the known workload in one ``--vdso`` mode.

    ``counted_by`` is the report's ``probes.vdso``. ``expected`` and ``counted`` are calls by name;
    a vDSO call is expected only where the mode counts those. ``says`` is why it was refused or not
    tried, or what was wrong; empty where it was exact.
    """

    mode: VdsoMode
    outcome: Outcome
    counted_by: str | None = None
    expected: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything; ``functions`` maps each vDSO function to why it cannot be patched, or ``""``."""

    machine: Machine
    findings: tuple[Finding, ...]
    functions: Mapping[str, str]
    costs: Costs
    trials: tuple[Trial, ...]

    @property
    def exact(self) -> bool:
        """Whether ``systrace run`` would be exact here: tried, and nothing speaks against it."""
        tried = any(trial.mode == "auto" and trial.outcome == "exact" for trial in self.trials)
        return tried and all(finding.level != "bad" for finding in self.findings)
