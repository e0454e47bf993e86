"""The kernel: its version, and whether it has the eBPF that counting takes."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from systrace import bpf, btf, kernel, machine
from systrace.counting import TRACEPOINTS
from systrace.doctor import smallest
from systrace.doctor.findings import Finding
from systrace.errors import SystraceError

OPTIONAL: Final = "emulate_vsyscall"  # a kernel may be built without the vsyscall page
_OLDEST: Final = (5, 15)
_ARCH: Final = "x86_64"
_BTF: Final = "/sys/kernel/btf/vmlinux"
_SEE_BPF: Final = "see bpf above"
_UNPRIVILEGED: Final = "see privilege above"


@dataclass(frozen=True, slots=True)
class Facts:
    """``bpf_errno`` is 0 where BPF works; ``tracepoints`` maps each to an errno, 0 if it is there.

    ``lockdown`` is ``none``, ``integrity`` or ``confidentiality``, None without such a file.
    ``btf_bytes`` is None without BTF; ``btf_refusal`` is why it cannot be used, or empty.
    """

    release: str
    arch: str
    bpf_errno: int
    lockdown: str | None
    btf_bytes: int | None
    btf_refusal: str
    libbpf: bool
    tracepoints: Mapping[str, int]


def gather() -> Facts:
    """Look, and attach nothing for longer than it takes to see that it can be."""
    uname = os.uname()
    bpf_errno = _bpf_errno()
    names = (*TRACEPOINTS.values(), OPTIONAL)
    return Facts(
        release=uname.release,
        arch=uname.machine,
        bpf_errno=bpf_errno,
        lockdown=machine.lockdown(),
        btf_bytes=_size(_BTF),
        btf_refusal=_btf_refusal(),
        libbpf=_has_libbpf(),
        tracepoints={} if bpf_errno else {name: smallest.attached(name) for name in names},
    )


def judge(facts: Facts, *, privileged: bool) -> Iterator[Finding]:
    """Say what it means; where the caller lacks privileges, only what these do not change."""
    yield _kernel(facts)
    if facts.arch != _ARCH:
        yield Finding(
            "architecture",
            "bad",
            facts.arch,
            f"{facts.arch}, which systrace does not know",
            "systrace run does not work here",
            "use an x86_64 machine",
        )
    yield _locked_down(facts)
    yield _bpf(facts, privileged=privileged)
    yield _btf(facts)
    yield _tracepoints(facts, privileged=privileged)


def version(release: str) -> tuple[int, ...]:
    """Return the first two numbers of a release; zeros where it has none."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _kernel(facts: Facts) -> Finding:
    release = f"Linux {facts.release}"
    if version(facts.release) >= _OLDEST:
        return Finding("kernel", "good", facts.release, release)
    oldest = ".".join(str(part) for part in _OLDEST)
    return Finding(
        "kernel",
        "limited",
        facts.release,
        f"{release}, older than {oldest}",
        "nobody has tried systrace on it: only the self-test tells",
        f"Linux {oldest} or later",
    )


def _locked_down(facts: Facts) -> Finding:
    if facts.lockdown is None:
        return Finding("lockdown", "good", "none", "none, as far as securityfs says")
    if facts.lockdown != "confidentiality":
        return Finding("lockdown", "good", facts.lockdown, facts.lockdown)
    return Finding(
        "lockdown",
        "bad",
        facts.lockdown,
        "confidentiality: no program may read the kernel's memory",
        "systrace run is refused: eBPF programs cannot tell whose calls they see",
        "boot without lockdown=confidentiality; lockdown=integrity does no harm",
    )


def _bpf(facts: Facts, *, privileged: bool) -> Finding:
    if not facts.bpf_errno:
        return Finding("bpf", "good", "yes", "bpf(2) works")
    name = errno.errorcode.get(facts.bpf_errno, str(facts.bpf_errno))
    if not privileged:
        return Finding("bpf", "unknown", name, "not tried", remedy=_UNPRIVILEGED)
    said = f"bpf(2) fails: {os.strerror(facts.bpf_errno)}"
    if facts.bpf_errno == errno.ENOSYS:
        remedy = "a kernel built with CONFIG_BPF_SYSCALL=y"
    else:
        remedy = (
            "in a container: --cap-add SYS_ADMIN --cap-add SYS_PTRACE "
            "--security-opt seccomp=unconfined"
        )
    return Finding("bpf", "bad", name, said, "systrace run is refused", remedy)


def _btf(facts: Facts) -> Finding:
    if facts.btf_bytes is None:
        return Finding(
            "btf",
            "bad",
            None,
            f"no type information: there is no {_BTF}",
            "systrace run is refused: it does not know this kernel's structures",
            "a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions build theirs",
        )
    if not facts.libbpf:
        return Finding("btf", "unknown", facts.btf_bytes, "not read", remedy="see bcc below")
    if facts.btf_refusal:
        return Finding(
            "btf",
            "bad",
            facts.btf_bytes,
            facts.btf_refusal,
            "systrace run is refused: it does not know this kernel's structures",
            "report this kernel's version; another kernel of the distribution's may do",
        )
    return Finding("btf", "good", facts.btf_bytes, f"{facts.btf_bytes:,} bytes of type information")


def _tracepoints(facts: Facts, *, privileged: bool) -> Finding:
    if facts.bpf_errno:
        return Finding("raw_tracepoints", "unknown", None, "not tried", remedy=_SEE_BPF)
    missing = [name for name, number in facts.tracepoints.items() if number and name != OPTIONAL]
    there = sum(not number for number in facts.tracepoints.values())
    if missing and not privileged:
        return Finding("raw_tracepoints", "unknown", None, "not tried", remedy=_UNPRIVILEGED)
    if missing:
        why = os.strerror(facts.tracepoints[missing[0]])
        return Finding(
            "raw_tracepoints",
            "bad",
            there,
            f"cannot attach to {', '.join(missing)}: {why}",
            "systrace run is refused: this is how system calls are counted",
            "a kernel built with CONFIG_BPF_EVENTS=y and CONFIG_FTRACE_SYSCALLS=y",
        )
    if facts.tracepoints.get(OPTIONAL):
        return Finding(
            "raw_tracepoints",
            "limited",
            there,
            f"all but {OPTIONAL}",
            "calls of the legacy vsyscall page are not counted, if it is there at all",
            "a kernel built with CONFIG_X86_VSYSCALL_EMULATION=y",
        )
    return Finding("raw_tracepoints", "good", there, f"all {there} can be attached to")


def _bpf_errno() -> int:
    try:
        bpf.probe()
    except OSError as error:
        return error.errno or errno.EPERM
    return 0


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - Path has no way to say the same shorter
    except OSError:
        return None


def _has_libbpf() -> bool:
    try:
        btf.libbpf()
    except SystraceError:
        return False
    return True


def _btf_refusal() -> str:
    try:
        kernel.offsets()
    except SystraceError as error:
        return str(error).splitlines()[0]
    return ""
