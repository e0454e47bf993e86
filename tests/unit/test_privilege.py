"""Who may trace, and what everybody else is told."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from systrace import launcher, privilege
from systrace.errors import PrivilegeError

ADMIN, BPF, PERFMON, PTRACE, RESTORE = (1 << n for n in (21, 39, 38, 19, 40))


@pytest.mark.parametrize("capabilities", [ADMIN, BPF | PERFMON | PTRACE | RESTORE, ~0])
def test_enough_is_enough(capabilities: int) -> None:
    assert privilege.suffices(capabilities)


@pytest.mark.parametrize(
    "capabilities",
    [0, PERFMON | PTRACE | RESTORE, BPF | PTRACE | RESTORE, BPF | PERFMON | RESTORE,
     BPF | PERFMON | PTRACE, ~ADMIN & ~BPF],
)  # fmt: skip
def test_one_less_is_too_little(capabilities: int) -> None:
    assert not privilege.suffices(capabilities)


def test_capabilities_are_read_from_proc(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("CapPrm:\tffff\nCapEff:\t000000c000280000\nCapBnd:\tffff\n")
    assert privilege.effective(status) == 0x000000C000280000
    status.write_text("Name:\tx\n")
    assert privilege.effective(status) == 0


def test_the_real_ones_agree_with_the_kernel() -> None:
    held = os.popen("grep CapEff /proc/self/status").read().split()[1]  # noqa: S605
    assert privilege.effective() == int(held, 16)


def test_whoever_may_not_gets_the_whole_command_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(launcher, "path", lambda: ("/home/a b/bin/systrace",))
    with pytest.raises(PrivilegeError) as caught:
        privilege.require(["run", "-o", "x y.json", "./app", "it's", "$HOME"])
    said, pasted = str(caught.value).splitlines()
    assert said == "needs root to load BPF programs; try:"
    assert pasted.startswith("""  sudo -E env "PATH=$PATH" '/home/a b/bin/systrace' run -o """)
    shell = f'sudo() {{ printf "%s\\n" "$@"; }}; PATH=/mine; {pasted}'
    words = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert words.splitlines() == [
        "-E", "env", "PATH=/mine", "/home/a b/bin/systrace", "run", "-o", "x y.json", "./app",
        "it's", "$HOME",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (PERFMON | PTRACE | RESTORE, "lacks CAP_BPF, to load eBPF programs; give it that"),
        (BPF | PTRACE | RESTORE, "lacks CAP_PERFMON, to let eBPF programs read"),
        (BPF | PERFMON | RESTORE, "lacks CAP_SYS_PTRACE, to hold a program"),
        (BPF | PERFMON | PTRACE, "lacks CAP_CHECKPOINT_RESTORE, to open the counters"),
        (BPF | PTRACE, "lacks CAP_PERFMON, CAP_CHECKPOINT_RESTORE; give it these"),
        (1 << 10, "needs root"),
    ],
)
def test_whoever_has_some_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, held: int, said: str
) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: held)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PrivilegeError) as caught:
        privilege.require(["run", "ls"])
    first, pasted = str(caught.value).splitlines()
    assert first.startswith(said)
    assert pasted.endswith("run ls")


def test_what_a_few_things_take_is_known_by_its_name() -> None:
    assert list(privilege.lacking(0)) == ["CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]
    assert list(privilege.lacking(ADMIN)) == ["CAP_DAC_OVERRIDE"]
    assert privilege.lacking(~0) == {}


def test_root_without_capabilities_is_told_about_its_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: ~ADMIN & ~BPF)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PrivilegeError, match="--cap-add SYS_ADMIN") as caught:
        privilege.require(["run", "ls"])
    assert "sudo" not in str(caught.value)
    _, pasted = str(caught.value).splitlines()
    assert pasted == "  --cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined"


def test_nothing_happens_to_whoever_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: ADMIN)
    privilege.require(["run", "ls"])
    monkeypatch.setattr(privilege, "effective", lambda: 0)
    with pytest.raises(PrivilegeError):
        privilege.require(["run", "ls"])


def test_the_launcher_stands_beside_its_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert launcher.path() == (str(python), "-m", "systrace")
    beside = tmp_path / "systrace"
    beside.touch(mode=0o755)
    assert launcher.path() == (str(beside),)


def test_a_launcher_elsewhere_is_found_through_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systrace").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin")
    assert launcher.path() == (str(tmp_path / "bin" / "systrace"),)


def test_sudo_is_part_of_the_line_for_whoever_came_by_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "systrace").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert launcher.call(["run", "a b"], {"SUDO_UID": "1"}) == "sudo systrace run 'a b'"
    assert launcher.call(["run"], {}) == "systrace run"
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    assert launcher.call(["run"], {"SUDO_UID": "1"}) == "systrace run"


@pytest.mark.parametrize(
    "words", [["a b", "", "it's"], ["-x", "$(id)", "`id`", "*"], ["line\nbreak", "\x1b[31m'\\"],
              ["\x85", "\x7f"]]
)  # fmt: skip
def test_a_quoted_line_comes_back_as_the_same_words(words: list[str]) -> None:
    line = launcher.quoted(words)
    assert line.isprintable()
    shell = subprocess.run(
        ["bash", "-c", f'printf "%s\\0" {line}'], capture_output=True, check=True
    )
    assert shell.stdout.decode().split("\0")[:-1] == words


def test_plain_words_are_quoted_as_python_would() -> None:
    assert launcher.quoted(["a b", "é"]) == shlex.join(["a b", "é"])
    assert Path(sys.executable).name not in launcher.quoted(["x"])
