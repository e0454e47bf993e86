"""What stands above and below the table: the headline, the verdict, what to know of the counts."""

import re
from dataclasses import replace

import pytest

from systrace.report import Attached, Call, Exit, Machine, Probes, Process, Report, Times

from .tables import read, stayed, table, with_calls


@pytest.mark.parametrize(
    ("ring3", "ring0", "vdso", "verdict"),
    [
        (2, 155, "patch", "2 calls stayed in ring 3; 155 entered ring 0."),
        (1, 1, "patch", "1 call stayed in ring 3; 1 entered ring 0."),
        (0, 155, "patch", "No call stayed in ring 3; 155 entered ring 0."),
        (5, 0, "patch", "5 calls stayed in ring 3; none entered ring 0."),
        (0, 0, "patch", "No call was counted."),
        (
            0,
            155,
            "off",
            "155 calls entered ring 0; vDSO calls were not counted (--vdso off).",
        ),
        (0, 1, "off", "1 call entered ring 0; vDSO calls were not counted (--vdso off)."),
        (0, 0, "off", "No call entered ring 0; vDSO calls were not counted (--vdso off)."),
        (0, 155, "none", "155 calls entered ring 0; the target has no vDSO."),
        # Some process had one, whatever the last one had.
        (3, 155, "none", "3 calls stayed in ring 3; 155 entered ring 0."),
    ],
)
def test_the_verdict_is_good_english_and_claims_nothing_uncounted(
    goapp: Report, ring3: int, ring0: int, vdso: str, verdict: str
) -> None:
    report = replace(
        with_calls(goapp, stayed(ring3), read(ring0)), probes=Probes("raw_tracepoint", vdso)
    )
    assert table(report).splitlines()[-1] == verdict
    row = next(line for line in table(report).splitlines() if line.startswith("stayed"))
    assert row.split()[-1] == ("-" if vdso == "off" and not ring3 else str(ring3))


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Exit(code=3), "exit 3"),
        (Exit(signal=15), "killed by SIGTERM"),
        (Exit(), "still running"),
    ],
)
def test_the_headline_says_how_the_target_ended(goapp: Report, ended: Exit, words: str) -> None:
    text = table(replace(goapp, exit=ended), width=90)
    assert text.startswith(f"./goapp: {words}, 67.2 ms, 1 process,")


def test_an_interval_in_which_nobody_began_does_not_say_that_nobody_ran(goapp: Report) -> None:
    interval = replace(goapp, exit=Exit(), since_ns=0, process_count=0)
    said = "./goapp: still running, 67.2 ms"
    assert table(interval).startswith(f"{said}, 4 threads; clocksource tsc; lost 0\n")
    assert table(replace(interval, thread_count=0)).startswith(f"{said}; clocksource tsc; ")
    whole = table(replace(interval, thread_count=0, since_ns=None))
    assert whole.startswith(f"{said}, 0 processes, 0 threads; ")


def test_a_long_command_has_its_own_line_and_a_hostile_one_is_inert(goapp: Report) -> None:
    lines = table(replace(goapp, command=("./goapp", "x" * 200))).splitlines()
    assert lines[:3] == [
        f"./goapp {'x' * 68}...:",
        "exit 0, 67.2 ms, 1 process, 4 threads; clocksource tsc; lost 0",
        "",
    ]
    hostile = table(replace(goapp, command=("a\x1b[2J\nb", "\u202e", "c d")))
    assert hostile.startswith(r"'a\x1b[2J\nb' '")


def test_without_a_command_the_headline_names_processes(goapp: Report) -> None:
    processes = tuple(Process(pid, 1, "nginx") for pid in range(1, 7))
    named = replace(goapp, command=(), processes=processes[:1], exit=Exit())
    assert table(named).startswith("nginx (1): still running, ")
    many = replace(named, processes=processes)
    assert table(many).startswith(
        "nginx (1), nginx (2), nginx (3), nginx (4) and 2 more:\nstill running, "
    )
    assert table(replace(named, processes=())).startswith("attached: still running, ")
    attached = replace(many, attached=(Attached(7, "ba\x1bsh"),))
    assert table(attached).startswith(r"ba\x1bsh (7):")


def fallback(count: int, name: str = "clock_gettime", **clocks: int) -> Call:
    return Call(name, "vdso-fallback", "x86_64", count, by_clock=clocks)


@pytest.mark.parametrize(
    ("call", "clocksource", "notes"),
    [
        (
            fallback(1, CLOCK_THREAD_CPUTIME_ID=1),
            "tsc",
            ["clock_gettime fell back once: CPU-time clocks always need the kernel."],
        ),
        (
            fallback(1_500, CLOCK_MONOTONIC=1_500),
            "hpet",
            ["clock_gettime fell back 1,500 times: clocksource hpet cannot be read in ring 3."],
        ),
        (
            fallback(5, "gettimeofday"),
            "acpi_pm",
            ["gettimeofday fell back 5 times: clocksource acpi_pm cannot be read in ring 3."],
        ),
        (
            fallback(5, "getrandom"),
            "hpet",
            ["getrandom fell back 5 times: the vDSO left it to the kernel."],
        ),
        (
            fallback(2, CLOCK_MONOTONIC=2),
            "kvm-clock",
            ["clock_gettime fell back 2 times: the vDSO left it to the kernel."],
        ),
        (
            fallback(9, CLOCK_PROCESS_CPUTIME_ID=2, CLOCK_MONOTONIC=3, CLOCK_REALTIME_ALARM=4),
            "hpet",
            [
                "clock_gettime fell back 2 times: CPU-time clocks always need the kernel.",
                "clock_gettime fell back 3 times: clocksource hpet cannot be read in ring 3.",
                "clock_gettime fell back 4 times: the vDSO left it to the kernel.",
            ],
        ),
    ],
)
def test_a_fallback_is_explained_as_far_as_it_can_be(
    goapp: Report, call: Call, clocksource: str, notes: list[str]
) -> None:
    machine = Machine("6.18", "x86_64", 2, clocksource)
    text = table(replace(with_calls(goapp, call), machine=machine))
    assert [line for line in text.splitlines() if "fell back" in line] == notes


