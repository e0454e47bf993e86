"""-P in the table: each process under a heading of its own, those with the most calls first."""

from dataclasses import replace
from typing import Any

import pytest

from systrace.options import TableOptions
from systrace.render.table import render
from systrace.report import Call, Exit, Probes, Process, Report, Times


def process(pid: int, calls: int, **more: object) -> Process:
    own = (
        Call("clock_gettime", "vdso", "x86_64", calls - 1),
        Call("close", "syscall", "x86_64", 1, errors={"EBADF": 1}, times=Times(1_000, 1_000)),
    )
    made = Process(pid, 1, "worker", own, pid, 1_000_000, 6_000_000, Exit(code=0))
    return replace(made, **more)  # type: ignore[arg-type]


def lines(report: Report, *processes: Process, top: int | None = None) -> list[str]:
    options = TableOptions(width=80, top=top)
    return render(replace(report, processes=processes), options).splitlines()


def test_a_process_has_a_heading_and_its_rows(goapp: Report) -> None:
    shown = lines(goapp, process(7, 1_013))
    assert shown[:5] == [
        "call          calls via     ring errs   total",
        "",
        "7 worker, child of 1: exit 0, 5.00 ms; 1,012 in ring 3, 1 in ring 0",
        "clock_gettime 1,012 vdso    3       -       -",
        "close             1 syscall 3->0    1 1.00 us",
    ]
    assert shown[6:] == lines(goapp)


def test_the_most_calls_come_first_and_then_the_earliest(goapp: Report) -> None:
    same = process(8, 11, started_ns=0)
    shown = lines(goapp, process(7, 11), process(9, 13), same)
    headings = [line.split()[0] for line in shown if "in ring 3," in line]
    assert headings == ["9", "8", "7"]


def test_beyond_twenty_they_are_left_out_and_it_is_said(goapp: Report) -> None:
    shown = lines(goapp, *(process(pid, 100 - pid) for pid in range(1, 24)))
    assert sum("in ring 3," in line for line in shown) == 20
    (said,) = (line for line in shown if line.startswith("Left out: "))
    assert said.startswith("Left out: 3 processes with 234 calls; a JSON report")


def test_top_is_rows_of_each(goapp: Report) -> None:
    shown = lines(goapp, process(7, 1_013), top=1)
    assert shown[3:5] == ["clock_gettime 1,012 vdso 3       -     -", ""]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ppid": 0}, "7 worker: exit 0"),
        ({"pid_in_namespace": 2}, "7 worker (2 in its pid namespace), child of 1: exit 0"),
        ({"exit": Exit(signal=9)}, "7 worker, child of 1: killed by SIGKILL, 5.00 ms"),
        ({"exit": Exit(), "ended_ns": None}, "7 worker, child of 1: still running; "),
        ({"comm": "a\x1b[2Jb\n"}, r"7 a\x1b[2Jb\n, child of 1: exit 0"),
    ],
)
def test_the_heading_says_what_became_of_it(
    goapp: Report, changes: dict[str, object], said: str
) -> None:
    assert lines(goapp, process(7, 11, **changes))[2].startswith(said)


@pytest.mark.parametrize(
    "changes",
    [
        {"probes": Probes("tp_btf", "off")},
        {"probes": Probes("tp_btf", "uncounted")},
        {"incomplete": ("vdso",)},
    ],
)
def test_no_vdso_call_of_a_process_is_no_0_where_nobody_counted_them(
    goapp: Report, changes: dict[str, Any]
) -> None:
    report = replace(goapp, **changes)
    some = process(7, 9)
    none = replace(some, calls=some.calls[1:])
    assert "; - in ring 3, 1 in ring 0" in lines(report, none)[2]
    assert "; 8 in ring 3, 1 in ring 0" in lines(report, some)[2]
    assert "; 0 in ring 3, 1 in ring 0" in lines(goapp, none)[2]


def test_where_counts_were_not_kept_by_process_there_is_no_such_table(goapp: Report) -> None:
    listed = Process(7, 1, "worker", (), 7, 0, 5, Exit(code=0))
    assert lines(goapp, listed) == lines(goapp)
