"""What A and B are, and the line to paste where that cannot be told."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from systrace import cli, launcher
from systrace.cli import comparing
from systrace.cli.compare import compare
from systrace.cli.line import split
from systrace.cli.sides import Named, alone, read
from systrace.errors import InputError, NotFoundError, UsageError
from systrace.options import RunOptions
from systrace.render import json
from systrace.trials import Plan

from .conftest import GOAPP

# Every line that is typed, and the line that systrace answers with.
TYPED = {
    "compare": "compare before.json after.json",
    "compare --all": "compare --all before.json after.json",
    "compare a.json": "compare a.json './goapp -n 5'",
    "compare ./app": "compare --without-vdso ./app",
    "compare './app -n 5'": "compare --without-vdso ./app -n 5",
    "compare -r 3 ./app": "compare -r 3 --without-vdso ./app",
    "compare a.json b.json --all": "compare --all a.json b.json",
    "compare a.json --all b.json": "compare --all a.json b.json",
    "compare ./a ./b -r 5 -o x.json": "compare -r 5 -o x.json ./a ./b",
    "compare -q ./a ./b --warmup=1": "compare -q --warmup 1 ./a ./b",
    "compare a.json b.json c.json": "compare a.json b.json",
    "compare ./app -n 5 ./app -n 6": "compare './app -n 5' './app -n 6'",
    "compare ./app --fast ./app": "compare './app --fast' ./app",
    "compare ./old 'b c' d": "compare ./old ''\"'\"'b c'\"'\"' d'",
    "compare -o a.json b.json": "compare a.json b.json",
    "compare -r 5 a.json b.json": "compare a.json b.json",
    "compare --shell --all a.json b.json": "compare --all a.json b.json",
    "compare --vdso off a.json b.json": "compare a.json b.json",
    "compare aa.json b.json": "compare a.json b.json",
    "compare ./a 'ls | wc'": "compare --shell ./a 'ls | wc'",
    "compare -r 5 './a >out' ./b": "compare -r 5 --shell './a >out' ./b",
    "compare --without-vdso a.json": "compare --without-vdso ./goapp -n 5",
    "compare --without-vdso -r 5 a.json b.json": "compare --without-vdso -r 5 ./goapp -n 5",
    "compare --without-vdso": "compare --without-vdso ls /usr/bin",
    "compare --without-vdso -r 5 'ls /usr/bin'": "compare --without-vdso -r 5 ls /usr/bin",
    "compare -f json a.json b.json": "compare -F json a.json b.json",
    "compare -F jsn a.json b.json": "compare -F json a.json b.json",
    "compare -r x ./a ./b": "compare -r 10 ./a ./b",
    "compare -r 0 ./a ./b": "compare -r 10 ./a ./b",
    "compare --warmup x ./a ./b": "compare --warmup 1 ./a ./b",
    "compare --run 5 ./a ./b": "compare --runs 5 ./a ./b",
    "compare -o": "compare -o report.json before.json after.json",
    "compare -r": "compare -r 10 'ls /usr/bin' 'ls -l /usr/bin'",
    "compare --show-output": "compare --show-output 'ls /usr/bin' 'ls -l /usr/bin'",
    "compare --without-vdso -r": "compare --without-vdso -r 10 ls /usr/bin",
    "compare -c ./a ./b": "compare ./a ./b",
    "copmare a.json b.json": "compare a.json b.json",
}


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(launcher, "call", lambda words: launcher.quoted(("systrace", *words)))
    monkeypatch.chdir(tmp_path)
    command = ("./goapp", "-n", "5")
    for name, started in (("a.json", "2026-11-22T10:00:00Z"), ("b.json", "2026-11-22T11:00:00Z")):
        report = replace(GOAPP, command=command, started=started)
        Path(name).write_text(json.render(report))
    yield
    Path("a.json").chmod(0o600)


def sides(*words: str, by_shell: bool = False) -> tuple[Named, Named]:
    return read(split(compare, "compare", words), compare, by_shell=by_shell)


def refusal(*words: str) -> str:
    with pytest.raises((UsageError, InputError)) as refused:
        sides(*words)
    return str(refused.value)


@pytest.mark.parametrize("typed", TYPED)
def test_a_mistake_gets_the_line_to_paste(
    typed: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    wrong_verb = typed.startswith("copmare")
    assert cli.main(shlex.split(typed)) == (125 if wrong_verb else 2)
    out, err = capfd.readouterr()
    assert out == ""
    said, pasted = err.splitlines()
    assert said.startswith("systrace: ")
    assert pasted == f"  systrace {TYPED[typed]}"


@pytest.mark.parametrize("line", sorted(set(TYPED.values())))
def test_the_line_to_paste_is_accepted(
    line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(_commands: list[RunOptions], _plan: Plan, _done: object) -> None:
        raise NotFoundError("started")

    for name in ("before.json", "after.json"):
        Path(name).write_text(json.render(GOAPP))
    monkeypatch.setattr(comparing, "run", run)
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    status = cli.main(shlex.split(line))
    out, err = capfd.readouterr()
    # two reports are compared, commands come as far as being run
    assert (status, err) == ((0, "") if out else (2, "systrace: started\n"))


def test_a_report_is_what_can_be_read_as_one_and_all_else_is_a_command() -> None:
    a, b = sides("a.json", "./app --size 'big one'")
    assert a.report is not None
    assert a.report.command == ("./goapp", "-n", "5")
    assert b == Named("./app --size 'big one'", None, ("./app", "--size", "big one"))


def test_a_shell_gets_the_command_as_it_is() -> None:
    _, b = sides("a.json", "ls | wc", by_shell=True)
    assert b.command == ("/bin/sh", "-c", "ls | wc")


def test_without_its_vdso_the_words_are_the_commands() -> None:
    words = ("--without-vdso", "--", "./app", "-n", "a b")
    a, b = alone(split(compare, "compare", words), by_shell=False)
    assert a.command == b.command == ("./app", "-n", "a b")
    assert (a.label, b.label) == (
        "./app -n 'a b', with its vDSO",
        "./app -n 'a b', without its vDSO",
    )


@pytest.mark.parametrize(
    ("words", "command"),
    [(("ls | wc",), "ls | wc"), (("ls", "a b"), "ls 'a b'")],
)
def test_without_its_vdso_a_shell_gets_one_word(words: tuple[str, ...], command: str) -> None:
    line = split(compare, "compare", ("--without-vdso", "--shell", *words))
    assert alone(line, by_shell=True)[0].command == ("/bin/sh", "-c", command)


@pytest.mark.parametrize(
    "word",
    ["a | b", "a && b", "a; b", "a > f", "a 2>f", "a <f", "(a)", "a $HOME", "a ${X}", "a `b`"],
)
def test_what_only_a_shell_can_do_is_refused(word: str) -> None:
    assert "is for a shell; to give it to one:" in refusal("a.json", word)


@pytest.mark.parametrize(
    "word", ["a '|' b", 'a "x && y"', r"a \| b", "a 'it'\\''s;'", "a *.go", "a 5$ x=$", "a [b] ~"]
)
def test_what_is_quoted_is_not_the_shells(word: str) -> None:
    assert sides("a.json", word)[1].command == tuple(shlex.split(word))


def test_quotes_that_do_not_close_are_refused() -> None:
    assert refusal("a.json", "Echo 'x").startswith('"Echo \'x" cannot be split into words: ')


@pytest.mark.parametrize("word", ["", "   ", "''"])
def test_an_empty_command_is_refused(word: str) -> None:
    if word == "''":
        assert sides("a.json", word)[1].command == ("",)
    else:
        assert refusal("a.json", word).startswith("a command is empty")


def test_a_missing_report_is_no_command() -> None:
    assert refusal("zzz.json", "b.json") == "cannot read 'zzz.json': there is no such file"


def test_a_command_may_have_a_json_file_as_its_argument() -> None:
    assert sides("a.json", "./app zzz.json")[1].command == ("./app", "zzz.json")


def test_the_suggested_file_is_not_the_other_side() -> None:
    assert refusal("bb.json", "b.json") == "cannot read 'bb.json': there is no such file"


def test_a_damaged_report_is_refused_with_its_place() -> None:
    Path("a.json").write_text('{"schema": "systrace.report/1", ')
    assert refusal("a.json", "b.json").startswith(
        "'a.json' is not a systrace report: line 1, column "
    )


def test_a_file_that_can_be_run_is_a_command_and_one_that_cannot_is_not() -> None:
    script = Path("script")
    script.write_text("#!/bin/sh\n")
    assert refusal("a.json", "./script").splitlines()[1] == (
        "nor is it a command: chmod +x ./script"
    )
    script.chmod(0o755)
    assert sides("a.json", "./script")[1].command == ("./script",)


def test_a_report_that_may_be_executed_is_a_report() -> None:
    Path("a.json").chmod(0o755)
    assert sides("a.json", "b.json")[0].report is not None


def test_a_directory_is_left_to_the_search_for_commands() -> None:
    Path("dir").mkdir()
    assert sides("a.json", "./dir")[1].command == ("./dir",)


def test_a_pipe_is_read_as_a_report() -> None:
    reader, writer = os.pipe()
    os.write(writer, Path("a.json").read_bytes())
    os.close(writer)
    try:
        assert sides(f"/dev/fd/{reader}", "b.json")[0].report is not None
    finally:
        os.close(reader)


def test_the_later_report_first_gets_a_hint_and_the_comparison(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["compare", "b.json", "a.json"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("A  b.json: ")
    assert err.splitlines() == [
        "systrace: A is the later run of the two; from the earlier to the later:",
        "  systrace compare a.json b.json",
    ]
    assert cli.main(["compare", "a.json", "b.json"]) == 0
    assert capfd.readouterr().err == ""


def test_reports_of_two_programs_have_no_order(capfd: pytest.CaptureFixture[str]) -> None:
    Path("b.json").write_text(json.render(replace(GOAPP, started="2027-01-01T00:00:00Z")))
    assert cli.main(["compare", "b.json", "a.json"]) == 0
    assert capfd.readouterr().err == ""
