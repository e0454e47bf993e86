"""Limits and budgets under run and attach, held against programs whose calls are known."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .tracing import HANGS_S, SYSTRACE, Tracer, example

Ended = tuple[int, list[str]]

# Its openat calls are the same in every run, and of the rest no two runs agree.
OPEN_FILES = example("open_files")


def ended(*arguments: str) -> Ended:
    """Exit status, and what systrace said: nothing else is on standard error with -q."""
    done = subprocess.run(
        [str(SYSTRACE), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=HANGS_S,
    )
    return done.returncode, done.stderr.splitlines()


def run(*arguments: str) -> Ended:
    return ended("run", "-q", *arguments)


def fail_if(*limits: str) -> list[str]:
    return [word for limit in limits for word in ("--fail-if", limit)]


def test_a_program_that_stays_within_its_limits_ends_as_it_would() -> None:
    limits = fail_if("getppid.count > 1009", "getppid.count < 1009", "*.filtered > 0", "lost > 0")
    assert run(*limits, example("getppid"), "1009") == (0, [])


def test_one_call_too_many_ends_with_1_and_all_violations_are_told() -> None:
    limits = ("getppid.count > 8", "processes > 1", "processes != 2")
    assert run(*fail_if(*limits), example("getppid"), "1009") == (
        1,
        [
            "systrace: getppid.count is 1,009, over the limit of 8 (--fail-if 'getppid.count > 8')",
            "systrace: processes is 1, and has to be 2 (--fail-if 'processes != 2')",
        ],
    )
    assert run(*fail_if("getppid.count > 1008"), example("getppid"), "1009")[0] == 1


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", -15)])
def test_a_program_that_fails_keeps_its_own_ending(script: str, status: int) -> None:
    found, said = run(*fail_if("ring0_calls > 0"), "sh", "-c", script)
    assert found == status
    assert "over the limit of 0" in said[0]


def test_limits_hold_for_children_too() -> None:
    script = f"{example('getppid')} 1009; {example('getppid')} 1013"
    assert run(*fail_if("execve.count > 3", "getppid.count < 2022"), "sh", "-c", script)[0] == 0
    assert run(*fail_if("execve.count > 2"), "sh", "-c", script)[0] == 1


def test_nothing_starts_when_a_limit_could_hold_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    for options in (
        fail_if("write.p99 > "),
        ["--counts-only", *fail_if("write.p99 > 1ms")],
        ["--vdso", "off", *fail_if("clock_gettime.count > 1")],
        ["-e", "read", *fail_if("write.count > 1")],
        fail_if("write.count > +5%"),
        ["--budget", str(tmp_path / "absent.toml")],
    ):
        status, said = run(*options, "touch", str(started))
        assert status == 125
        assert said
    assert not started.exists()


def test_a_ring_change_is_caught_though_the_count_stays() -> None:
    limits = fail_if("clock_gettime.ring0_calls > 0")
    assert run(*limits, example("time_now"), "1009") == (0, [])
    status, said = run(*limits, example("raw_clock"), "1009")
    assert status == 1
    assert said[0].startswith("systrace: clock_gettime.ring0_calls is 1,")
    status, said = run("--without-vdso", *limits, example("time_now"), "1009")
    assert status == 1
    assert said[0].startswith("systrace: clock_gettime.ring0_calls is 2,")


def test_calls_that_no_breakpoint_is_left_for_hold_no_limit() -> None:
    limits = fail_if("getcpu.count > 100_000", "time.count > 100_000", "getcpu.ring0_calls > 0")
    status, said = run("--vdso", "breakpoint", *limits, example("vdso_all"))
    assert (status, len(said)) == (1, 3)
    assert all(line.startswith("systrace: note: the report warns: ") for line in said[:2])
    assert said[2] == (
        "systrace: getcpu.count is not known: vDSO calls of getcpu were not counted "
        "(--fail-if 'getcpu.count > 100_000')"
    )


def test_a_program_whose_vdso_nobody_can_count_holds_no_limit_on_it(
    build: Callable[..., str],
) -> None:
    limits = fail_if("clock_gettime.count > 10_000_000", "write.count > 10_000")
    status, said = run(*limits, build("clocks", "-m32"))
    assert (status, len(said)) == (1, 2)
    assert said[1] == (
        "systrace: clock_gettime.count is not known: vDSO calls were not counted "
        "(--fail-if 'clock_gettime.count > 10_000_000')"
    )


def test_one_such_program_among_others_is_enough(build: Callable[..., str]) -> None:
    limits = fail_if("time.count > 10_000_000")
    status, said = run(*limits, "sh", "-c", f"{build('clocks', '-m32')}; true")
    assert (status, len(said)) == (1, 2)
    assert said[1] == (
        "systrace: time.count is not known: vDSO calls of some program were not counted "
        "(--fail-if 'time.count > 10_000_000')"
    )


def test_a_report_says_which_calls_were_selected(trace: Tracer) -> None:
    report = trace("true", options=("-e", "!execve,!brk")).report
    assert report["selection"] == {"names": ["brk", "execve"], "negated": True}
    assert "selection" not in trace("true").report


def test_what_is_attached_to_is_held_to_limits() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        attach = ("attach", "-q", "-d", "300ms", str(sleeper.pid))
        try:
            status, said = ended(*attach, *fail_if("ring0_calls > 1000", "openat.count > 0"))
            assert (status, len(said)) == (0, 2)
            status, said = ended(*attach, *fail_if("elapsed > 10ms"))
            assert status == 1
            assert said[-1].startswith("systrace: elapsed is ")
        finally:
            sleeper.kill()


def test_a_budget_of_a_few_go_runs_holds_and_finds_one_more_openat(tmp_path: Path) -> None:
    """The long form: ten reports, and the next 100 runs hold."""
    reports = [str(tmp_path / f"{number}.json") for number in range(4)]
    for report in reports:
        assert run("-o", report, OPEN_FILES, "13") == (0, [])
    budget = tmp_path / "budget.toml"
    assert ended("budget", "-o", str(budget), *reports)[0] == 0
    for _ in range(4):
        assert run("--budget", str(budget), OPEN_FILES, "13") == (0, [])
    opened = next(
        row["count"]
        for row in json.loads(Path(reports[0]).read_text())["calls"]
        if row["name"] == "openat"
    )
    status, said = run("--budget", str(budget), OPEN_FILES, "14")
    assert status == 1
    over = f"openat.count is {opened + 1}, over the limit of {opened}"
    assert f"systrace: {over} ({budget}: openat.count > {opened})" in said


def test_a_budget_of_one_program_is_exceeded_by_the_new_call_of_another(tmp_path: Path) -> None:
    report, budget = tmp_path / "r.json", tmp_path / "b.toml"
    assert run("-o", str(report), "sh", "-c", ":") == (0, [])
    assert ended("budget", "-o", str(budget), str(report))[0] == 0
    assert run("--budget", str(budget), "sh", "-c", ":") == (0, [])
    status, said = run("--budget", str(budget), "sh", "-c", "cd /")
    assert status == 1
    assert f"systrace: new_calls is 1 (chdir 1), over the limit of 0 ({budget}: calls)" in said
