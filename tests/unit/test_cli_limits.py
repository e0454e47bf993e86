"""Limits under run and attach: what is refused before the start, and how systrace ends."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from systrace import cli, early
from systrace.cli import attaching, limits, tracing
from systrace.cli.presentation import Observed
from systrace.errors import OutputError
from systrace.limits.grammar import parse
from systrace.report import Exit, Report

from .faked import systrace

# The fake session reports 2,000,152 clock_gettime in ring 3 and 29 futex.

HOLDS = ("--fail-if", "futex.count > 29")
FAILS = ("--fail-if", "futex.count > 28", "--fail-if", "ring3_calls > 5")


def test_a_command_within_its_limits_ends_as_ever() -> None:
    done = systrace("run", "-q", *HOLDS, "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert systrace("run", "-q", *HOLDS, "sh", "-c", "exit 7").returncode == 7


def test_a_command_that_succeeds_over_its_limits_ends_with_1_and_all_are_told() -> None:
    done = systrace("run", "-q", *FAILS, *HOLDS, "true")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "systrace: futex.count is 29, over the limit of 28 (--fail-if 'futex.count > 28')",
        "systrace: ring3_calls is 2,000,152, over the limit of 5 (--fail-if 'ring3_calls > 5')",
    ]


def test_limits_are_of_the_whole_run_and_come_after_the_report() -> None:
    done = systrace("run", *FAILS, "true", fake=[("interval", 1), ("asked", 1)])
    assert done.stderr.count("over the limit of 28") == 1
    assert done.stderr.splitlines()[-1].startswith("systrace: ring3_calls is")


def test_a_command_that_fails_keeps_its_ending_and_violations_are_told() -> None:
    done = systrace("run", "-q", *FAILS, "sh", "-c", "exit 7")
    assert done.returncode == 7
    assert done.stderr.count("over the limit") == 2
    done = systrace("run", "-q", *FAILS, "sh", "-c", "kill -TERM $$")
    assert done.returncode == -15
    assert done.stderr.count("over the limit") == 2


def test_a_lost_report_outweighs_a_limit_and_both_are_told() -> None:
    done = systrace("run", "-q", "-o", "/dev/full", *FAILS, "true")
    assert done.returncode == 125
    assert "cannot write /dev/full" in done.stderr
    assert done.stderr.count("over the limit") == 2


def test_a_report_is_written_whatever_the_limits(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    assert systrace("run", "-q", "-o", str(file), *FAILS, "true").returncode == 1
    assert json.loads(file.read_text())["exit"]["code"] == 0


def test_a_budget_is_held_under_run(tmp_path: Path) -> None:
    file = tmp_path / "b.toml"
    file.write_text('schema = "systrace.budget/1"\ncalls = ["futex"]\n')
    done = systrace("run", "-q", "--budget", str(file), "true")
    assert done.returncode == 1
    assert done.stderr == (
        f"systrace: new_calls is 2,000,152 (clock_gettime 2,000,152), over the limit of 0 "
        f"({file}: calls)\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-if", "futex.count => 5"], "--fail-if 'futex.count => 5', column 13: "),
        (["--fail-if", "errors > +5%"], "--fail-if 'errors > +5%': a change needs a report"),
        (["--fail-if", "new_calls > 0"], "--fail-if 'new_calls > 0': a change needs a report"),
        (["--counts-only", "--fail-if", "futex.max > 1s"], "futex.max cannot be known: no times"),
        (["--vdso", "off", "--fail-if", "ring3_calls > 1"], "ring3_calls cannot be known: vDSO"),
        (["-e", "read", "--fail-if", "futex.count > 1"], "futex.count cannot be known: a select"),
        (["-e", "%file", "--budget", "good.toml"], "futex.count cannot be known: a selection"),
        (["--vdso", "off", "--budget", "calls.toml"], "clock_getres.count cannot be known: vDSO"),
        (["--budget", "absent.toml"], "cannot read 'absent.toml': No such file or directory"),
        (["--budget", "report.json"], "'report.json' is JSON, as reports are"),
        (["--budget", "bad.toml"], "'bad.toml' is not a budget: it lacks the line schema"),
    ],
)
def test_what_can_hold_nothing_is_refused_before_the_command_starts(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = 'schema = "systrace.budget/1"\n'
    (tmp_path / "good.toml").write_text(f"{head}fail-if = ['futex.count > 1']\n")
    (tmp_path / "calls.toml").write_text(f"{head}calls = ['clock_gettime']\n")
    (tmp_path / "bad.toml").write_text("")
    (tmp_path / "report.json").write_text("{}")
    done = systrace("run", "-q", *options, "touch", "started")
    assert done.returncode == 125
    assert done.stderr.startswith(f"systrace: {said}")
    assert done.stderr.count("\n") <= 2
    assert not (tmp_path / "started").exists()


def test_a_budget_of_all_vdso_calls_goes_with_vdso_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = "['clock_*', 'get*', 'time', 'sgx_*', 'futex']"
    (tmp_path / "b.toml").write_text(f'schema = "systrace.budget/1"\ncalls = {calls}\n')
    assert systrace("run", "-q", "--vdso", "off", "--budget", "b.toml", "true").returncode == 0


def test_attach_ends_with_1_over_a_limit_and_with_125_without_its_report(
    goapp: Report, capfd: pytest.CaptureFixture[str]
) -> None:
    report = replace(goapp, command=(), exit=Exit())
    lost = (OutputError("cannot write x"),)
    over, within = (limits.held([parse(f"futex.count > {n}")], report) for n in (5, 29))
    for failures, verdict, status in [
        ((), None, 0),
        ((), within, 0),
        ((), over, 1),
        (lost, over, 125),
        (lost, None, 125),
    ]:
        observed = Observed(report, failures, verdict)
        if status:
            with pytest.raises(SystemExit) as end:
                attaching.end(observed, quiet=True)
            assert end.value.code == status
        else:
            attaching.end(observed, quiet=True)
        assert ("over the limit of 5" in capfd.readouterr().err) == (verdict is over)


def test_who_was_shown_no_report_is_told_of_its_warnings(
    goapp: Report, capfd: pytest.CaptureFixture[str]
) -> None:
    report = replace(goapp, warnings=("1 process was still running",))
    held = limits.held([parse("futex.count > 29")], report)
    for quiet in (True, False):
        assert not tracing.say(Observed(report, (), held), quiet=quiet)
        assert ("still running" in capfd.readouterr().err) == quiet
    assert not tracing.say(Observed(report, ()), quiet=True)
    assert capfd.readouterr().err == ""


def test_attach_refuses_before_it_attaches(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("systrace.privilege.effective", lambda: ~0)
    monkeypatch.setattr(attaching, "find", lambda _: pytest.fail("it looked for a process"))
    monkeypatch.setattr(early, "run", lambda _: pytest.fail("it ran something"))
    assert cli.main(["attach", "--fail-if", "errors >> 0", "1"]) == 125
    assert "column 8" in capfd.readouterr().err


def test_what_is_violated_stands_in_the_comment_and_the_annotations(tmp_path: Path) -> None:
    file = tmp_path / "r.md"
    done = systrace("run", "-F", "github", "-o", str(file), *FAILS, "true")
    assert done.returncode == 1
    assert done.stderr.startswith("::error title=systrace%3A ./goapp::futex.count is 29, over")
    assert file.read_text().count("> [!CAUTION]\n> **2 of 2 limits violated**") == 1
    held = systrace("run", "-q", "-o", str(file), *HOLDS, "true")
    assert (held.returncode, held.stderr) == (0, "")
    assert "**The limit held**" in file.read_text()
