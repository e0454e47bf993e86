"""bin/systrace: a shell script, so that Python starts clean and the target inherits ours."""

import os
import shutil
import signal
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest

from systrace.cli import VERBS

LAUNCHER = Path(__file__).parents[2] / "bin" / "systrace"
# Whichever of these a machine has is /bin/sh somewhere.
SHELLS = [[path] for name in ("dash", "bash") if (path := shutil.which(name))] + [
    [path, "sh"] for path in [shutil.which("busybox")] if path
]
# Stands in for python3: shows what it was given.
SHOW = f"""#!{sys.executable} -I
import os, sys
print(sys.argv[1:])
print(sorted(open("/proc/self/environ").read().split("\\0")[:-1]))
"""


@pytest.fixture(params=SHELLS, ids=lambda shell: Path(shell[0]).name)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory with a blank in its name, the launcher for one shell, and a python3."""
    home = tmp_path / "a venv" / "bin"
    home.mkdir(parents=True)
    script = LAUNCHER.read_text().removeprefix("#!/bin/sh\n")
    (home / "systrace").write_text(f"#!{' '.join(request.param)}\n{script}")
    (home / "python3").write_text(SHOW)
    for file in home.iterdir():
        file.chmod(0o755)
    return home


def launch(
    command: str | Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    preexec_fn: Callable[[], None] | None = None,
) -> tuple[list[str], list[str]]:
    """The arguments and the environment that python3 got."""
    done = subprocess.run(
        [str(command), *arguments],
        env={"PATH": "/usr/bin:/bin", "PWD": os.path.realpath("."), **(env or {})},
        cwd=cwd,
        preexec_fn=preexec_fn,
        restore_signals=preexec_fn is None,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    argv, environ = (literal_eval(line) for line in done.stdout.splitlines())
    return argv, environ


def sigign(environ: list[str]) -> int:
    (word,) = (word for word in environ if word.startswith("SYSTRACE_SIGIGN="))
    return int(word.partition("=")[2], 16)


def test_python_starts_isolated_with_the_words_untouched(place: Path) -> None:
    words = ["run", "", "a b", "*", "$HOME", "-x", "line\nbreak"]
    argv, _ = launch(place / "systrace", *words)
    assert argv == ["-I", "-m", "systrace", *words]


@pytest.mark.parametrize("ignored", ["", "PIPE", "XFSZ", "PIPE XFSZ", "HUP QUIT PIPE"])
def test_the_signals_that_python_forgets_are_handed_over(place: Path, ignored: str) -> None:
    def dispose() -> None:
        for name in ("PIPE", "XFSZ", "HUP", "QUIT"):
            disposition = signal.SIG_IGN if name in ignored.split() else signal.SIG_DFL
            signal.signal(getattr(signal, f"SIG{name}"), disposition)

    _, environ = launch(place / "systrace", preexec_fn=dispose)
    bits = [1 << getattr(signal, f"SIG{name}") - 1 for name in ignored.split()]
    assert sigign(environ) == sum(bits) & (1 << 12 | 1 << 24)


def test_the_other_signals_arrive_as_they_were(place: Path) -> None:
    show = "print(open('/proc/self/status').read())"
    (place / "python3").write_text(f"#!{sys.executable} -I\n{show}\n")
    command = [str(place / "systrace")]
    for ignored in (0, 1 << signal.SIGHUP - 1, 1 << signal.SIGQUIT - 1):

        def dispose(ignored: int = ignored) -> None:
            for number in (signal.SIGHUP, signal.SIGQUIT):
                wanted = signal.SIG_IGN if ignored >> number - 1 & 1 else signal.SIG_DFL
                signal.signal(number, wanted)

        done = subprocess.run(
            command, capture_output=True, text=True, check=True, preexec_fn=dispose
        )
        mask = int(done.stdout.split("SigIgn:")[1].split()[0], 16)
        assert mask & 0b101 == ignored


def test_what_the_caller_said_about_signals_is_not_believed(place: Path) -> None:
    _, environ = launch(place / "systrace", env={"SYSTRACE_SIGIGN": "ffff"})
    assert sigign(environ) == 0


def test_nothing_else_in_the_environment_changes(place: Path) -> None:
    env = {"A": "1 2", "PYTHONPATH": "/x", "key": "mine", "SHLVL": "3", "_": "x"}
    env |= {"OLDPWD": "/", "LC_ALL": "C", "ENV": "/nonexistent", "EMPTY": "", "N": "a\nb"}
    _, environ = launch(place / "systrace", env=env)
    # bash sets _, and busybox counts SHLVL up: see the launcher.
    known = ("_=", "SHLVL=") if "busybox" in (place / "systrace").read_text()[:80] else ("_=",)
    rest = [word for word in environ if not word.startswith(("SYSTRACE_SIGIGN=", *known))]
    before = {"PATH": "/usr/bin:/bin", "PWD": os.path.realpath("."), **env}
    assert rest == sorted(f"{k}={v}" for k, v in before.items() if f"{k}=" not in known)


def test_it_is_found_through_path(place: Path) -> None:
    argv, _ = launch("env", "systrace", "run", env={"PATH": f"{place}:/usr/bin:/bin"})
    assert argv[-1] == "run"


def test_it_is_found_in_the_current_directory(place: Path) -> None:
    argv, _ = launch("./systrace", "run", cwd=place, env={"PWD": str(place)})
    assert argv[-1] == "run"


def test_a_link_leads_to_the_python_beside_the_real_file(place: Path) -> None:
    home = place.parent.parent
    (home / "local bin").mkdir()
    first = home / "local bin" / "systrace"
    first.symlink_to(home / "second")
    (home / "second").symlink_to("a venv/bin/systrace")
    argv, _ = launch(first, "run")
    assert argv == ["-I", "-m", "systrace", "run"]
    argv, _ = launch("env", "systrace", "run", env={"PATH": f"{first.parent}:/usr/bin:/bin"})
    assert argv == ["-I", "-m", "systrace", "run"]


def test_neither_standard_input_nor_a_descriptor_is_lost(place: Path) -> None:
    (place / "python3").write_text(
        f"#!{sys.executable} -I\nimport os, sys\n"
        "print(sys.stdin.read(), os.listdir('/proc/self/fd'))\n"
    )
    done = subprocess.run(
        [place / "systrace"], input="typed", capture_output=True, text=True, check=True
    )
    # The last one is the directory that is being listed.
    assert done.stdout == "typed ['0', '1', '2', '3']\n"


def test_closed_streams_stay_closed(place: Path) -> None:
    (place / "python3").write_text("#!/bin/sh\nls -l /proc/$$/fd\n")
    command = ["sh", "-c", '"$1" 2>&- <&-', "sh", str(place / "systrace")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    names = [line.split()[8] for line in done.stdout.splitlines()[1:]]
    assert "1" in names
    assert "2" not in names


def test_without_a_python_beside_it_the_systems_own_is_taken(place: Path) -> None:
    (place / "python3").unlink()
    env = {"PATH": "/nonexistent"}
    done = subprocess.run(
        [place / "systrace", "--version"], env=env, capture_output=True, text=True, check=False
    )
    if any(Path(home, "python3").exists() for home in ("/usr/local/bin", "/usr/bin", "/bin")):
        assert "No module named systrace" in done.stderr or done.stdout.startswith("systrace ")
    else:
        assert done.returncode == 125
        assert done.stderr.startswith("systrace: no python3 beside ")


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_a_python_beside_it_that_cannot_be_reached_is_not_replaced(place: Path, verb: str) -> None:
    (place / "python3").unlink()
    (place / "python3").symlink_to("/nonexistent/python3")
    line = [str(place / "systrace"), *verb.split()]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == (125 if verb in ("", "run", "attach") else 2)
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert len(said) == 2
    assert f"cannot execute {place}/python3" in said[0]


def test_neither_pythonpath_nor_the_current_directory_is_trusted(
    place: Path, tmp_path: Path
) -> None:
    (tmp_path / "systrace.py").write_text("print('hijacked')\n")
    (place / "python3").unlink()
    (place / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        [place / "systrace", "--version"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "hijacked" not in done.stdout


def test_it_needs_no_other_program(place: Path) -> None:
    env = {"PATH": "/nonexistent", "PWD": os.path.realpath(".")}
    launch(place / "systrace", env=env)
