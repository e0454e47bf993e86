"""The verbs check and budget: files in, verdicts out, and the exit status."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from systrace import cli, launcher
from systrace.options import Selection
from systrace.render.json import render
from systrace.report import Call, Exit, Report

from .conftest import GOAPP

Check = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def files(tmp_path: Path, goapp: Report, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in: old.json, new.json with 3 openat more, good.toml and tight.toml."""
    old = replace(goapp, calls=(*goapp.calls, Call("openat", "syscall", "x86_64", 38)))
    new = replace(goapp, calls=(*goapp.calls, Call("openat", "syscall", "x86_64", 41)))
    (tmp_path / "old.json").write_text(render(old))
    (tmp_path / "new.json").write_text(render(new))
    head = 'schema = "systrace.budget/1"\n'
    (tmp_path / "good.toml").write_text(f'{head}fail-if = ["openat.count > 41"]\n')
    (tmp_path / "tight.toml").write_text(
        f'{head}fail-if = ["openat.count > 38", "lost > 0", "*.errors > 0"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launcher, "call", lambda words: launcher.quoted(("systrace", *words)))
    return tmp_path


@pytest.fixture
def typed(files: Path, capfd: pytest.CaptureFixture[str]) -> Check:
    """Exit status, standard output and standard error of a line."""
    assert files

    def type_(line: str) -> tuple[int, list[str], list[str]]:
        try:
            status = cli.main(shlex.split(line))
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return status, out.splitlines(), err.splitlines()

    return type_


def test_a_report_within_its_budget_ends_with_0(typed: Check) -> None:
    assert typed("check good.toml new.json") == (0, ["the limit held"], [])
    assert typed("check tight.toml --budget good.toml old.json")[0] == 1
    assert typed("check --budget good.toml old.json") == (0, ["the limit held"], [])


def test_every_violation_is_printed_and_the_end_is_1(typed: Check) -> None:
    status, out, err = typed("check --fail-if 'ring0_calls > 5' tight.toml new.json")
    assert status == 1
    assert out == [
        "ring0_calls is 196, over the limit of 5 (--fail-if 'ring0_calls > 5')",
        "openat.count is 41, over the limit of 38 (tight.toml: openat.count > 38)",
        "futex.errors is 1, over the limit of 0 (tight.toml: *.errors > 0)",
        "3 of 4 limits violated",
    ]
    assert err == []


def test_a_pattern_that_many_calls_violate_is_one_limit(typed: Check) -> None:
    _, out, _ = typed("check --fail-if '*.ring0_calls > 20' new.json")
    assert len(out) == 4
    assert out[-1] == "1 of 1 limit violated"


def test_a_change_is_counted_from_the_baseline_that_is_named(typed: Check) -> None:
    line = "check --baseline old.json --fail-if 'openat.count > +5%' new.json"
    assert typed(line)[0] == 1
    assert typed(line.replace("5%", "8%"))[0] == 0
    assert typed(line.replace("old", "new"))[0] == 0


def test_a_budget_may_hold_changes_too(typed: Check, files: Path) -> None:
    (files / "change.toml").write_text(
        'schema = "systrace.budget/1"\nfail-if = ["openat.count > +2"]\n'
    )
    assert typed("check --baseline old.json change.toml new.json")[0] == 1
    status, _, err = typed("check change.toml new.json")
    assert status == 2
    assert err == [
        "systrace: change.toml: openat.count > +2: a change needs a report to compare with:",
        "  systrace check --baseline OLD.json --fail-if 'openat.count > +2' new.json",
    ]


def test_new_calls_in_a_budget_are_those_of_its_list_or_of_a_baseline(
    typed: Check, files: Path
) -> None:
    head = 'schema = "systrace.budget/1"\n'
    (files / "new.toml").write_text(f'{head}fail-if = ["new_calls > 0"]\n')
    status, _, err = typed("check new.toml new.json")
    assert status == 2
    assert err == [
        "systrace: new.toml: new_calls > 0: a change needs a report to compare with:",
        "  systrace check --baseline OLD.json --fail-if 'new_calls > 0' new.json",
    ]
    (files / "empty.json").write_text(render(replace(GOAPP, calls=GOAPP.calls[:1])))
    _, out, _ = typed("check --baseline empty.json new.toml new.json")
    assert out[0].endswith("(new.toml: new_calls > 0)")
    (files / "list.toml").write_text(f'{head}calls = ["clock_*", "f?tex", "rt_*"]\n')
    _, out, _ = typed("check list.toml new.json")
    assert out[0] == "new_calls is 41 (openat 41), over the limit of 0 (list.toml: calls)"


def test_a_name_that_only_the_report_has_is_known(typed: Check, files: Path, goapp: Report) -> None:
    strange = replace(goapp, calls=(Call("from_the_future", "syscall", "x86_64", 1),))
    (files / "strange.json").write_text(render(strange))
    assert typed("check --fail-if 'from_the_future.count > 0' strange.json")[0] == 1
    assert typed("check --fail-if 'from_the_future.count > 0' new.json")[0] == 2
    line = "check --baseline strange.json --fail-if 'from_the_future.count > 0' new.json"
    assert typed(line)[0] == 0


ALL = "--baseline old.json --budget good.toml --fail-if 'errors > 0'"
MEANT = {
    "check new.json tight.toml": ("the budget comes first:", "check tight.toml new.json"),
    f"check new.json tight.toml {ALL}": (
        "the budget comes first:",
        f"check {ALL} tight.toml new.json",
    ),
    "check": (
        "check needs a budget and a report, for example:",
        "check budget.toml report.json",
    ),
    "check new.json": (
        "check needs a limit, or a budget:",
        "check --fail-if 'ring0_calls > 400' new.json",
    ),
    "check tight.toml": (
        "check needs a report; 'tight.toml' is none:",
        "check tight.toml report.json",
    ),
    "check --fail-if 'errors > 0' tight.toml": (
        "check needs a report; 'tight.toml' is none:",
        "check tight.toml report.json",
    ),
    "check old.json new.json": (
        "both files are reports, and no budget:",
        "check --baseline old.json --fail-if 'new_calls > 0' new.json",
    ),
    "check tight.toml good.toml": ("neither file is a report:", "check tight.toml report.json"),
    "check tight.toml old.json new.json": (
        "check takes one report, and before it one budget:",
        "check budget.toml report.json",
    ),
    "check --budget old.json new.json": (
        "'old.json' is JSON, as reports are; a budget is made of it by:",
        "budget -o budget.toml old.json",
    ),
    "check --fail-if 'openat.count > +5%' new.json": (
        "--fail-if 'openat.count > +5%': a change needs a report to compare with:",
        "check --baseline OLD.json --fail-if 'openat.count > +5%' new.json",
    ),
    "budget": (
        "budget needs reports, ten or more, for example:",
        "budget -o budget.toml report.json",
    ),
    "budget old.json good.toml": (
        "'good.toml' is no report; a report is held against a budget by:",
        "check good.toml report.json",
    ),
    "budget --head-room x old.json": (
        "--head-room takes a number, 0 or more, such as 5 or 2.5, not x:",
        "budget --head-room 5 old.json",
    ),
    "check --fail-if": (
        "--fail-if lacks its EXPR:",
        "check --fail-if 'ring0_calls > 400' report.json",
    ),
    "check --fial-if 'errors > 0' new.json": (
        "check has no option --fial-if; did you mean:",
        "check --fail-if 'errors > 0' new.json",
    ),
    "budegt old.json": ("there is no verb budegt; did you mean:", "budget old.json"),
}


@pytest.mark.parametrize("line", MEANT)
def test_what_was_meant_is_there_to_paste(typed: Check, line: str) -> None:
    said, pasted = MEANT[line]
    status, out, err = typed(line)
    assert (out, err) == ([], [f"systrace: {said}", f"  systrace {pasted}"])
    assert status == (125 if line.startswith("budegt") else 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "check --fail-if 'openat.count => 38' new.json",
            "--fail-if 'openat.count => 38', column 14: ",
        ),
        ("check absent.toml new.json", "cannot read 'absent.toml': No such file or directory"),
        ("check good.toml absent.json", "cannot read 'absent.json': No such file or directory"),
        ("check good.toml . ", "cannot read '.': Is a directory"),
        ("check good.toml broken.json", "'broken.json' is not a systrace report: line 1, column 2"),
        ("check broken.toml new.json", "'broken.toml' is not a budget: Expected '='"),
        ("check --baseline good.toml good.toml new.json", "'good.toml' is not a systrace report: "),
        ("budget absent.json", "cannot read 'absent.json': No such file or directory"),
        (
            "budget -o absent/b.toml new.json",
            "cannot write absent/b.toml: No such file or directory",
        ),
        ("budget broken.json", "'broken.json' is not a systrace report: line 1, column 2"),
    ],
)
def test_what_cannot_be_read_or_written_ends_with_2(
    typed: Check, files: Path, line: str, said: str
) -> None:
    (files / "broken.json").write_text("{")
    (files / "broken.toml").write_text("x\n")
    status, out, err = typed(line)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"systrace: {said}")


