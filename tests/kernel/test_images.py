"""Every kind of program that can be executed, wherever it runs and whatever it may do."""

import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .tracing import HANGS_S, Tracer, example

pytestmark = pytest.mark.exact

Build = Callable[..., str]


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_the_vsyscall_page_is_a_way_of_its_own(trace: Tracer, build: Build) -> None:
    program = build("legacy")
    alone = subprocess.run([program], check=False).returncode
    traced = trace(program)
    assert traced.process.returncode == alone
    if alone == -signal.SIGSEGV:  # a kernel without that page, as Debian's are
        assert traced.count("time", "vsyscall") == 0
        return
    assert alone == 0
    row = traced.row("time", "vsyscall")
    assert (row["count"], row["ring"]) == (1_013, "3->0")
    assert traced.count("time", "vdso") == traced.count("time") == 0


def test_a_static_position_independent_program_is_counted(trace: Tracer, build: Build) -> None:
    traced = trace(build("clocks", "-static-pie"))
    assert traced.row("clock_gettime", "vdso")["count"] == 120_084
    assert traced.warnings == []


def test_a_program_that_executes_itself_over_and_over_is_counted(
    trace: Tracer, build: Build
) -> None:
    traced = trace(build("again"), "1009")
    assert traced.row("execve")["count"] == 1_010
    assert traced.row("clock_gettime", "vdso")["count"] == 1_010
    assert traced.totals["processes"] == 1
    assert traced.warnings == []


def test_a_script_is_counted_with_its_interpreter(trace: Tracer, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh -e\n{example('vdso_all')}\n{example('getppid')} 1009\n")
    script.chmod(0o755)
    traced = trace(str(script))
    assert traced.row("clock_gettime", "vdso")["count"] == 10_007
    assert traced.count("getppid") >= 1_009
    assert traced.warnings == []


@pytest.mark.parametrize("option", ["--mount", "--pid", "--user"])
def test_a_program_in_a_namespace_of_its_own_is_counted(trace: Tracer, option: str) -> None:
    traced = trace("unshare", "--fork", option, example("vdso_all"))
    assert traced.process.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 10_007
    assert traced.row("clock_gettime", "vdso-fallback")["count"] == 1_009
    assert traced.warnings == []


def test_a_program_in_a_chroot_is_counted(trace: Tracer, tmp_path: Path) -> None:
    shutil.copy(example("vdso_all_musl"), tmp_path / "program")
    traced = trace("chroot", str(tmp_path), "/program")
    assert traced.process.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 12_039
    assert traced.warnings == []


def test_a_set_uid_program_keeps_its_privilege(trace: Tracer, public: Path) -> None:
    identify = public / "identify"
    shutil.copy("/usr/bin/id", identify)
    identify.chmod(0o755 | stat.S_ISUID)
    as_user = ("-u", "nobody")
    assert trace(str(identify), "-u", options=as_user).process.stdout == b"0\n"
    # and as a child of a program that has none
    nested = trace("sh", "-c", f"{identify} -u", options=as_user)
    assert nested.process.stdout == b"0\n"
    assert nested.warnings == []


def test_a_filter_that_kills_for_what_systrace_injects_kills_nobody(
    trace: Tracer, build: Build
) -> None:
    cage = build("caged")
    clocks = build("clocks", "-static")
    untraced = subprocess.run([cage, clocks], check=False, timeout=HANGS_S)
    traced = trace(cage, clocks)
    assert traced.process.returncode == untraced.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 120_084


@pytest.mark.parametrize("mode", ["breakpoint", "patch"])
def test_a_child_under_a_filter_is_counted_in_each_mode(
    trace: Tracer, build: Build, mode: str
) -> None:
    command = f"{build('caged')} {build('clocks', '-static')}; :"
    traced = trace("sh", "-c", command, options=("--vdso", mode))
    assert traced.process.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 120_084
