"""The kernel tests, in the guest: all of them, or those that were asked for."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from . import guest
from .conftest import CLONE, KERNEL_TESTS, TSC
from .debian import Kernel

# What rests on the kernel most: its structures, its numbers, its seccomp. The doctor's self-test,
# which every boot of test_parameters.py makes, has counted in every mode and followed already.
_FEW = ("test_layout.py", "test_seccomp.py", "test_numbers.py")
_HOURS_S = 3 * 3600


def test_the_kernel_tests_pass_in_the_guest(kernel: Kernel, tmp_path: Path) -> None:
    """What fails is run once more, without the rest.

    Some of what is tested has a deadline of systrace's own: a thread has 100 ms to stop for an
    attach. An emulated CPU that the machine gives nothing to for as long cannot keep that.
    """
    tests = CLONE / "tests" / "kernel"
    names = _FEW if KERNEL_TESTS == ["few"] else KERNEL_TESTS
    chosen = [tests / name for name in names] or [tests]
    pytest = (sys.executable, "-m", "pytest", "-v", "-o", "cache_dir=/from_outside/failed")
    environment = ("env", "-u", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE=1", "SYSTRACE_SLOWNESS=20")
    command = guest.words(*environment, *pytest, "--junit-xml=/from_outside/junit.xml", *chosen)
    again = guest.words(*environment, *pytest, "--last-failed", *chosen)
    script = f"cd {guest.words(CLONE)}\n{command} || {again}"
    # Debian's kernels have no vsyscall page, unless they are told to
    ended = guest.run(kernel, script, tmp_path, (*TSC, "vsyscall=xonly"), _HOURS_S)
    assert ended.status == 0, ended.stdout[-20_000:]
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - pytest's own
    assert int(suite.attrib["tests"]) > len(chosen)
    skipped = [found.attrib["message"] for found in suite.iter("skipped")]
    assert all(found.attrib["type"] == "pytest.xfail" for found in suite.iter("skipped")), skipped