@pytest.mark.parametrize("verb", ["check", "budget"])
def test_help_has_examples_and_fits_80_columns(verb: str) -> None:
    command = [sys.executable, "-m", "systrace", verb, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"systrace {verb}" in shown.partition("Examples")[2]
    assert max(map(len, shown.splitlines())) <= 80


def test_what_a_reader_of_the_verdict_should_know_is_said_beside_it(
    typed: Check, files: Path, goapp: Report
) -> None:
    failed = replace(goapp, exit=Exit(code=7), warnings=("something\x1b[2J happened",))
    (files / "failed.json").write_text(render(failed))
    status, out, err = typed("check good.toml failed.json")
    assert (status, out) == (0, ["the limit held"])
    assert err == [
        "systrace: note: the command ended with exit 7: it may have called less",
        r"systrace: note: the report warns: something\x1b[2J happened",
    ]
    chosen = Selection(frozenset({"futex", "openat"}))
    (files / "some.json").write_text(render(replace(goapp, selected=True, selection=chosen)))
    status, _, err = typed("check --fail-if 'ring0_calls > 500' some.json")
    assert (status, err) == (
        0,
        ["systrace: note: totals and patterns are of the calls that -e selected"],
    )
    assert typed("check good.toml some.json")[2] == []
    killed = replace(goapp, exit=Exit(signal=9))
    (files / "killed.json").write_text(render(killed))
    assert typed("check good.toml killed.json")[2] == [
        "systrace: note: the command was killed by SIGKILL: it may have called less"
    ]


def test_hostile_names_reach_no_terminal(typed: Check, files: Path, goapp: Report) -> None:
    hostile = replace(goapp, calls=(Call("\x1b[2J\n\u202e", "syscall", "x86_64", 5),))
    (files / "hostile.json").write_text(render(hostile))
    status, out, _ = typed("check --fail-if '*.count > 1' hostile.json")
    assert status == 1
    assert out[0].startswith(r"\x1b[2J\n\u202e.count is 5, over the limit of 1 ")


def test_a_verdict_that_nobody_reads_is_one_all_the_same(files: Path) -> None:
    assert files
    command = [sys.executable, "-m", "systrace", "check", "tight.toml", "new.json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
    shell = ["sh", "-c", '"$@" >&-', "sh", *command]
    assert subprocess.run(shell, check=False).returncode == 1


@pytest.mark.parametrize("line", ["check tight.toml new.json", "budget new.json"])
def test_what_cannot_be_written_is_no_success(files: Path, line: str) -> None:
    assert files
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "systrace", *line.split()]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        b"systrace: cannot write standard output: No space left on device"
    )


