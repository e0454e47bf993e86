"""bcc, which compiles and loads the probes: where it is, and whether it is the right one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from systrace import btf, probe
from systrace.doctor import files
from systrace.doctor.findings import Finding
from systrace.errors import SystraceError


@dataclass(frozen=True, slots=True)
class Facts:
    """``refusal`` is why it cannot be used, with the line that installs it; empty where it can."""

    directory: str
    version: str
    refusal: str
    libbpf_refusal: str


def gather() -> Facts:
    """Find it, and import it."""
    directory, version, refusal = "", "", ""
    try:
        found = probe.find_bcc()
        directory = str(found)
        version = _version(files.text(found / "version.py") or "")
        probe.import_bcc(found)
    except SystraceError as error:
        refusal = str(error)
    return Facts(directory, version, refusal, _libbpf_refusal())


def judge(facts: Facts) -> Iterator[Finding]:
    """Say what it means."""
    for refusal in (facts.refusal, facts.libbpf_refusal):
        if refusal:
            said, _, remedy = refusal.partition("\n")
            missing = "systrace run is refused: nothing compiles its probes"
            yield Finding("bcc", "bad", facts.version or None, said, missing, remedy)
            return
    said = f"{facts.version or 'unknown version'} in {facts.directory}"
    yield Finding("bcc", "good", facts.version or "unknown", said)


def _version(source: str) -> str:
    found = re.search(r"__version__ = ['\"]([^'\"]*)['\"]", source)
    return found[1] if found else ""


def _libbpf_refusal() -> str:
    try:
        btf.libbpf()
    except SystraceError as error:
        return str(error)
    return ""
