"""A number means a call only together with its table, and an unknown one is a row all the same."""

from collections.abc import Callable

import pytest

from .tracing import Traced, Tracer

pytestmark = pytest.mark.exact

Build = Callable[..., str]


@pytest.fixture
def numbers(trace: Tracer, build: Build) -> Traced:
    traced = trace(build("numbers"))
    assert traced.process.returncode == 0
    return traced


def test_an_unknown_number_is_a_row_of_its_own(numbers: Traced) -> None:
    row = numbers.row("syscall_9999")
    assert (row["count"], row["errors"]) == (11, {"ENOSYS": 11})


def test_a_negative_number_is_a_row_of_its_own(numbers: Traced) -> None:
    row = numbers.row("syscall_-1")
    assert (row["count"], row["errors"]) == (13, {"ENOSYS": 13})
    assert numbers.row("syscall_-5")["count"] == 7


def test_a_number_of_x32_is_named_by_its_table(numbers: Traced) -> None:
    assert numbers.row("getpid", abi="x32")["count"] == 17


def test_a_64_bit_program_that_enters_as_i386_is_named_by_that_table(numbers: Traced) -> None:
    row = numbers.row("getpid", abi="i386")
    assert (row["count"], row["errors"], row["unfinished"]) == (1_013, {}, 0)
    assert ("writev", "syscall", "x86_64") not in numbers.rows


def test_a_32_bit_program_is_counted_and_its_vdso_calls_are_said_to_be_missing(
    trace: Tracer, build: Build
) -> None:
    traced = trace(build("thirty_two", "-m32"))
    assert traced.process.returncode == 0
    assert traced.row("getppid", abi="i386")["count"] == 1_013
    assert traced.row("getppid", abi="i386")["via"] == "syscall"
    # its execve was made by systrace's child, which is a 64-bit process
    assert {abi for name, _, abi in traced.rows if name != "execve"} == {"i386"}
    assert any("32-bit" in warning for warning in traced.warnings)