def test_files_that_are_pipes_are_read_once_in_their_order(files: Path) -> None:
    assert files
    command = [sys.executable, "-m", "systrace"]
    script = '"$@" check <("$@" budget old.json 2>&-) <(cat new.json)'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.startswith("ring0_calls is 196, over the limit of 193 (/dev/fd/")
    assert "openat.count is 41, over the limit of 38" in done.stdout


def test_a_budget_is_written_to_standard_output_or_whole_to_a_file(
    typed: Check, files: Path
) -> None:
    status, out, err = typed("budget old.json new.json")
    assert status == 0
    assert '  "openat.count > 61",  # 38 to 41' in out
    assert err == [
        "systrace: warning: made from 2 reports, which differ: ten make limits that last"
    ]
    assert typed("budget -o made.toml old.json new.json") == (0, [], err)
    assert (files / "made.toml").read_text().splitlines() == out
    assert typed("check made.toml new.json")[0] == 0
    # as it was, for what came in between could not be made
    assert typed("budget -o made.toml good.toml")[0] == 2
    assert (files / "made.toml").read_text().splitlines() == out


def test_one_report_makes_a_budget_and_a_warning(typed: Check) -> None:
    status, out, err = typed("budget old.json")
    assert status == 0
    assert '  "openat.count > 38",' in out
    assert len(err) == 1
    assert err[0] == (
        "systrace: warning: made from one report: how much its counts vary is not known, so that "
        "no limit has head-room; give ten"
    )
    twice = typed("budget old.json ./old.json")
    assert twice[1] == out
    assert twice[2] == [
        "systrace: note: './old.json' is the same run as 'old.json', and counts once",
        *err,
    ]


