"""Where compiled programs are kept: whether later starts find them there."""

from collections.abc import Iterator
from dataclasses import dataclass

from systrace import cache
from systrace.doctor.findings import Finding


@dataclass(frozen=True, slots=True)
class Facts:
    """``refusal`` is why nothing is kept in ``directory``; empty where it is."""

    directory: str
    refusal: str


def gather() -> Facts:
    """Look whether root alone can write there."""
    return Facts(cache.DIRECTORY, cache.refusal() or "")


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    if not facts.refusal:
        yield Finding("cache", "good", facts.directory, f"{facts.directory}, root's alone")
        return
    yield Finding(
        "cache",
        "limited",
        facts.directory,
        facts.refusal,
        "each start compiles the probes anew, and takes three times as long",
        f"chown root {facts.directory} and the directories above it, and chmod go-w",
    )
