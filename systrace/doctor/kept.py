"""Where compiled programs are kept: whether later starts find them there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from systrace import cache
from systrace.doctor.findings import Finding


@dataclass(frozen=True, slots=True)
class Facts:
    """``refusal`` is why nothing is kept in ``directory``; empty where it is.

    ``root``: we are who may keep something there.
    """

    directory: str
    refusal: str
    root: bool = True


def gather() -> Facts:
    """Look whether root alone can write there."""
    return Facts(cache.DIRECTORY, cache.refusal() or "", os.geteuid() == 0)


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    if not facts.refusal and not facts.root:
        yield Finding(
            "cache",
            "limited",
            facts.directory,
            f"{facts.directory}: used by all, and written by root alone",
            "each start compiles what root's have not, and takes three times as long",
            "run it once as root after each boot, with the same options",
        )
        return
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