def test_a_budget_warns_of_reports_that_may_not_belong_together(
    typed: Check, files: Path, goapp: Report
) -> None:
    other = replace(goapp, command=("./other", "-x"), exit=Exit(code=1))
    (files / "other.json").write_text(render(other))
    _, _, err = typed("budget --head-room 0 old.json other.json")
    assert err[1] == (
        "systrace: warning: the reports are of different commands, such as './goapp' and "
        "'./other -x'"
    )
    assert err[2] == (
        "systrace: warning: 'other.json' is of a command that failed: it may have called less"
    )
    assert len(err) == 3


def test_the_verdict_comes_in_the_format_that_is_asked_for(typed: Check, files: Path) -> None:
    line = "check -F github -o v.json -o v.csv -o v.md -o v.prom -o v.txt tight.toml new.json"
    status, out, err = typed(line)
    assert (status, err) == (1, [])
    assert [text.partition(" ")[0] for text in out] == ["::error", "::error", "::notice"]
    assert out[0].startswith(
        "::error file=tight.toml,title=systrace%3A ./goapp::openat.count is 41"
    )
    assert '"held": false' in (files / "v.json").read_text()
    assert (files / "v.csv").read_text().startswith("row,limit,file,quantity")
    assert "2 of 3 limits violated" in (files / "v.md").read_text()
    assert 'file="tight.toml"' in (files / "v.prom").read_text()
    assert (files / "v.txt").read_text().splitlines()[-1] == "2 of 3 limits violated"


def test_notes_on_the_report_are_in_the_verdict_too(
    typed: Check, files: Path, goapp: Report
) -> None:
    (files / "failed.json").write_text(render(replace(goapp, exit=Exit(code=3))))
    status, out, err = typed("check -F csv --fail-if 'lost > 0' failed.json")
    assert status == 0
    assert err == ["systrace: note: the command ended with exit 3: it may have called less"]
    assert out[-1] == "note" + "," * 9 + "the command ended with exit 3: it may have called less"


def test_a_verdict_that_cannot_be_written_is_no_verdict(typed: Check) -> None:
    status, out, err = typed("check -o /no/v.json good.toml new.json")
    assert (status, out) == (2, [])
    assert err == ["systrace: cannot write /no/v.json: No such file or directory"]
