"""Which programs systrace starts, by perf's account, and what is planted in their place."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from .live import started
from .perf import mount_tracefs
from .test_start import ELSEWHERE, kept
from .tracing import HANGS_S, SYSTRACE, example

# bash and what it is followed by; and a program in memory, of calls whose cost is measured
LAUNCHER = [str(SYSTRACE), "/usr/bin/env"]
PYTHON = str(SYSTRACE.with_name("python3"))
TRIAL = "/proc/self/fd/"
# what a library might look for in PATH
WANTED = ("bash", "env", "gcc", "ld", "ldconfig", "ls", "modprobe", "objdump", "perf", "python3",
          "readlink", "sh", "uname", "zcat")  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path) -> dict[str, str]:
    """Environment of a caller whose PATH and other paths lead to programs of another's."""
    mount_tracefs()
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in WANTED:
        (directory / name).write_text("#!/bin/false\n")
        (directory / name).chmod(0o755)
    library = str(tmp_path / "no library")
    return {
        "PATH": str(directory),
        "TMPDIR": str(directory),
        "HOME": str(tmp_path),
        "SHELL": str(directory / "sh"),
        "PYTHONHOME": str(directory),
        "PYTHONPATH": str(directory),
        "BASH_ENV": str(directory / "sh"),
        "ENV": str(directory / "sh"),
        "LD_LIBRARY_PATH": library,
        "BPF_CLANG_PATH": str(directory / "gcc"),
        "BCC_PROBE_PREFIX": "x",
    }


def executed(place: Path, env: dict[str, str], argv: Sequence[str], status: int = 0) -> list[str]:
    """The files that a command executes, itself first, with all that it starts."""
    record = ("perf", "record", "-q", "-o", str(place / "perf.data"))
    kept_env = [f"{name}={value}" for name, value in env.items()]
    # perf puts a directory of its own before PATH, and so does not see the caller's
    command = ["/usr/bin/env", "-i", *kept_env, *argv]
    done = subprocess.run(
        [*record, "-e", "sched:sched_process_exec", "--", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=place,
        check=False,
        timeout=HANGS_S,
    )
    assert done.returncode == status, done
    script = ("perf", "script", "-i", str(place / "perf.data"), "-F", "trace")
    text = subprocess.run(script, capture_output=True, check=True, cwd=place).stdout.decode()
    found = re.findall(r"filename=(.*) pid=\d+ old_pid=\d+", text)
    assert found[0] == "/usr/bin/env"
    return found[1:]


def test_run_starts_the_command_and_nothing_else(tmp_path: Path, planted: dict[str, str]) -> None:
    target = example("getppid")
    argv = [str(SYSTRACE), "run", "-q", target, "1"]
    assert executed(tmp_path, planted, argv) == [*LAUNCHER, PYTHON, target]


def test_a_first_start_compiles_without_a_compilers_program(
    tmp_path: Path, planted: dict[str, str]
) -> None:
    place = tmp_path / "var-cache"
    place.mkdir(mode=0o755)
    target = example("getppid")
    argv = [str(SYSTRACE), "run", "--overhead", target, "1"]
    prefix = [
        "/usr/bin/unshare",
        "-m",
        "/bin/sh",
        "-c",
        ELSEWHERE[4].replace("mount", "/bin/mount"),
    ]
    found = executed(tmp_path, planted, [*prefix, str(place), *argv])
    assert kept(place), "it compiled"
    assert found[:3] == ["/usr/bin/unshare", "/bin/sh", "/bin/mount"]
    trials = [file for file in found if file.startswith(TRIAL)]
    assert trials
    assert [file for file in found[3:] if file not in trials] == [*LAUNCHER, PYTHON, target]


def test_attach_starts_nothing(tmp_path: Path, planted: dict[str, str]) -> None:
    with started("sleep", "60") as live:
        argv = [str(SYSTRACE), "attach", "-q", "-d", "0.1", str(live.process.pid)]
        found = executed(tmp_path, planted, argv)
        live.process.kill()
    assert [file for file in found if not file.startswith(TRIAL)] == [*LAUNCHER, PYTHON]


def test_doctor_starts_nothing_but_its_own_python(tmp_path: Path, planted: dict[str, str]) -> None:
    found = executed(tmp_path, planted, [str(SYSTRACE), "doctor", "--json"])
    assert found[:2] == LAUNCHER
    assert len(found) > 5
    assert {file for file in found[2:] if not file.startswith(TRIAL)} == {PYTHON}
