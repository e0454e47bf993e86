"""The machine that the figures are of."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

_VERSIONS: Final = {
    "strace": ("strace", "--version"),
    "perf": ("perf", "--version"),
    "bpftrace": ("bpftrace", "--version"),
    "bcc": ("dpkg-query", "-W", "-f", "${Version}", "bpfcc-tools"),
    "Go": ("go", "version"),
    "gcc": ("gcc", "-dumpfullversion"),
}
_VULNERABILITIES: Final = Path("/sys/devices/system/cpu/vulnerabilities")


def described() -> str:
    """Markdown: CPU, kernel, what makes entering the kernel slow, and the peers' versions."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    uname = os.uname()
    clock = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text()
    mitigated = [
        f"{path.name}: {path.read_text(encoding='ascii').strip()}"
        for path in sorted(_VULNERABILITIES.iterdir())
        if path.read_text(encoding="ascii").strip() != "Not affected"
    ]
    load = Path("/proc/loadavg").read_text(encoding="ascii").split()[0]
    return "\n".join(
        (
            f"- {os.cpu_count()} CPUs, {cpu[1] if cpu else uname.machine}; load {load} at the end",
            f"- Linux {uname.release} {uname.machine}, clocksource {clock.strip()}",
            f"- {'; '.join(mitigated) or 'no mitigation'}",
            f"- {', '.join(_version(name, command) for name, command in _VERSIONS.items())}",
        )
    )


def _version(name: str, command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"no {name}"
    found = re.search(r"\d+\.\d[\w.+~-]*", done.stdout)
    return f"{name} {found[0] if found else '?'}"
