"""systrace.run and its like, with a session that traces nothing in the process that traces."""

import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import systrace
from systrace import errors, privilege, saved, traced
from systrace.render.json import render
from systrace.report import Exit, Report

UNIT = Path(__file__).parent
WORKER = (
    f"import sys; sys.path[:] = sys.argv[2:]; sys.path.insert(0, {str(UNIT)!r}); "
    "import fake_systrace; from systrace import early, worker; "
    "early.run = fake_systrace.run; worker.main()"
)


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_importing_systrace_loads_nothing_else_of_it() -> None:
    code = "import sys; before = set(sys.modules); import systrace; "
    loaded = set(python(code + "print(*set(sys.modules) - before)").split())
    assert {name for name in loaded if name.startswith("systrace")} == {"systrace"}
    assert not loaded & {"ctypes", "json", "click", "subprocess", "dataclasses"}


def test_every_public_name_is_there_and_no_other() -> None:
    for name in systrace.__all__:
        assert getattr(systrace, name) is not None
        assert name in dir(systrace)
    assert set(systrace._PUBLIC) | {"__version__"} == set(systrace.__all__)
    assert systrace.Report is Report
    with pytest.raises(AttributeError, match="module 'systrace' has no attribute 'atach'"):
        _ = systrace.atach  # type: ignore[attr-defined]  # that is the point


def test_no_module_takes_the_place_of_a_public_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(systrace.__path__)}
    assert not modules & set(systrace.__all__)


def test_a_saved_report_is_loaded(goapp: Report, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(render(goapp))
    assert systrace.load(path) == systrace.load(str(path)) == goapp
    assert systrace.load is saved.load
    with pytest.raises(systrace.InputError, match="No such file"):
        systrace.load(tmp_path / "none")


def test_two_reports_are_compared(goapp: Report) -> None:
    found = systrace.compare(goapp, replace(goapp, calls=goapp.calls[1:]))
    assert isinstance(found, systrace.Comparison)
    assert found.ring3_calls.difference == -2_000_152
    assert [(row.name, row.via) for row in found.rows if row.changed] == [("clock_gettime", "vdso")]
    assert found.ring0_calls.difference == 0


def test_files_are_loaded_before_they_are_compared(goapp: Report, tmp_path: Path) -> None:
    for given in ((goapp, "b.json"), (tmp_path, goapp), ("a.json", "b.json"), (goapp, None)):
        with pytest.raises(TypeError, match=r"takes reports, as load\(\) and run\(\) return them"):
            systrace.compare(*given)


Run = Callable[..., Report]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(traced, "_WORKER", WORKER)
    monkeypatch.setattr(privilege, "effective", lambda: ~0)
    return systrace.run


def test_the_report_comes_back_whole(run: Run) -> None:
    report = run(["sh", "-c", "exit 3"])
    assert report.exit == Exit(code=3)
    assert report.count("futex") == 29
    assert isinstance(report, Report)
    assert run(["sh", "-c", "kill -TERM $$"]).exit == Exit(signal=15)


def test_streams_directory_and_environment_are_the_commands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRUIT", "apple")
    command = ["sh", "-c", 'cat; pwd; echo "$FRUIT" >&2']
    given, out, err = (tmp_path / name for name in ("given", "out", "err"))
    given.write_text("hello\n")
    with given.open() as stdin, out.open("w") as stdout, err.open("w") as stderr:
        run(command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=tmp_path)
    assert out.read_text() == f"hello\n{tmp_path}\n"
    assert err.read_text() == "apple\n"
    with err.open("w") as stderr:
        run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={"FRUIT": "pear", "PATH": os.environ["PATH"]},
        )
    assert err.read_text() == "pear\n"


def test_the_command_inherits_no_descriptor_of_ours(run: Run, tmp_path: Path) -> None:
    code = "import os; print(*sorted(os.listdir('/proc/self/fd'))[:-1])"
    with (tmp_path / "out").open("w+") as out:
        run([sys.executable, "-c", code], stdout=out)
        out.seek(0)
        assert out.read().split() == ["0", "1", "2"]


