"""Which kernels are booted, and what is kept of each boot.

``make test-kernels`` boots them all and takes hours. ``KERNELS`` names some of them, and
``KERNEL_TESTS`` some files of the kernel tests: ``few`` are those that rest on the kernel most.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.tracing import EXAMPLES, SYSTRACE, check

from . import debian, guest
from .debian import Kernel
from .guest import words

CLONE = Path(__file__).parents[2]
KERNELS = os.environ.get("KERNELS", "").split() or list(debian.PACKAGES)
KERNEL_TESTS = os.environ.get("KERNEL_TESTS", "").split()

# Said, not left to Linux: of the same emulated machine 6.1 finds the TSCs unsynchronized and takes
# hpet, and 6.12 finds them good enough.
HPET: Sequence[str] = ("clocksource=hpet", "tsc=unstable")
TSC: Sequence[str] = ("clocksource=tsc", "tsc=reliable")


@dataclass(frozen=True)
class Command:
    """One command in the guest that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(self.stdout)
        return whole


@dataclass(frozen=True)
class Booted:
    """What systrace said on one kernel with one command line."""

    doctor: Command
    run: Command
    patch: Command
    report: dict[str, Any] | None

    @property
    def table(self) -> str:
        """The notes below the table, on one line."""
        return " ".join(self.run.stderr.split())


Boot = Callable[..., Booted]  # kernel parameters, and a command to give before the others

COMMANDS = {
    "run": words(SYSTRACE, "run", "-o", "/from_outside/report.json", EXAMPLES / "bin" / "vdso_all"),
    "patch": words(SYSTRACE, "run", "-q", "--vdso", "patch", "true"),
    "doctor": words(SYSTRACE, "doctor", "--json"),
}


@pytest.fixture(scope="session", params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """A kernel, fetched at its first use."""
    return debian.kernel(request.param)


@pytest.fixture(scope="session")
def boot(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Boot it once for each command line, and run the same commands each time."""

    @cache
    def booted(parameters: Sequence[str], before: str = "") -> Booted:
        directory = tmp_path_factory.mktemp("guest")
        lines = [f"cd {words(CLONE)}", before]
        for name, line in COMMANDS.items():
            place = f"/from_outside/{name}"
            lines.append(f"{line} >{place}.stdout 2>{place}.stderr; echo $? >{place}.status")
        guest.run(kernel, "\n".join(lines), directory, parameters)
        commands = {name: _read(directory, name) for name in COMMANDS}
        report = directory / "report.json"
        document = json.loads(report.read_text()) if report.exists() else None
        if document is not None:
            check(document)
        return Booted(**commands, report=document)

    return booted


def _read(directory: Path, name: str) -> Command:
    status, stdout, stderr = (
        (directory / f"{name}.{kind}").read_text() for kind in ("status", "stdout", "stderr")
    )
    assert "Traceback" not in stderr
    return Command(int(status), stdout, stderr)
