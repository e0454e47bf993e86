"""The verb compare, end to end, with a session that traces nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from systrace.render import json as report_json
from systrace.report import Call

from .conftest import GOAPP
from .faked import FAKE, environment, on_a_terminal

NO_PRIVILEGE = "import sys; from systrace.cli import main; sys.exit(main(sys.argv[1:]))"


def systrace(
    *arguments: str, env: dict[str, str] | None = None, **popen: object
) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, str(FAKE), "compare", *arguments],
        env=environment(**(env or {})),
        text=True,
        timeout=60,
        check=False,
        **{"capture_output": True, "stdin": subprocess.PIPE, **popen},  # type: ignore[call-overload]
    )
    return done


@pytest.fixture
def saved(tmp_path: Path) -> tuple[str, str]:
    files = tmp_path / "a.json", tmp_path / "b.json"
    more = (*GOAPP.calls[1:], Call("getpid", "syscall", "x86_64", 10_007))
    for file, report in zip(files, (GOAPP, replace(GOAPP, calls=more)), strict=True):
        file.write_text(report_json.render(report))
    return str(files[0]), str(files[1])


def test_two_reports_are_compared_on_standard_output(saved: tuple[str, str]) -> None:
    done = systrace(*saved)
    assert "getpid" in done.stdout
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_two_reports_need_no_privilege_and_a_command_does(saved: tuple[str, str]) -> None:
    def without(*arguments: str) -> subprocess.CompletedProcess[str]:
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534"]
        return subprocess.run(
            [*drop, "--clear-groups", sys.executable, "-c", NO_PRIVILEGE, "compare", *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    for file in saved:
        for place in (Path(file), *Path(file).parents[:-2]):
            place.chmod(place.stat().st_mode | 0o555 if place.is_dir() else 0o644)
    done = without(*saved)
    assert (done.returncode, done.stderr) == (0, "")
    assert "getpid" in done.stdout
    refused = without(saved[0], "ls -l /usr")
    assert refused.returncode == 2
    assert refused.stderr.startswith("systrace: needs root to load BPF programs; try:\n  sudo -E ")
    assert refused.stderr.endswith(f" compare {saved[0]} 'ls -l /usr'\n")


def test_files_get_the_format_of_their_ending_and_quiet_drops_the_rest(
    saved: tuple[str, str], tmp_path: Path
) -> None:
    files = tmp_path / "c.json", tmp_path / "c.txt"
    done = systrace("-q", "-o", str(files[0]), "-o", str(files[1]), *saved)
    assert done.stdout == done.stderr == ""
    assert json.loads(files[0].read_text())["schema"] == "systrace.comparison/1"
    assert files[1].read_text() == systrace(*saved).stdout


def test_json_on_standard_output_is_nothing_but_json(saved: tuple[str, str]) -> None:
    document = json.loads(systrace("-F", "json", "-o", "-", *saved).stdout)
    assert [document[side]["label"] for side in "ab"] == list(saved)


def test_all_shows_the_unchanged_rows(saved: tuple[str, str]) -> None:
    assert "rt_sigaction" not in systrace(*saved).stdout
    assert "rt_sigaction" in systrace("--all", *saved).stdout


def test_a_selection_holds_for_reports_too(saved: tuple[str, str]) -> None:
    rows = json.loads(systrace("-F", "json", "-e", "futex,getpid", *saved).stdout)["rows"]
    assert {row["name"] for row in rows} == {"futex", "getpid"}


def test_two_commands_run_ten_times_each(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = systrace("-F", "json", f"sh -c 'echo a >>{log}'", f"sh -c 'echo b >>{log}'")
    assert log.read_text().split() == ["a", "b"] * 10
    document = json.loads(done.stdout)
    assert [len(document[side]["runs"]) for side in "ab"] == [10, 10]
    assert {row["verdict"] for row in document["rows"]} == {"same"}
    assert done.returncode == 0


def test_as_often_as_asked_and_warmed_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = systrace("-r", "2", "--warmup", "1", "-F", "json", f"sh -c 'echo a >>{log}'", "true")
    assert log.read_text().split() == ["a"] * 3
    assert len(json.loads(done.stdout)["a"]["runs"]) == 2


def test_a_report_and_a_command(saved: tuple[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = systrace("-r", "3", "-F", "json", f"sh -c 'echo a >>{log}'", saved[1])
    document = json.loads(done.stdout)
    assert log.read_text().split() == ["a"] * 3
    assert [document[side]["kind"] for side in "ab"] == ["command", "report"]
    assert [len(document[side]["runs"]) for side in "ab"] == [3, 1]


def test_with_and_without_the_vdso(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo a b >>{log}"
    done = systrace("--without-vdso", "-r", "2", "-F", "json", "--", "sh", "-c", script)
    # twice each, and as often again for the time alone
    assert log.read_text().split() == ["a", "b"] * 8
    document = json.loads(done.stdout)
    assert document["totals"]["unprobed_ns"]["factor"] == 8
    assert document["a"]["label"] == f"sh -c '{script}', with its vDSO"


def test_what_commands_write_goes_nowhere_and_they_read_nothing() -> None:
    command = "sh -c 'cat; echo said; echo cried >&2'"
    done = systrace("-r", "1", "-F", "json", command, "true", input="typed", stdin=None)
    assert json.loads(done.stdout)["a"]["label"] == command
    assert done.stderr == ""


def test_shown_output_leaves_standard_output_to_the_comparison() -> None:
    command = "sh -c 'cat; echo said; echo cried >&2'"
    done = systrace(
        "-r", "1", "--show-output", "-F", "json", command, "true", input="typed", stdin=None
    )
    assert done.stderr == "said\ncried\n"
    assert json.loads(done.stdout)["a"]["label"] == command


def test_a_shell_splits_what_it_is_given() -> None:
    done = systrace("-r", "1", "--shell", "--show-output", "echo $((6 * 7)) | cat", "true")
    assert done.stderr == "42\n"


def test_a_command_that_fails_ends_the_comparison(tmp_path: Path) -> None:
    log, file = tmp_path / "log", tmp_path / "out.json"
    done = systrace("-o", str(file), "true", f"sh -c 'echo b >>{log}; exit 7'")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"systrace: sh -c 'echo b >>{log}; exit 7' failed in run 1 of 10: exit 7",
        "--show-output shows what it says; --ignore-failure counts it all the same",
    ]
    assert log.read_text() == "b\n"
    assert not file.exists()


def test_a_failure_may_be_ignored() -> None:
    done = systrace("-r", "2", "--ignore-failure", "false", "true")
    assert "2 runs, exit 1;" in done.stdout
    assert done.returncode == 0


def test_nothing_runs_when_one_command_is_not_found(tmp_path: Path) -> None:
    done = systrace(f"touch {tmp_path}/x", "nosuchcommand")
    assert done.returncode == 2
    assert done.stderr == "systrace: command not found: nosuchcommand\n"
    assert list(tmp_path.iterdir()) == []


def test_nothing_runs_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    done = systrace("-o", f"{tmp_path}/no/c.json", f"touch {tmp_path}/x", "true")
    assert done.returncode == 2
    assert (
        done.stderr == f"systrace: cannot write {tmp_path}/no/c.json: No such file or directory\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_costs_no_other_output(
    saved: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "c.json"
    done = systrace("-o", "/dev/full", "-o", str(file), *saved)
    assert done.returncode == 2
    assert done.stderr == "systrace: cannot write /dev/full: No space left on device\n"
    assert "getpid" in done.stdout
    assert json.loads(file.read_text())


def test_a_reader_that_has_left_is_no_error(saved: tuple[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = systrace(*saved, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_whatever_the_command_made_of_it(name: str, tmp_path: Path) -> None:
    log, file = tmp_path / "log", tmp_path / "out.json"
    number = getattr(signal, name)
    done = systrace(
        "-o", str(file), f"sh -c 'echo a >>{log}'", "true", env={"STOPPED_BY": str(int(number))}
    )
    assert done.returncode == -number
    assert done.stdout == done.stderr == ""
    assert log.read_text() == "a\n"
    assert list(tmp_path.iterdir()) == [log]


def at_a_terminal(*arguments: str) -> str:
    """What appears on a terminal that is standard error; standard output is not."""
    redirected = ">/dev/null"
    shown, status = on_a_terminal("compare", *arguments, shell=redirected, fake=())
    assert status == 0
    return shown


def test_a_bar_shows_how_far_it_is() -> None:
    shown = at_a_terminal("-r", "2", "true", "true")
    assert "  0%" in shown
    assert "100%" in shown


@pytest.mark.parametrize("option", ["-q", "--show-output"])
def test_there_is_no_bar_where_it_would_be_in_the_way(option: str) -> None:
    assert at_a_terminal("-r", "2", option, "true", "true") == ""


def test_there_is_no_bar_for_reports(saved: Sequence[str]) -> None:
    assert at_a_terminal(*saved) == ""


def test_limits_end_it_with_1_and_all_violations_are_told(
    saved: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "c.md"
    limits = ("getpid.count > 10_006", "ring0_calls > +5%", "errors > +5", "futex.count > 28")
    asked = [word for limit in limits for word in ("--fail-if", limit)]
    done = systrace("-o", str(file), *asked, *saved)
    assert done.returncode == 1
    assert "getpid" in done.stdout
    assert [line.partition(",")[0] for line in done.stderr.splitlines()] == [
        "systrace: getpid.count is 10",
        "systrace: ring0_calls is 10",
        "systrace: futex.count is 29",
    ]
    assert "3 of 4 limits violated" in file.read_text()
    held = systrace("--fail-if", "futex.count > +0", *saved)
    assert (held.returncode, held.stderr) == (0, "")


def test_a_budget_is_held_against_b_alone(saved: tuple[str, str], tmp_path: Path) -> None:
    budget = tmp_path / "b.toml"
    calls = "['futex', 'rt_sigaction', 'clock_gettime']"
    budget.write_text(f'schema = "systrace.budget/1"\ncalls = {calls}\n')
    done = systrace("-q", "--budget", str(budget), *saved)
    assert done.returncode == 1
    assert done.stderr.startswith("systrace: new_calls is 10,007 (getpid 10,007), over the limit")
    assert systrace("-q", "--budget", str(budget), *reversed(saved)).returncode == 0


def test_a_limit_on_what_a_selection_left_out_is_no_limit(saved: tuple[str, str]) -> None:
    done = systrace("-q", "-e", "futex", "--fail-if", "openat.count > 5", *saved)
    assert done.returncode == 1
    assert "openat.count is not known: a selection (-e) left it out" in done.stderr
    done = systrace("-q", "-e", "futex,openat", "--fail-if", "openat.count > 5", *saved)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_limited_is_refused_before_anything_runs(tmp_path: Path) -> None:
    for options, said in [
        (("--fail-if", "openat.cuont > 1"), "--fail-if 'openat.cuont > 1', column 8"),
        (("--counts-only", "--fail-if", "write.p99 > 1ms"), "write.p99 cannot be known"),
        (("--vdso", "off", "--fail-if", "time.count > +1"), "time.count cannot be known"),
        (("--budget", f"{tmp_path}/no.toml"), f"cannot read '{tmp_path}/no.toml'"),
    ]:
        done = systrace(*options, f"touch {tmp_path}/x", "true")
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") <= 2
    assert list(tmp_path.iterdir()) == []


def test_several_runs_are_held_to_their_limits_run_by_run() -> None:
    # the fake session makes 29 futex calls in every run
    done = systrace("-q", "-r", "3", "--fail-if", "futex.count > 28", "true", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("systrace: futex.count is 29 (run 1 of 3), over")
    assert systrace("-q", "-r", "3", "--fail-if", "*.count > +0", "true", "true").returncode == 0


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".csv", "row,name,via"),
        (".md", "### "),
        (".prom", "# HELP systrace_comparison_info"),
        (".json", "{"),
        (".txt", "A  "),
    ],
)
def test_every_ending_has_its_format(
    ending: str, begins: str, saved: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / f"c{ending}"
    assert systrace("-q", "-o", str(file), *saved).returncode == 0
    assert file.read_text().startswith(begins)


def test_github_annotations_come_on_standard_output(saved: tuple[str, str]) -> None:
    done = systrace("-F", "github", "--fail-if", "getpid.count > 0", *saved)
    assert done.stdout.startswith("::error title=systrace")
    assert done.returncode == 1


def test_a_dash_is_the_report_on_standard_input(saved: tuple[str, str]) -> None:
    a, b = saved
    with Path(a).open() as text:
        done = systrace("-", b, stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    head, _, rows = done.stdout.partition("\n\n")
    assert head.startswith("A  -: ./goapp\n")
    assert rows == systrace(a, b).stdout.partition("\n\n")[2] != ""
