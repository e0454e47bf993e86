"""The verb run, and what its standard streams are: closed, full, redirected, a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .faked import FAKE, environment, on_a_terminal, systrace

PROGRESS = [("progress", 12.3), ("progress", 13.3)]
LINE = "elapsed 12 s, 2,000,152 calls in ring 3, 29 in ring 0"


@pytest.mark.parametrize("shell", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_error_changes_nothing_for_the_command(shell: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    done = systrace("run", "-o", str(file), "sh", "-c", "exit 3", redirected=shell)
    assert done.returncode == 3
    assert done.stderr == ""
    # The descriptor that was free did not become the file's.
    assert json.loads(file.read_text())


def test_a_closed_pipe_at_standard_error_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(FAKE), "run", "true"]
    done = subprocess.run(command, env=environment(), stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 0


def test_a_full_disk_behind_standard_error_is_one() -> None:
    assert systrace("run", "true", redirected="2>/dev/full").returncode == 125


def test_closed_standard_output_cannot_take_a_report() -> None:
    done = systrace("run", "-o", "-", "true", redirected=">&-")
    assert done.returncode == 125
    assert done.stderr == "systrace: cannot write standard output: Bad file descriptor\n"


def test_the_command_inherits_no_descriptor_of_ours(tmp_path: Path) -> None:
    code = (
        "import fcntl\n"
        "def ok(n):\n"
        "    try: return fcntl.fcntl(n, fcntl.F_GETFD) >= 0\n"
        "    except OSError: return False\n"
        "print(*(n for n in range(256) if ok(n)))"
    )
    plain = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    files = ["-o", str(tmp_path / "a.json"), "-o", "/dev/null", "-o", "-"]
    done = systrace("run", "-q", *files, sys.executable, "-c", code)
    assert done.stdout.encode().startswith(plain.stdout)


def test_a_closed_stream_is_closed_for_the_command_too() -> None:
    probe = "import os,sys\ntry: os.fstat(0)\nexcept OSError: sys.exit(9)"
    assert systrace("run", "-q", sys.executable, "-c", probe, redirected="<&-").returncode == 9


def test_the_report_of_a_redirected_stream_is_appended_not_put_over_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ["sh", "-c", "echo first >&2"]
    done = systrace("run", "-q", "-o", "/dev/stderr", *command, redirected=f'2>"{log}"')
    assert done.returncode == 0
    assert log.read_text().startswith("first\n")
    assert "clock_gettime" in log.read_text()


def test_life_shows_on_a_terminal_that_the_command_does_not_write_to(tmp_path: Path) -> None:
    shell = f'>"{tmp_path}/out" 2>"{tmp_path}/err"'
    shown, status = on_a_terminal("run", "true", shell=shell, fake=PROGRESS)
    assert status == 0
    assert shown.startswith(f"\r{LINE}\r")
    # Overwritten in place, and gone at the end.
    assert shown.endswith("\r" + " " * len(LINE) + "\r")
    assert LINE not in (tmp_path / "err").read_text()


@pytest.mark.parametrize("shell", [">out", "2>err"])
def test_life_does_not_show_on_a_terminal_that_the_command_writes_to(
    shell: str, tmp_path: Path
) -> None:
    env_shell = f'{shell[:-3]}"{tmp_path}/file"'
    shown, _ = on_a_terminal("run", "true", shell=env_shell, fake=PROGRESS)
    assert "elapsed" not in shown


def test_the_line_is_gone_when_the_engine_fails(tmp_path: Path) -> None:
    shell = f'>"{tmp_path}/out" 2>"{tmp_path}/err"'
    shown, status = on_a_terminal("run", "true", shell=shell, fake=[*PROGRESS, ("crash", 0)])
    assert status == 125
    assert shown.endswith("\r" + " " * len(LINE) + "\r")


def test_life_does_not_show_when_quiet(tmp_path: Path) -> None:
    shell = f'>"{tmp_path}/out" 2>"{tmp_path}/err"'
    assert on_a_terminal("run", "-q", "true", shell=shell, fake=PROGRESS) == ("", 0)
