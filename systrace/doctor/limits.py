"""How much memory systrace and its maps may take: cgroups and RLIMIT_MEMLOCK."""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from systrace.doctor import files
from systrace.doctor.findings import Finding

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OURS: Final = "/proc/self/cgroup"
# Version 2 first, then where version 1 is mounted (cgroups(7)); the file, and what "" stands for.
_PLACES: Final = (
    ("", _CGROUPS, "memory.max"),
    ("", _CGROUPS / "unified", "memory.max"),
    ("memory", _CGROUPS / "memory", "memory.limit_in_bytes"),
)
# Measured with 2 CPUs: 135 MB resident while clang compiles, and 20 MB of maps.
_NEEDED: Final = 256 * 1024 * 1024
_MIB: Final = 1024 * 1024
# Linux 5.11 charges maps to the cgroup instead (kernel commit 97306be45fbe).
_CHARGED_TO_CGROUP: Final = (5, 11)
_UNLIMITED: Final = 2**60  # version 1 writes a huge number


@dataclass(frozen=True, slots=True)
class Facts:
    """Bytes; None is no limit. ``cgroup`` is the tightest of our cgroup and those above it."""

    cgroup: int | None
    memlock: int | None
    version: tuple[int, ...]


def gather(version: tuple[int, ...]) -> Facts:
    """Look; ``version`` is the kernel's, two numbers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return Facts(
        cgroup=tightest(files.text(_OURS) or ""),
        memlock=None if soft == resource.RLIM_INFINITY else soft,
        version=version,
    )


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    yield _cgroup(facts)
    yield _memlock(facts)


def tightest(membership: str, root: Path | None = None) -> int | None:
    """Return the lowest limit on the way up from our cgroup (``membership``: cgroups(7))."""
    limits = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller, mounted, name in _PLACES:
            if controller not in controllers.split(","):
                continue
            top = mounted if root is None else root / mounted.relative_to("/")
            place = top / path.lstrip("/")
            for directory in (place, *place.parents):
                if directory.is_relative_to(top):
                    limit = files.number(directory / name)
                    if limit is not None and limit < _UNLIMITED:
                        limits.append(limit)
    return min(limits, default=None)


def _cgroup(facts: Facts) -> Finding:
    if facts.cgroup is None:
        return Finding("cgroup_memory", "good", None, "no limit")
    said = f"{facts.cgroup // _MIB:,} MiB"
    if facts.cgroup >= _NEEDED:
        return Finding("cgroup_memory", "good", facts.cgroup, said)
    return Finding(
        "cgroup_memory",
        "limited",
        facts.cgroup,
        said,
        "compiling the probes may run out of memory, and systrace be killed",
        f"{_NEEDED // _MIB} MiB for systrace, beside what the command needs",
    )


def _memlock(facts: Facts) -> Finding:
    if facts.memlock is None:
        return Finding("memlock", "good", None, "no limit")
    said = f"{facts.memlock // 1024:,} KiB"
    if facts.version >= _CHARGED_TO_CGROUP:
        return Finding("memlock", "good", facts.memlock, f"{said}, which eBPF does not count")
    if facts.memlock >= _NEEDED:
        return Finding("memlock", "good", facts.memlock, said)
    return Finding(
        "memlock",
        "limited",
        facts.memlock,
        said,
        "before Linux 5.11 maps count as locked memory; bcc raises the limit where it may",
        "ulimit -l unlimited",
    )