def test_nothing_of_ours_stays_open(run: Run) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    run(["true"])
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_it_may_be_called_from_threads_and_steals_no_child(run: Run) -> None:
    with (
        subprocess.Popen(["sh", "-c", "sleep 0.2; exit 5"]) as mine,
        ThreadPoolExecutor(4) as threads,
    ):
        statuses = [3, 4, 5, 6]
        commands = [["sh", "-c", f"exit {status}"] for status in statuses]
        reports = list(threads.map(run, commands))
    assert [report.exit.code for report in reports] == statuses
    assert mine.returncode == 5
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_an_error_of_the_engine_is_raised_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE", '[["crash", 0]]')
    with pytest.raises(systrace.SystraceError, match="internal error: ValueError: the engine"):
        run(["true"])
    monkeypatch.setenv("FAKE", '[["refuse", 0]]')
    with pytest.raises(errors.NotFoundError, match="no such command") as refused:
        run(["true"])
    assert isinstance(refused.value, systrace.SystraceError)


def test_a_tracing_process_that_dies_is_no_report(run: Run) -> None:
    with pytest.raises(systrace.SystraceError, match="ended with status -9 and no report"):
        run(["sh", "-c", "kill -KILL $PPID"])


def test_a_directory_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, reason in (("none", "No such file or directory"), ("file", "Not a directory")):
        for cwd in (tmp_path / name, str(tmp_path / name)):
            with pytest.raises(systrace.SystraceError) as refused:
                run(["true"], cwd=cwd)
            assert str(refused.value) == f"cannot run in cwd '{tmp_path}/{name}': {reason}"


def test_a_command_that_takes_too_long_is_an_error_of_two_kinds(run: Run) -> None:
    began = time.monotonic()
    with pytest.raises(systrace.TargetTimeoutError, match=r"did not end within 0\.5 s") as late:
        run(["sleep", "2"], timeout=0.5)
    assert isinstance(late.value, TimeoutError)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("ls -l", {}, "takes a command as a list"),
        ([], {}, "takes a command as a list"),
        (["ls"], {"stdout": subprocess.PIPE}, "nobody who reads or writes a PIPE"),
        (["ls"], {"vdso": "pach"}, "vdso is one of auto, patch, breakpoint, uprobe, off"),
        (["ls"], {"expr": "opneat"}, "opneat"),
        (["ls"], {"timeout": "x"}, "timeout is a number of seconds, or None for no end, not 'x'"),
        (["ls"], {"timeout": -1}, "timeout is a number of seconds"),
        (["ls"], {"timeout": float("nan")}, "timeout is a number of seconds"),
        (["ls"], {"without_vdso": True, "vdso": "patch"}, "--without-vdso leaves --vdso patch"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    run: Run, command: object, options: dict[str, object], said: str
) -> None:
    with pytest.raises(errors.UsageError, match=said):
        run(command, **options)


def test_without_the_right_to_trace_the_line_that_has_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", "pytest", "a b"])
    monkeypatch.setattr(sys, "executable", "/venv/bin/python3")
    with pytest.raises(systrace.PrivilegeError) as refused:
        systrace.run(["ls"])
    line = str(refused.value).splitlines()[-1]
    assert line == "  sudo -E env \"PATH=$PATH\" /venv/bin/python3 -m pytest 'a b'"


def test_options_arrive_as_those_of_the_command_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(traced, "_traced", lambda options, *_, **__: seen.append(options))
    run([Path("/bin/ls"), "-l"], expr=["openat", "!futex"], counts_only=True, follow=False)
    run(["ls"], expr="openat", per_process=True, without_vdso=True, wait_all=True)
    run(["ls"], expr="all")
    first, second, third = seen
    assert first.command == ("/bin/ls", "-l")
    assert first.trace.selection.negated
    assert first.trace.selection.names == {"futex"}
    assert (first.trace.counts_only, first.trace.follow) == (True, False)
    assert second.trace.selection.names == {"openat"}
    assert third.trace.selection is None
    assert (second.trace.per_process, second.trace.without_vdso) == (True, True)
    assert (first.wait_all, second.wait_all) == (False, True)
    assert first.user is second.user is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_who_called_sudo_is_decided_here_whatever_environment_is_handed_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(traced, "_traced", lambda options, *_, **__: seen.append(options))
    for name, value in (("SUDO_UID", "65534"), ("SUDO_GID", "65534"), ("SUDO_USER", "nobody")):
        monkeypatch.setenv(name, value)
    run(["ls"], env={})
    run(["ls"], env={}, user="root")
    assert [options.user for options in seen] == ["nobody", "root"]
