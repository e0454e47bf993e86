"""What is read or run is not replaced, by whatever name it is called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from systrace import attach, cli, overwriting, privilege
from systrace.errors import UsageError
from systrace.render.json import render
from systrace.target.user import Identity

from .conftest import GOAPP
from .faked import systrace

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_text("kept")
    return str(path)


def refused(output: str, *inputs: str) -> str:
    with pytest.raises(UsageError) as caught:
        overwriting.refuse((output,), inputs, None)
    return str(caught.value)


def test_a_file_is_itself_by_every_name(file: str, tmp_path: Path) -> None:
    soft, hard = tmp_path / "soft", tmp_path / "hard"
    soft.symlink_to("file")
    hard.hardlink_to(file)
    for name in (file, f"{tmp_path}/./file", str(soft), str(hard)):
        for output, read in ((name, file), (file, name)):
            assert refused(output, "/etc/passwd", read) == (
                f"cannot write {output}: that would replace {read}, which is read or run here; "
                "give -o another file"
            )


def test_others_may_be_written(file: str, tmp_path: Path) -> None:
    (tmp_path / "alike").write_text("kept")
    none, alike = str(tmp_path / "none"), str(tmp_path / "alike")
    overwriting.refuse((none, alike, "", "\0", str(tmp_path), "-"), (file, none, "", "\0"), None)
    overwriting.refuse(("/dev/null", "-"), ("/dev/null", "-"), None)
    overwriting.refuse((), (file,), None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_nothing_is_looked_at_that_the_caller_may_not_see(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    (closed / "file").touch()
    overwriting.refuse((str(closed / "file"),), (str(closed / "file"),), NOBODY)


def test_standard_streams_are_files_too(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    report.write_text(render(GOAPP))
    for words in ('- -o "$0" <"$0"', '"$0" >>"$0"', '"$0" -o /dev/fd/3 3>>"$0"'):
        line = f"{sys.executable} -m systrace show {words}"
        done = subprocess.run(
            ["sh", "-c", line, str(report)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, words
        assert "that would replace" in done.stderr
        assert done.stderr.count("\n") == 1
        assert report.read_text() == render(GOAPP)


def test_the_command_is_neither_replaced_nor_started(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\ntouch started\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for words in ((str(program),), ("-q", "hello"), ("hello", "x")):
        options, command = words[:-1] if words[0] == "-q" else (), words[words[0] == "-q" :]
        done = systrace("run", *options, "-o", str(program), *command, env=path)
        assert done.returncode == 125
        assert done.stderr == (
            f"systrace: cannot write {program}: that would replace {program}, which is read or "
            "run here; give -o another file\n"
        )
    assert list(tmp_path.iterdir()) == [program]
    assert program.read_text().startswith("#!")


def test_nor_is_the_program_of_what_is_attached_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: ~0)
    monkeypatch.setattr(attach, "attach", None)
    program = tmp_path / "sleeper"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        assert cli.main(["attach", "-o", str(program), str(process.pid)]) == 125
        process.kill()
    assert f"would replace /proc/{process.pid}/exe, which" in capfd.readouterr().err
    assert program.read_bytes() == Path("/bin/sleep").read_bytes()
