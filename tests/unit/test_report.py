"""What a report answers to a test that asserts on calls."""

from dataclasses import replace

import pytest

from systrace.options import Selection
from systrace.report import Call, Probes, Report


def test_a_call_is_counted_over_all_its_rows_or_over_those_that_are_named(goapp: Report) -> None:
    assert goapp.count("clock_gettime") == 2_000_152 + 12
    assert goapp.count("clock_gettime", ring="3") == 2_000_152
    assert goapp.count("clock_gettime", ring="3->0") == 12
    assert goapp.count("clock_gettime", via="vdso-fallback") == 12
    assert goapp.count("clock_gettime", via="vdso", ring="3->0") == 0
    assert goapp.count("futex", abi="x86_64") == 29
    assert goapp.count("futex", abi="i386") == 0


def test_a_call_that_was_not_made_counts_0(goapp: Report) -> None:
    assert goapp.count("openat") == goapp.count("syscall_9999") == goapp.count("getcpu") == 0


def test_the_rings_are_summed(goapp: Report) -> None:
    assert goapp.ring3_calls == 2_000_152
    assert goapp.ring0_calls == 155


def test_a_name_that_no_call_has_is_refused_for_it_would_always_count_0(goapp: Report) -> None:
    with pytest.raises(ValueError, match="no call is named 'opneat'; did you mean 'openat'"):
        goapp.count("opneat")
    with pytest.raises(ValueError, match=r"no call is named 'zzzzzzzz'$"):
        goapp.count("zzzzzzzz")
    odd = replace(goapp, calls=(Call("of_a_later_kernel", "syscall", "x86_64", 4),))
    assert odd.count("of_a_later_kernel") == 4


@pytest.mark.parametrize("vdso", ["off", "uncounted"])
def test_what_was_not_counted_is_refused_and_not_0(goapp: Report, vdso: str) -> None:
    report = replace(goapp, calls=goapp.calls[1:], probes=Probes("raw_tracepoint", vdso))
    said = f"calls of {{}} were not all counted: those of the vDSO are {vdso}"
    with pytest.raises(ValueError, match=said.format("ring 3")):
        _ = report.ring3_calls
    for how in ({}, {"ring": "3"}, {"via": "vdso"}):
        with pytest.raises(ValueError, match=said.format("clock_gettime")):
            report.count("clock_gettime", **how)  # type: ignore[arg-type]  # literals
    assert report.count("clock_gettime", ring="3->0") == 12
    assert report.count("futex") == 29
    assert report.ring0_calls == 155


@pytest.mark.parametrize("incomplete", ["vdso", "vdso getcpu"])
def test_what_some_program_made_uncounted_is_refused_and_no_lower_bound(
    goapp: Report, incomplete: str
) -> None:
    report = replace(goapp, incomplete=(incomplete,), warnings=("a 32-bit program", "more"))
    for how in ({}, {"ring": "3"}, {"via": "vdso"}):
        with pytest.raises(
            ValueError, match="getcpu were not counted exactly: a 32-bit program; more"
        ):
            report.count("getcpu", **how)  # type: ignore[arg-type]  # literals
    assert report.count("clock_gettime", ring="3->0") == 12
    if incomplete != "vdso":
        assert report.count("clock_gettime", ring="3") == 2_000_152


@pytest.mark.parametrize("incomplete", ["threads", "unknown"])
def test_where_some_threads_were_not_counted_no_call_is(goapp: Report, incomplete: str) -> None:
    why = "3 threads were not followed: too many at once; their calls are missing"
    report = replace(goapp, incomplete=(incomplete,), warnings=(why,))
    with pytest.raises(ValueError, match=f"^calls of openat were not counted exactly: {why}$"):
        report.count("openat")
    with pytest.raises(ValueError, match=f"^calls of ring 0 were not counted exactly: {why}$"):
        assert report.ring0_calls
    with pytest.raises(ValueError, match=f"^calls of ring 3 were not counted exactly: {why}$"):
        assert report.ring3_calls


def test_where_some_calls_were_lost_none_is_counted_exactly(goapp: Report) -> None:
    report = replace(goapp, lost=1_009)
    why = "calls of openat were not counted exactly: up to 1,009 are missing"
    with pytest.raises(ValueError, match=f"^{why}$"):
        report.count("openat")


def test_ring_3_is_not_counted_where_one_of_its_functions_is_not(goapp: Report) -> None:
    why = "vDSO calls of getcpu were not counted: a CPU has 4 breakpoints"
    report = replace(goapp, incomplete=("vdso getcpu",), warnings=(why,))
    assert report.ring0_calls
    with pytest.raises(ValueError, match=f"^calls of ring 3 were not counted exactly: {why}$"):
        assert report.ring3_calls


def test_errors_that_were_not_kept_leave_the_counts_exact(goapp: Report) -> None:
    report = replace(goapp, incomplete=("errors",), warnings=("3 errors were not kept",))
    assert report.ring3_calls == goapp.ring3_calls
    assert report.ring0_calls == goapp.ring0_calls
    assert report.count("openat") == goapp.count("openat")


def test_the_warnings_that_are_quoted_are_those_that_say_why(goapp: Report) -> None:
    slow = "each vDSO call that a breakpoint counts takes 9.5 us longer"
    left_out = "vDSO calls of clock_getres, getcpu were not counted: a CPU has 4 breakpoints"
    missed = "vDSO calls of 2 programs were not counted: they are 32-bit"
    of_names = replace(
        goapp,
        incomplete=("vdso clock_getres", "vdso getcpu"),
        warnings=(slow, missed, left_out),
    )
    with pytest.raises(ValueError, match=f"^calls of getcpu were not counted exactly: {left_out}$"):
        of_names.count("getcpu")
    of_programs = replace(goapp, incomplete=("vdso",), warnings=(slow, missed))
    with pytest.raises(ValueError, match=f"^calls of time were not counted exactly: {missed}$"):
        of_programs.count("time")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"ring": "0"}, "no ring is '0': there are 3, 3->0"),
        ({"via": "sycall"}, "no via is 'sycall': there are vdso, vdso-fallback, syscall, vsyscall"),
        ({"abi": "x86"}, "no ABI is 'x86': there are x86_64, i386, x32"),
    ],
)
def test_a_word_that_no_call_has_is_refused_for_it_would_always_count_0(
    goapp: Report, how: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        goapp.count("clock_gettime", **how)  # type: ignore[arg-type]  # not such literals


@pytest.mark.parametrize("vdso", ["none", "removed", "patch"])
def test_without_a_vdso_0_is_a_count(goapp: Report, vdso: str) -> None:
    report = replace(goapp, calls=goapp.calls[1:], probes=Probes("raw_tracepoint", vdso))
    assert report.ring3_calls == report.count("clock_gettime", ring="3") == 0


def test_what_a_selection_left_out_is_refused_and_not_0(goapp: Report) -> None:
    selected = replace(goapp, selected=True, selection=Selection(frozenset({"futex"})))
    assert selected.count("futex") == 29
    with pytest.raises(ValueError, match="openat was not counted: the selection"):
        selected.count("openat")
