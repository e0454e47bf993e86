"""The clocksource, and the vDSO that reads it or cannot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from systrace.doctor import files
from systrace.doctor.findings import Finding
from systrace.errors import SystraceError
from systrace.report import READABLE_CLOCKSOURCES
from systrace.vdso import kept
from systrace.vdso.image import Image, own_bytes, parse

_CURRENT: Final = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
_AVAILABLE: Final = "/sys/devices/system/clocksource/clocksource0/available_clocksource"


@dataclass(frozen=True, slots=True)
class Facts:
    """``functions`` maps what the vDSO exports to why it cannot be patched, or to ``""``.

    ``refusal`` is why the vDSO cannot be read at all; ``image`` is None there, and without one.
    """

    clocksource: str
    available: tuple[str, ...]
    image: Image | None = None
    functions: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""


def gather() -> Facts:
    """Read both, and plan what ``--vdso patch`` would do."""
    clocksource = files.text(_CURRENT) or "unknown"
    available = tuple((files.text(_AVAILABLE) or "").split())
    try:
        data = own_bytes()
        if data is None:
            return Facts(clocksource, available)
        found = parse(data)
        plan = kept.plan(found)
    except SystraceError as error:
        return Facts(clocksource, available, refusal=str(error))
    functions = {function.name: plan.refused.get(function.name, "") for function in found.functions}
    return Facts(clocksource, available, found, functions)


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    yield _clocksource(facts)
    yield _vdso(facts)


def _clocksource(facts: Facts) -> Finding:
    readable = facts.clocksource in READABLE_CLOCKSOURCES
    if readable:
        said = f"{facts.clocksource}, which the vDSO can read"
        return Finding("clocksource", "good", facts.clocksource, said)
    better = next((name for name in facts.available if name in READABLE_CLOCKSOURCES), None)
    if better is not None:
        remedy = f"as root:\necho {better} > {_CURRENT}"
    else:
        remedy = "boot with clocksource=tsc, and tsc=reliable if the processor's can be trusted"
    return Finding(
        "clocksource",
        "limited",
        facts.clocksource,
        f"{facts.clocksource}, which only the kernel can read",
        "clock_gettime and gettimeofday fall back into ring 0: counted exactly, and slow",
        remedy,
    )


def _vdso(facts: Facts) -> Finding:
    if facts.refusal:
        return Finding(
            "vdso",
            "bad",
            None,
            facts.refusal,
            "calls that stay in ring 3 are not counted",
            "report this kernel's version; --vdso off counts system calls",
        )
    if not facts.functions:
        return Finding(
            "vdso",
            "limited",
            0,
            "this kernel runs without one",
            "every call is a system call: nothing stays in ring 3",
            "boot without vdso=0",
        )
    count = len(facts.functions)
    refused = [f"{name} ({reason})" for name, reason in facts.functions.items() if reason]
    if not refused:
        names = ", ".join(facts.functions)
        return Finding("vdso", "good", count, f"{count} functions, all can be patched: {names}")
    return Finding(
        "vdso",
        "bad",
        count,
        f"{len(refused)} of {count} functions cannot be patched: {', '.join(refused)}",
        "their calls are not counted, and the report says so",
        "--vdso breakpoint counts up to four of them",
    )
