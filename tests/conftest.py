"""The rule for the tests that load eBPF programs: where BPF works, none of them may skip."""

import ctypes
import errno
import functools
import os
import platform
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

KERNEL_TESTS = Path(__file__).parent / "kernel"

SYS_BPF = {"x86_64": 321, "aarch64": 280}  # asm/unistd_64.h; asm-generic/unistd.h
BPF_MAP_CREATE = 0  # enum bpf_cmd, linux/bpf.h
BPF_MAP_TYPE_ARRAY = 2  # enum bpf_map_type

# A commit passes or fails, whatever the machine has to do besides; make fuzz looks for more.
settings.register_profile(
    "always the same",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("always the same")

PYTHON_IGNORES = {signal.SIGPIPE, signal.SIGXFSZ}


class _MapCreate(ctypes.Structure):
    """The part of ``union bpf_attr`` (linux/bpf.h) that BPF_MAP_CREATE cannot do without."""

    _fields_ = (
        ("map_type", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
    )


@functools.cache
def why_no_bpf() -> str | None:
    """Why the kernel tests cannot run here, or None where they can and so must."""
    if os.geteuid() != 0:
        return "needs root: make kernel"
    number = SYS_BPF.get(platform.machine())
    if number is None:
        return f"systrace does not know the machine {platform.machine()}"
    libc = ctypes.CDLL(None, use_errno=True)
    attr = _MapCreate(map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=8, max_entries=1)
    size = ctypes.c_uint(ctypes.sizeof(attr))
    fd: int = libc.syscall(ctypes.c_long(number), BPF_MAP_CREATE, ctypes.byref(attr), size)
    if fd < 0:
        code = ctypes.get_errno()
        return f"no BPF here: bpf(BPF_MAP_CREATE) gave {errno.errorcode[code]}"
    os.close(fd)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Leave no file of root's in the clone of the user who called sudo, then forget that user.

    Who called sudo decides as whom a target runs, so each test says it itself.
    """
    if "SUDO_UID" in os.environ:
        storage = tempfile.TemporaryDirectory()
        config.add_cleanup(storage.cleanup)
        set_hypothesis_home_dir(storage.name)
    for name in ("SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def _default_signals() -> None:
    """Start every program as from a terminal, though we may have been started with nohup or &."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        # What Python itself ignores, subprocess puts back.
        if signal.getsignal(number) is signal.SIG_IGN and number not in PYTHON_IGNORES:
            interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupt else signal.SIG_DFL)


def pytest_report_header() -> str:
    reason = why_no_bpf()
    return f"kernel tests: skipped, {reason}" if reason else "kernel tests: none may skip"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if KERNEL_TESTS in item.path.parents:
            item.add_marker(pytest.mark.kernel)
        if item.get_closest_marker("kernel") and (reason := why_no_bpf()):
            item.add_marker(pytest.mark.skip(reason=reason))


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or why_no_bpf():
        return
    skip = report.longrepr
    reason = skip[2] if isinstance(skip, tuple) else str(skip)
    report.outcome = "failed"
    report.longrepr = f"BPF works here, so no kernel test may skip, and this one did: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("kernel"):
        _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if KERNEL_TESTS in collector.path.parents:
        _fail_if_skipped(report)
    return report
