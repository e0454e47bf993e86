import errno
import subprocess
import sys

import pytest

from systrace import syscalls


@pytest.mark.parametrize(
    ("abi", "nr", "name"),
    [
        ("x86_64", 0, "read"),
        ("x86_64", 20, "writev"),
        ("i386", 20, "getpid"),
        ("i386", 407, "clock_nanosleep_time64"),
        ("x32", 0x40000000 + 39, "getpid"),
        ("x32", 39, "getpid"),
        ("x32", 0x40000000 + 512, "rt_sigaction"),
    ],
)
def test_a_number_is_named_by_its_abi(abi: str, nr: int, name: str) -> None:
    assert syscalls.name(abi, nr) == name


@pytest.mark.parametrize(
    ("abi", "nr", "name"),
    [
        ("x86_64", 9999, "syscall_9999"),
        ("x86_64", -1, "syscall_-1"),
        ("x32", -1, "syscall_-1"),
        ("x32", 0x40000000 + 9999, "syscall_9999"),
        # On x86_64 bit 30 is part of a number that does not exist.
        ("x86_64", 0x40000000, "syscall_1073741824"),
    ],
)
def test_an_unknown_number_is_shown_and_not_dropped(abi: str, nr: int, name: str) -> None:
    assert syscalls.name(abi, nr) == name


@pytest.mark.parametrize("abi", syscalls.ABIS)
def test_numbers_and_names_are_each_others_inverse(abi: str) -> None:
    numbers = syscalls.numbers(abi)
    assert len(numbers) > 300
    assert all(syscalls.name(abi, nr) == name for name, nr in numbers.items())
    assert max(numbers.values()) < 2000


def test_an_abi_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such ABI: 'vax'"):
        syscalls.name("vax", 1)


def test_a_name_is_known_if_any_abi_has_it() -> None:
    assert syscalls.is_known("openat")
    assert syscalls.is_known("socketcall")
    assert not syscalls.is_known("opennat")
    assert not syscalls.is_known("syscall_9999")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("syscall_9999", 9999),
        ("syscall_-1", -1),
        ("syscall_0", 0),
        ("syscall_07", None),
        ("syscall_", None),
        ("read", None),
        ("syscall_" + "9" * 5000, None),
    ],
)
def test_the_number_of_an_unnamed_call_is_read_back(name: str, number: int | None) -> None:
    assert syscalls.unnamed_number(name) == number


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.ENOENT, "ENOENT"),
        (errno.EAGAIN, "EAGAIN"),
        (errno.EDEADLK, "EDEADLK"),
        (errno.EOPNOTSUPP, "EOPNOTSUPP"),
        (133, "EHWPOISON"),
        (512, "ERESTARTSYS"),
        (524, "ENOTSUPP"),
        (4095, "errno 4095"),
        (0, "errno 0"),
    ],
)
def test_an_errno_has_the_name_that_strace_shows(number: int, name: str) -> None:
    assert syscalls.errno_name(number) == name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (15, "SIGTERM"),
        (6, "SIGABRT"),
        (17, "SIGCHLD"),
        (29, "SIGIO"),
        (32, "SIG32"),
        (34, "SIGRTMIN"),
        (37, "SIGRTMIN+3"),
        (64, "SIGRTMAX"),
    ],
)
def test_a_signal_is_named_and_its_name_read_back(number: int, name: str) -> None:
    assert syscalls.signal_name(number) == name
    assert syscalls.signal_number(name) == number


@pytest.mark.parametrize(
    "name", ["", "TERM", "SIGNOPE", "SIG15", "SIGRTMIN+0", "SIGRTMIN+30", "SIGRTMIN+99", "SIG_DFL"]
)
def test_what_is_no_signal_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no such signal"):
        syscalls.signal_number(name)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, systrace.syscalls, systrace.selection, systrace.saved\n"
        "import systrace.render.table, systrace.render.json, systrace.render.units\n"
        "print(*{'system_calls', 'tabulate', 'jsonschema'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.split() == []
