"""A command that cannot be run: the shell's status for it, and a line or two that say why."""

import subprocess
from pathlib import Path

import pytest

from .tracing import HANGS_S, SYSTRACE, Tracer


def refused(trace: Tracer, *command: str) -> tuple[int, list[str]]:
    argv = trace.argv(*command)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HANGS_S)
    lines = done.stderr.splitlines()
    assert done.stdout == ""
    assert lines[0].startswith("systrace: ")
    assert "Traceback" not in done.stderr
    # a report of nothing is worse than none
    assert not trace.output.exists()
    return done.returncode, lines


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("command", ["/nonexistent", "nonexistent-command", "/etc/passwd/ls"])
def test_a_command_that_is_not_there_ends_with_127_and_one_line(
    trace: Tracer, command: str
) -> None:
    status, lines = refused(trace, command)
    assert status == 127
    assert len(lines) == 1
    assert command in lines[0]


def test_a_missing_interpreter_ends_with_127(trace: Tracer, tmp_path: Path) -> None:
    status, lines = refused(trace, script(tmp_path / "script", "#!/nonexistent/interpreter\n"))
    assert status == 127
    assert len(lines) <= 2


def test_a_file_that_is_not_executable_ends_with_126(trace: Tracer, tmp_path: Path) -> None:
    status, lines = refused(trace, script(tmp_path / "plain", "#!/bin/sh\n", mode=0o644))
    assert status == 126
    assert len(lines) <= 2


def test_a_directory_ends_with_126(trace: Tracer, tmp_path: Path) -> None:
    status, lines = refused(trace, str(tmp_path))
    assert (status, len(lines)) == (126, 1)


def test_a_file_that_is_no_program_ends_with_126(trace: Tracer, tmp_path: Path) -> None:
    status, lines = refused(trace, script(tmp_path / "format", "no #! line\n"))
    assert status == 126
    assert len(lines) <= 2


def test_an_interpreter_that_is_not_executable_ends_with_126(trace: Tracer, tmp_path: Path) -> None:
    status, lines = refused(trace, script(tmp_path / "script", "#!/etc/passwd\n"))
    assert (status, len(lines)) == (126, 1)
    assert lines[0].endswith("script: Permission denied")


def test_an_output_that_cannot_be_written_is_refused_before_the_target_starts(
    trace: Tracer, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    trace.output = tmp_path / "missing" / "report.json"
    status, lines = refused(trace, "touch", str(started))
    assert status == 125
    assert len(lines) <= 2
    assert not started.exists()


def test_options_after_the_command_are_the_commands(trace: Tracer) -> None:
    traced = trace("ls", "-l", "/usr/share")
    assert traced.process.stdout == subprocess.check_output(["ls", "-l", "/usr/share"])


@pytest.mark.parametrize("descriptors", [8, 12, 16, 20])
def test_too_few_descriptors_are_refused_with_the_remedy(descriptors: int) -> None:
    """A hard limit, that is, and without the right to raise it."""
    argv = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
    argv += ["setpriv", "--bounding-set=-sys_resource", str(SYSTRACE), "run", "true"]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=HANGS_S)
    assert done.returncode == 125
    assert done.stderr.count(b"\n") == 2
    assert b"`ulimit -n 1024` in this shell allows" in done.stderr


def test_a_soft_limit_of_descriptors_is_no_limit_and_the_targets_own(trace: Tracer) -> None:
    script = ("sh", "-c", "ulimit -Sn")
    traced = trace(*script, prefix=("prlimit", "--nofile=24:4096"))
    assert (traced.process.returncode, traced.process.stdout) == (0, b"24\n")
