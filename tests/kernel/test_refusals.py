"""Machines on which systrace cannot count, each made by taking one thing away."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from systrace import machine, probe
from systrace.errors import UnsupportedError

from .tracing import SYSTRACE

NR_BPF, NR_PTRACE = 321, 101


def run_without(build: Callable[..., str], number: int, error: int) -> tuple[int, list[str]]:
    """Run `systrace run true` where a system call fails; return its status and its lines."""
    command = [build("without_syscall"), str(number), str(error), str(SYSTRACE), "run", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()


def test_a_kernel_without_bpf_is_refused_in_two_lines(build: Callable[..., str]) -> None:
    status, lines = run_without(build, NR_BPF, errno.ENOSYS)
    assert status == 125
    assert len(lines) <= 2
    assert "has no BPF" in lines[0]


def test_bpf_that_is_not_permitted_is_refused_in_two_lines(build: Callable[..., str]) -> None:
    status, lines = run_without(build, NR_BPF, errno.EPERM)
    assert status == 125
    assert len(lines) <= 2
    assert "does not let us use BPF" in lines[0]


def test_ptrace_that_is_not_permitted_is_refused_in_two_lines(build: Callable[..., str]) -> None:
    status, lines = run_without(build, NR_PTRACE, errno.EPERM)
    assert status == 125
    assert len(lines) <= 2
    assert "cannot trace the command" in lines[0]


def test_a_missing_bcc_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnsupportedError) as refused:
        probe.find_bcc(homes=[str(tmp_path)])
    message = str(refused.value)
    for line in (
        "apt-get install python3-bpfcc",
        "dnf install python3-bcc",
        "pacman -S python-bcc",
    ):
        assert line in message
    assert len(message.splitlines()) <= 2


def test_the_other_bcc_of_pypi_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "bcc"
    wrong.mkdir()
    (wrong / "__init__.py").write_text("lattice = True\n", encoding="ascii")
    monkeypatch.delitem(
        sys.modules, "bcc", raising=False
    )  # another test may have had the right one
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnsupportedError, match="is PyPI's, an unrelated library") as refused:
        probe.find_bcc(homes=[str(tmp_path)])
    assert str(wrong) in str(refused.value)


def test_the_wrong_bcc_beside_the_right_one_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bcc").mkdir()
    (tmp_path / "bcc" / "__init__.py").write_text("raise SystemExit\n", encoding="ascii")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (probe.find_bcc() / "libbcc.py").is_file()


def test_the_compiler_says_nothing_of_its_own() -> None:
    """clang's words are caught, whether it succeeds or not."""
    with pytest.raises(UnsupportedError) as refused:
        probe.Programs(probe.Build(["tasks.c"], {}))
    assert len(str(refused.value).splitlines()) <= 2


def test_a_kernel_in_confidentiality_is_refused_in_two_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In truth too, where tests/kernels boots one; here no such kernel runs."""
    monkeypatch.setattr(machine, "lockdown", lambda: "confidentiality")
    with pytest.raises(UnsupportedError, match="locked down") as refused:
        probe.require_bpf()
    assert len(str(refused.value).splitlines()) == 2
    monkeypatch.setattr(machine, "lockdown", lambda: "integrity")
    probe.require_bpf()
