"""The kernel tests, in the guest: all of them, or the few that CI has the time for."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from . import guest
from .conftest import CLONE, FEW, TSC
from .debian import Kernel

# What rests on the kernel most: its structures, its numbers, its seccomp. The doctor's self-test,
# which every boot of test_parameters.py makes, has counted in every mode and followed already.
_FEW = ("test_layout.py", "test_seccomp.py", "test_numbers.py")
_HOURS_S = 3 * 3600


def test_the_kernel_tests_pass_in_the_guest(kernel: Kernel, tmp_path: Path) -> None:
    tests = CLONE / "tests" / "kernel"
    chosen = [tests / name for name in _FEW] if FEW else [tests]
    pytest = (sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider")
    environment = ("env", "-u", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE=1", "SYSTRACE_SLOWNESS=20")
    command = guest.words(*environment, *pytest, "--junit-xml=/from_outside/junit.xml", *chosen)
    ended = guest.run(kernel, f"cd {guest.words(CLONE)}\n{command}", tmp_path, TSC, _HOURS_S)
    assert ended.status == 0, ended.stdout[-20_000:]
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - pytest's own
    assert int(suite.attrib["tests"]) > len(chosen)
    assert suite.attrib["skipped"] == "0"
