"""What people type by habit gets a line that they can paste, and that line is accepted."""

import shlex
from pathlib import Path

import pytest

from systrace import cli, early, launcher
from systrace.cli import attaching
from systrace.errors import NotFoundError
from systrace.options import RunOptions

EXAMPLE = "ls /usr/bin"

# Of what ends with 2, and not as a target ends.
SHOW = {
    "show": "show report.json",
    "show -n 5": "show -n 5 report.json",
    "show -f markdown r.json": "show -F markdown r.json",
    "show -fcsv r.json": "show -F csv r.json",
    "show -F cvs r.json": "show -F csv r.json",
    "show -n x r.json": "show -n 10 r.json",
    "show --sorted total r.json": "show --sort total r.json",
    "show -q r.json": "show r.json",
    "show -f csv -n 5 r.json": "show -F csv -n 5 r.json",
    "doctor --jsn": "doctor --json",
    "doctor -q": "doctor",
    "show a.json b.json": "show --help",
}

TYPED = {
    "": f"run {EXAMPLE}",
    "./app args -x": "run ./app args -x",
    "strace-like -c ./app": "run strace-like -c ./app",
    "-c ./app": "run ./app",
    "-o x ./app": "run -o x ./app",
    "-o x run -q ./app": "run -o x -q ./app",
    "-p 1234": "attach -p 1234",
    "-p 12,34": "attach -p 12,34",
    "--pid=1234": "attach -p 1234",
    "1234": "attach -p 1234",
    "attahc 1234": "attach 1234",
    "attach -p": "attach -p 1234",
    "attach -d x": "attach -d 10s 1234",
    "attach -d x -p 12": "attach -d 10s -p 12",
    "rnu -q ls": "run -q ls",
    "help": "--help",
    "--verson": "--help",
    "run": f"run {EXAMPLE}",
    "run --": f"run {EXAMPLE}",
    "run -o x.json": f"run -o x.json {EXAMPLE}",
    "run -o ls": "run -o report.json ls",
    "run -f json ./app -n 5": "run -F json ./app -n 5",
    "run -f json": f"run -F json {EXAMPLE}",
    "run -q --follow signal ./app -n 5": "run -q --follow=signal ./app -n 5",
    "run -f signal -n 1 ./app -n": "run --follow=signal -n 1 ./app -n",
    "run -q -f json -n 1 ./app": "run -q -F json -n 1 ./app",
    "run -f signal": f"run --follow=signal {EXAMPLE}",
    "run -fjson ./app": "run -F json ./app",
    "run -ftable ./app": "run -F table ./app",
    "run --outptu x ls": "run --output x ls",
    "run --no-folow ls": "run --no-follow ls",
    "run --intervall=2 ls": "run --interval 2 ls",
    "run -c ls -c": "run ls -c",
    "run -p 12": "attach -p 12",
    "run --zzz ls": "run --help",
    "run -d 5 ls": "run --help",
    "run -n x ls": "run -n 10 ls",
    "run -qn0 ls": "run -q -n 10 ls",
    "run -n 5 -n x ls": "run -n 5 -n 10 ls",
    "run -i 1d ls": "run -i 10s ls",
    "run -S tottal ls": "run -S total ls",
    "run -F cvs ls": "run -F csv ls",
    "run -f prometheus ./app": "run -F prometheus ./app",
    "run --vdso breakpoints ls": "run --vdso breakpoint ls",
    "run --output": f"run --output report.json {EXAMPLE}",
    "run -e": f"run -e openat,%network {EXAMPLE}",
    "run -u": f"run -u root {EXAMPLE}",
    "run --fail-if": f"run --fail-if 'ring0_calls > 400' {EXAMPLE}",
    "run --failif 'errors > 1' ls": "run --fail-if 'errors > 1' ls",
    "run --quiet=1 ls": "run --quiet ls",
    "run --follow=fork ls": "run --follow ls",
    "run --follow=signal --quite ls": "run --follow=signal --quiet ls",
    "attach --follow=signal 1": "attach --follow 1",
    "run -n x -- -odd": "run -n 10 -- -odd",
}


@pytest.fixture(autouse=True)
def _one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "call", lambda words: launcher.quoted(("systrace", *words)))


@pytest.mark.parametrize("typed", TYPED)
def test_a_habit_gets_the_line_to_paste(typed: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(shlex.split(typed)) == 125
    out, err = capfd.readouterr()
    assert out == ""
    said, pasted = err.splitlines()
    assert said.startswith("systrace: ")
    assert pasted == f"  systrace {TYPED[typed]}"


@pytest.mark.parametrize("typed", SHOW)
def test_show_corrects_habits_too(typed: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(shlex.split(typed)) == 2
    said, pasted = capfd.readouterr().err.splitlines()
    assert said.startswith("systrace: ")
    assert pasted == f"  systrace {SHOW[typed]}"


@pytest.mark.parametrize("line", sorted({line for line in TYPED.values() if "-" in line}))
def test_the_line_to_paste_is_accepted(
    line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(_: RunOptions) -> None:
        raise NotFoundError("started")

    def find(_: tuple[str, ...]) -> None:
        raise NotFoundError("found")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(early, "run", run)
    monkeypatch.setattr(attaching, "find", find)
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    monkeypatch.setattr("systrace.target.user.resolve", lambda _: None)
    accepted = 0 if "--help" in line else 127
    assert cli.main(shlex.split(line)) == accepted
    capfd.readouterr()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("-p 1234", "what runs already is counted by attach"),
        ("run -o ls", "-o took ls for its file"),
        ("run -n x ls", "-n/--top takes a number of rows, 1 or more, not x:"),
        ("run --output", "-o/--output lacks its FILE:"),
        ("run -S x ls", "takes count, errors, total, mean, p99, max or name, not x:"),
        ("run --quiet=1 ls", "-q/--quiet takes no value:"),
        ("-c ls", "a report always has counts and times"),
        ("show -q", "show has no -q: what it prints is all that it is for:"),
        ("attach -d 9999h 1", "such as 10, 10s, 2m or 500ms (from 10ms to 8760h), not 9999h:"),
    ],
)
def test_the_first_line_says_what_is_wrong(
    typed: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    cli.main(shlex.split(typed))
    assert said in capfd.readouterr().err.splitlines()[0]


def test_a_hostile_word_reaches_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    cli.main(["\x1b[31m\n./app", "b c"])
    err = capfd.readouterr().err
    assert "\x1b" not in err
    assert err.splitlines()[1] == r"  systrace run $'\x1b[31m\x0a./app' 'b c'"


def test_json_may_be_a_command_after_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "json").write_text("#!/bin/sh\n")
    (tmp_path / "json").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    seen = []

    def run(wanted: RunOptions) -> None:
        seen.append(wanted.command)
        raise NotFoundError("started")

    monkeypatch.setattr(early, "run", run)
    assert cli.main(["run", "-f", "json", "x"]) == 127
    assert seen == [("json", "x")]
