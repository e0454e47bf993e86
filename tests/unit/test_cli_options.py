"""What the options of run become, and what help costs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from systrace import __version__, cli, early
from systrace.cli import streams
from systrace.cli.presentation import Presentation
from systrace.cli.values import Duration
from systrace.errors import NotFoundError
from systrace.options import RunOptions, Selection, TableOptions

Ask = Callable[..., RunOptions]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The RunOptions that a command line comes to."""
    seen: list[RunOptions] = []

    def run(wanted: RunOptions) -> None:
        seen.append(wanted)
        raise NotFoundError("started")

    monkeypatch.setattr(early, "run", run)
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    monkeypatch.setattr("systrace.target.user.resolve", lambda _: None)

    def ask(*arguments: str) -> RunOptions:
        assert cli.main(["run", *arguments]) == 127
        return seen[-1]

    return ask


def test_the_defaults_are_the_documented_ones(asked: Ask) -> None:
    wanted = asked("ls", "-l")
    assert wanted.command == ("ls", "-l")
    assert wanted.user is None
    assert wanted.trace.vdso == "auto"
    assert wanted.trace.follow
    assert not wanted.trace.counts_only
    assert wanted.trace.selection is None
    assert wanted.snapshots.interval_s is None
    assert wanted.snapshots.progress_s is None


def test_each_option_arrives(asked: Ask) -> None:
    wanted = asked(
        "-u", "daemon", "--no-follow", "--vdso", "uprobe", "--counts-only", "-i", "500ms", "ls"
    )
    assert wanted.user == "daemon"
    assert not wanted.trace.follow
    assert wanted.trace.vdso == "uprobe"
    assert wanted.trace.counts_only
    assert wanted.snapshots.interval_s == 0.5
    assert asked("--no-follow", "-f", "ls").trace.follow


def test_follow_is_by_signal_where_that_is_said_among_the_options(asked: Ask) -> None:
    wanted = asked("-q", "--follow=signal", "-n", "3", "ls", "-l")
    assert wanted.command == ("ls", "-l")
    assert wanted.trace.by_signal
    assert wanted.trace.follow


@pytest.mark.parametrize(
    "command", [("./signal",), ("signal",), ("ls", "--follow=signal"), ("--", "--follow=signal")]
)
@pytest.mark.parametrize("follow", ["-f", "--follow"])
def test_follow_takes_no_command_for_its_value(
    asked: Ask,
    follow: str,
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "signal").touch(0o755)  # there is a program of that name
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    wanted = asked(follow, *command)
    assert wanted.command == command[command[0] == "--" :]
    assert wanted.trace.follow
    assert not wanted.trace.by_signal


def test_no_follow_and_follow_by_signal_are_one_too_many(
    asked: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    assert asked("ls").trace.follow
    assert cli.main(["run", "--no-follow", "--follow=signal", "ls"]) == 125
    assert "give one of them" in capfd.readouterr().err


def test_every_expression_reaches_the_parser(asked: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Selection(frozenset({"openat"}))
    given: list[object] = []

    def parse(expressions: object) -> Selection:
        given.append(expressions)
        return chosen

    monkeypatch.setattr("systrace.selection.parse", parse)
    assert asked("-e", "openat", "-e", "%network", "ls").trace.selection is chosen
    assert given == [("openat", "%network")]


@pytest.mark.parametrize("expression", ["all", "!none", "!?nope", "trace=all", "read,all"])
def test_a_selection_that_leaves_nothing_out_is_none(asked: Ask, expression: str) -> None:
    assert asked("-e", expression, "ls").trace.selection is None
    assert asked("-e", expression, "-e", "!read", "ls").trace.selection is not None


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("10", 10), ("10s", 10), ("2m", 120), ("500ms", 0.5), ("1h", 3600), (".5", 0.5), ("1.5", 1.5)],
)
def test_a_duration_is_read_with_its_unit(typed: str, seconds: float) -> None:
    assert Duration().convert(typed, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "typed", ["", "0", "-1", "1d", "s", "nan", "inf", "1e3", "1 s", "9ms", "9" * 400, "٣", "1ss"]
)
def test_what_is_no_duration_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(typed, None, None)


def test_colour_needs_a_terminal_and_no_word_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: fd == 2)
    assert streams.colour({"TERM": "xterm"})
    assert streams.colour({"NO_COLOR": ""})
    assert not streams.colour({"NO_COLOR": "1"})
    assert not streams.colour({"TERM": "dumb"})
    monkeypatch.setattr(os, "isatty", lambda _: False)
    assert not streams.colour({})


def test_the_width_is_columns_or_the_terminals_or_80(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((132 + fd - 2, 24)))
    assert streams.width({"COLUMNS": "100"}) == 100
    assert streams.width({"COLUMNS": "0"}) == 132
    assert streams.width({"COLUMNS": "wide"}) == 132
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    assert streams.width({}) == 80

    def no_terminal(_: int) -> None:
        raise OSError(25, "not a tty")

    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    assert streams.width({}) == 80


def test_a_file_gets_a_plain_table_however_wide_the_terminal() -> None:
    shown = Presentation(table=TableOptions("name", 3, 200, colour=True))
    assert shown.file_table == TableOptions("name", 3, 80, colour=False)


def python(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["run", "-h"], *([verb, "--help"] for verb in cli.VERBS)]
)
def test_help_has_examples_and_fits_80_columns(arguments: list[str]) -> None:
    done = python("-m", "systrace", *arguments, COLUMNS="80")
    assert done.returncode == 0
    verb = arguments[0] if arguments[0] in cli.VERBS else "run"
    assert f"systrace {verb}" in done.stdout.partition("Examples")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_version_names_itself() -> None:
    assert python("-m", "systrace", "--version").stdout == f"systrace {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([verb, "--help"] for verb in ("run", "attach", "check", "budget", "compare", "show")),
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, atexit\nfrom systrace.cli import main\n"
        f"main({arguments!r})\nprint(*sys.modules, file=sys.stderr)"
    )
    loaded = set(python("-c", code).stderr.split())
    ours = {name for name in loaded if name.startswith("systrace")}
    verb = f".cli.{arguments[0]}"
    allowed = ["", ".cli", ".cli.options", ".cli.values", verb, ".errors", ".options"]
    if arguments[0] == "run":
        allowed.append(".cli.following")
    assert ours <= {f"systrace{name}" for name in allowed}
    heavy = {"psutil", "tabulate", "elftools", "iced_x86", "ctypes", "bcc", "pwd", "tomllib"}
    assert not loaded & heavy


def test_a_run_without_limits_does_without_their_modules() -> None:
    code = "import sys, systrace.cli.tracing, systrace.cli.limits\nprint(*sys.modules)"
    loaded = set(python("-c", code).stdout.split())
    assert not {name for name in loaded if name.startswith(("systrace.limits", "systrace.budget"))}
    assert "systrace.cli.limits" in loaded


def test_help_for_a_reader_who_has_left_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "systrace", "--help"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--version"], 125), (["--help"], 125), (["run", "--help"], 125), (["show", "--help"], 2)],
)
def test_help_that_cannot_be_written_is_refused_in_a_line(
    arguments: list[str], status: int
) -> None:
    command = [sys.executable, "-m", "systrace", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"systrace: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (status, said)
