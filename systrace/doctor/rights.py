"""Who we are: whether we may load programs, and trace other processes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from systrace import privilege
from systrace.doctor import files
from systrace.doctor.findings import Finding
from systrace.errors import PrivilegeError

_YAMA: Final = "/proc/sys/kernel/yama/ptrace_scope"
_NOBODY: Final = 3  # YAMA_SCOPE_NO_ATTACH, Documentation/admin-guide/LSM/Yama.rst
_RULES: Final = (
    "no rule of Yama's against it",
    "Yama lets programs trace their children; root everything",
    "Yama lets root trace",
)
_FILTER: Final = "2"  # SECCOMP_MODE_FILTER


@dataclass(frozen=True, slots=True)
class Facts:
    """``refusal`` is what ``systrace run`` would say, empty where it may run.

    ``ptrace_scope`` is None without Yama; ``seccomp`` is our own mode, 0 to 2, as in proc(5).
    ``lacking`` are capabilities that a few things take, and what follows for these.
    """

    refusal: str
    uid: int
    ptrace_scope: int | None
    seccomp: str
    lacking: Mapping[str, str] = field(default_factory=dict)


def gather(arguments: Sequence[str]) -> Facts:
    """Look; ``arguments`` are those systrace was called with, for the line to paste."""
    try:
        privilege.require(arguments)
    except PrivilegeError as error:
        refusal = str(error)
    else:
        refusal = ""
    return Facts(
        refusal,
        os.geteuid(),
        files.number(_YAMA),
        files.status("Seccomp") or "0",
        privilege.lacking(privilege.effective()),
    )


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    yield _privilege(facts)
    yield _ptrace(facts)
    if facts.seccomp == _FILTER:
        yield Finding(
            "seccomp",
            "limited",
            2,
            "systrace itself runs under a filter, as in a container",
            "a call that it needs may be refused; the self-test tells",
            "in a container: --security-opt seccomp=unconfined",
        )
    else:
        yield Finding(
            "seccomp",
            "good",
            int(facts.seccomp),
            "no filter on systrace (programs that set one are counted by breakpoints)",
        )


def _privilege(facts: Facts) -> Finding:
    enough = "enough to load eBPF programs and to trace"
    if not facts.refusal and facts.lacking:
        return Finding(
            "privilege",
            "limited",
            facts.uid,
            f"{enough}, without {' and '.join(facts.lacking)}",
            "; ".join(facts.lacking.values()),
            "add what is missing" + (", or run systrace as root" if facts.uid else ""),
        )
    if not facts.refusal:
        return Finding("privilege", "good", facts.uid, enough)
    said, _, remedy = facts.refusal.partition("; ")
    return Finding(
        "privilege",
        "bad",
        facts.uid,
        said,
        "systrace run is refused, and what needs the same right is not tried here",
        remedy,
    )


def _ptrace(facts: Facts) -> Finding:
    scope = facts.ptrace_scope
    if scope is None:
        return Finding("ptrace", "good", None, "no Yama, so no rule of its against it")
    if scope < _NOBODY:
        return Finding("ptrace", "good", scope, f"{_RULES[scope]} (kernel.yama.ptrace_scope)")
    return Finding(
        "ptrace",
        "bad",
        scope,
        f"kernel.yama.ptrace_scope is {scope}: nobody may trace, not even root",
        "systrace run is refused: it holds the command with ptrace until the counters are there",
        "set a lower one in /etc/sysctl.d and boot again: it cannot be lowered while Linux runs",
    )
