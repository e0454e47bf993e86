"""The whole examination: facts first, then what they mean, and the self-test where it can run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from systrace import machine
from systrace.doctor import bcc, clock, costs, kept, kernel, limits, probing, rights, self_test
from systrace.doctor.findings import Costs, Diagnosis, Finding, Trial
from systrace.report import Machine


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found, before any of it is judged."""

    machine: Machine
    rights: rights.Facts
    kernel: kernel.Facts
    limits: limits.Facts
    bcc: bcc.Facts
    kept: kept.Facts
    clock: clock.Facts
    probing: probing.Facts
    costs: Costs


def gather(arguments: Sequence[str]) -> Facts:
    """Look at everything; ``arguments`` are those systrace was called with."""
    clocks = clock.gather()
    kernels = kernel.gather()
    return Facts(
        machine=machine.describe(),
        rights=rights.gather(arguments),
        kernel=kernels,
        limits=limits.gather(kernel.version(kernels.release)),
        bcc=bcc.gather(),
        kept=kept.gather(),
        clock=clocks,
        probing=probing.gather(),
        costs=costs.measure(clocks.image),
    )


def judge(facts: Facts, test: Callable[[], Iterator[Trial]] = self_test.run) -> Diagnosis:
    """Say what it all means; ``test`` runs where nothing speaks against it."""
    findings = tuple(_findings(facts))
    # what a vDSO lacks is refused or reported by each mode on its own
    against = [item for item in findings if item.level == "bad" and item.subject != "vdso"]
    trials = self_test.untried(f"see {against[0].subject} above") if against else test()
    return Diagnosis(facts.machine, findings, facts.clock.functions, facts.costs, tuple(trials))


def _findings(facts: Facts) -> Iterator[Finding]:
    yield from rights.judge(facts.rights)
    yield from kernel.judge(facts.kernel, privileged=not facts.rights.refusal)
    yield from bcc.judge(facts.bcc)
    yield from kept.judge(facts.kept)
    yield from limits.judge(facts.limits)
    yield from clock.judge(facts.clock)
    yield from probing.judge(facts.probing, len(facts.clock.functions))