def test_many_errors_take_three_lines_and_the_rest_is_counted(goapp: Report) -> None:
    errors = {f"E{number:03}": 1_000 - number for number in range(200)}
    lines = table(with_calls(goapp, read(10_000_000, errors=errors))).splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("Errors:"))
    assert lines[first].startswith("Errors: read E000 1,000, read E001 999, ")
    listed = " ".join(lines[first : first + 3])
    more = re.search(r", and ([0-9]+) more\.$", listed)
    assert more
    assert listed.count("read") + int(more[1]) == 200
    assert listed.count("read") >= 12
    assert len(lines) == first + 3


def test_calls_that_did_not_return_are_named_unless_they_never_do(goapp: Report) -> None:
    leaving = Call("exit_group", "syscall", "x86_64", 1, unfinished=1)
    text = table(with_calls(goapp, leaving, read(5, unfinished=2, filtered=3)))
    words = " ".join(text.split())
    assert "Unfinished at the end: read 2. Answered by a seccomp filter" in words
    assert words.endswith("not counted: read 3.")
    assert "Unfinished" not in table(with_calls(goapp, leaving))


def test_lost_calls_are_loud(goapp: Report) -> None:
    text = table(replace(goapp, lost=1_234), colour=True)
    assert "; lost 1,234" in text
    assert "\x1b[1;31mLOST: up to 1,234 calls missing from these counts.\x1b[0m" in text
    assert "LOST" not in table(goapp)


def test_warnings_and_selections_are_said(goapp: Report) -> None:
    text = table(replace(goapp, warnings=("odd\x1b[2J " + "w" * 100,), selected=True))
    assert "\nWarning: odd\\x1b[2J\nwww" in text
    assert "\nA selection (-e) left calls out: the totals are of the selected calls.\n" in text
    assert "selection" not in table(goapp)


def test_children_that_were_left_out_are_said_to_be(goapp: Report) -> None:
    said = "\nChildren were left out (--no-follow).\n"
    assert said in table(replace(goapp, without_children=True))
    assert said not in table(goapp)


def test_times_that_are_all_estimated_are_said_to_be(goapp: Report) -> None:
    only = Call("time", "vdso", "x86_64", 5, times=Times(100, 20.0, estimated=True))
    assert table(with_calls(goapp, only)).endswith("\nTimes marked ~ are estimated.\n")


def test_no_vdso_call_is_no_0_where_some_were_not_counted(goapp: Report) -> None:
    report = replace(with_calls(goapp, read(155)), incomplete=("vdso",))
    assert table(report).splitlines()[-1] == (
        "155 calls entered ring 0; not all vDSO calls were counted."
    )
    row = next(line for line in table(report).splitlines() if line.startswith("stayed"))
    assert row.split()[-1] == "-"


def test_where_not_all_were_counted_no_number_of_vdso_calls_is_said_to_be_exact(
    goapp: Report,
) -> None:
    report = replace(with_calls(goapp, stayed(50), read(155)), incomplete=("vdso",))
    assert table(report).splitlines()[-1] == (
        "50 calls stayed in ring 3 (not exact: see the warnings); 155 entered ring 0."
    )


def test_processes_that_were_attached_to_and_have_ended_are_not_running(goapp: Report) -> None:
    # the first one before all were attached to
    one, other = (Process(pid, 1, "sleep", ended_ns=end) for pid, end in ((3, 0), (4, 5)))
    ended = replace(goapp, command=(), processes=(one, other), exit=Exit())
    assert table(ended).startswith("sleep (3), sleep (4):\nended, ")
    assert table(replace(ended, processes=(one, replace(other, ended_ns=None)))).startswith(
        "sleep (3), sleep (4):\nstill running, "
    )


def test_times_say_that_systrace_prepares_what_is_started(goapp: Report) -> None:
    times = next(one.times for one in goapp.calls if one.times and not one.times.estimated)
    timed = replace(read(7), times=times)
    execve = replace(timed, name="execve", count=2)
    said = "where a program is started, with systrace's preparing of it"
    assert said in " ".join(table(with_calls(goapp, timed, execve)).split())
    assert said not in " ".join(table(with_calls(goapp, timed, replace(execve, count=1))).split())


def test_where_some_functions_were_left_out_no_counted_call_is_what_stayed(goapp: Report) -> None:
    report = replace(with_calls(goapp, read(155)), incomplete=("vdso getcpu",))
    said = "No counted call stayed in ring 3; 155 entered ring 0."
    assert table(report).splitlines()[-1] == said
    report = replace(report, calls=(stayed(3), read(155)))
    assert table(report).splitlines()[-1] == "3 calls stayed in ring 3; 155 entered ring 0."
    errors = replace(with_calls(goapp, read(155)), incomplete=("errors",))
    assert table(errors).splitlines()[-1] == "No call stayed in ring 3; 155 entered ring 0."
