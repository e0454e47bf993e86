import re
import shutil
import subprocess

import pytest

from systrace import syscalls
from systrace.errors import UsageError
from systrace.selection import parse
from systrace.syscall_classes import classes


def selected(*expressions: str) -> set[str]:
    selection = parse(expressions)
    return {name for name in syscalls.names() | {"syscall_9999"} if selection.admits(name)}


EVERY_NAME = selected("all")


def test_names_classes_and_exceptions_stand_in_one_list() -> None:
    found = selected("openat,%network,!sendto")
    assert {"openat", "socket", "recvfrom"} <= found
    assert not {"sendto", "read"} & found


def test_an_exception_takes_out_only_what_stands_before_it() -> None:
    assert selected("!futex,read") == EVERY_NAME - {"futex", "read"}
    assert "futex" in selected("read,!futex,futex")
    assert "futex" not in selected("futex,read,!futex")


def test_a_second_exclamation_mark_in_a_negated_list_says_nothing_new() -> None:
    assert selected("!futex,!read") == selected("!futex,read")


@pytest.mark.parametrize("prefix", ["trace=", "t=", " trace = "])
def test_trace_may_be_written_in_front(prefix: str) -> None:
    assert selected(prefix + "read,write") == {"read", "write"}
    assert selected(prefix + "!read") == EVERY_NAME - {"read"}


def test_all_and_none_and_their_negations() -> None:
    assert "syscall_9999" in EVERY_NAME
    assert selected("none") == set()
    assert selected("!all") == set()
    assert selected("!none") == EVERY_NAME
    assert selected("all,!futex") == EVERY_NAME - {"futex"}
    assert selected("all,!futex,futex") == EVERY_NAME
    assert selected("read,!all") == set()
    assert selected("read,all") == EVERY_NAME
    assert selected("all,!futex,all") == EVERY_NAME


def test_the_last_of_several_expressions_counts() -> None:
    assert selected("read", "write") == {"write"}


def test_without_an_expression_every_call_is_counted() -> None:
    assert selected() == EVERY_NAME


def test_spaces_and_empty_elements_mean_nothing() -> None:
    assert selected(" read , ,write,") == {"read", "write"}


def test_a_regular_expression_is_searched_for_in_every_name() -> None:
    assert selected("/^io_uring_") == {"io_uring_enter", "io_uring_register", "io_uring_setup"}
    assert selected("/read,!/dir") >= {"read", "pread64", "readv"}
    assert "readdir" not in selected("/read,!/dir")


def test_a_question_mark_forgives_an_unknown_name() -> None:
    assert selected("?opennat,read") == {"read"}
    assert selected("?read,?%nope,?/nope") == {"read"}


def test_an_unnamed_number_is_selected_as_it_is_shown() -> None:
    assert selected("syscall_9999") == {"syscall_9999"}


def test_a_name_that_is_also_a_class_is_the_call() -> None:
    assert selected("stat") == {"stat"}
    assert selected("fstat,statfs") == {"fstat", "statfs"}


@pytest.mark.parametrize("name", ["clock_gettime", "gettimeofday", "time", "getcpu", "getrandom"])
def test_functions_of_the_vdso_are_selected_by_the_names_of_their_calls(name: str) -> None:
    assert selected(name) == {name}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("opennat", "-e: there is no call 'opennat'; did you mean 'openat'?"),
        ("open*", "-e: there is no call 'open*'; did you mean '/^open'?"),
        (f"o{'*?' * 99}z", f"-e: there is no call 'o{'*?' * 99}z'"),
        ("**stat?4", "-e: there is no call '**stat?4'; did you mean '/^.*stat.4$'?"),
        ("netwrk", "-e: there is no call 'netwrk'; did you mean '%network'?"),
        ("zzzzzzzz", "-e: there is no call 'zzzzzzzz'"),
        ("%netwrk", "-e: there is no class '%netwrk'; did you mean '%network'?"),
        ("file", "-e: 'file' is a class; write '%file'"),
        ("open@64", "-e: a name is selected on every ABI; instead of 'open@64' write 'open'"),
        ("/nope", "-e: no call matches '/nope'"),
        ("", "-e: no call is named in ''; 'none' selects none"),
        ("!", "-e: no call is named in '!'; 'none' selects none"),
        (
            "42",
            "-e: 42 is another call on each ABI; give its name, or 'syscall_42' if it has none",
        ),
        (
            "syscall_1",
            "-e: call 1 has a name: 'write' (x86_64) and 'exit' (i386) and 'write' (x32)",
        ),
        (
            "signal=all",
            "-e: 'signal=' is strace's; systrace selects calls by name: -e trace=SET or -e SET",
        ),
        (
            "ipc",
            (
                "-e: 'ipc' is a class for strace and a call on i386; write '%ipc' for the class, "
                "'/^ipc$' for the call"
            ),
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(expression: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse([expression])
    assert str(refused.value) == message


def test_a_broken_regular_expression_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=re.escape("-e: '/a\\n(' is not a regular expression")):
        parse(["/a\n("])


def test_a_wrong_class_without_a_close_one_gets_the_list() -> None:
    with pytest.raises(UsageError, match=r"there are %file, %process, .*%pure"):
        parse(["%zzzzzz"])


def test_every_member_of_a_class_is_a_call() -> None:
    for members in classes().values():
        assert members
        assert members <= syscalls.names()


def test_the_classes_have_the_members_that_strace_documents() -> None:
    assert selected("%stat") == {"stat", "stat64", "oldstat"}
    assert {"getuid", "setresgid32", "capset"} <= selected("%creds")
    assert {"gettimeofday", "clock_gettime64", "adjtimex"} <= selected("%clock")
    assert {"mmap", "mseal"} <= selected("%memory")
    assert {"execve", "clone3", "exit_group", "wait4"} <= selected("%process")
    assert "openat" in selected("%file") & selected("%desc")
    assert "socketcall" in selected("%network")
    assert selected("%%stat") == selected("%stat") | selected("%fstat") | selected("%lstat")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_knows_every_class_by_the_same_name() -> None:
    def refused(name: str) -> bool:
        found = subprocess.run(
            ["strace", "-e", f"trace={name}", "-h"], check=False, capture_output=True, text=True
        )
        return "invalid system call" in found.stderr

    assert [name for name in classes() if refused(name)] == []
    assert refused("%nope")
