"""A budget file: what is read from it, and how what is none is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systrace.budget.read import is_json, read
from systrace.errors import InputError
from systrace.limits.evaluate import evaluate
from systrace.limits.figures import ReportFigures
from systrace.report import Call, Report

GOOD = """
schema = "systrace.budget/1"
fail-if = ["openat.count > 38", 'write.p99 > 2 ms', '''*.filtered > 0''']
calls = ["openat", "wr*", "from_the_future"]
"""


def test_a_budget_is_read(goapp: Report, tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(GOOD)
    found = read(str(file))
    assert [str(limit) for limit in found] == [
        "openat.count > 38",
        "write.p99 > 2ms",
        "*.filtered > 0",
        "new_calls > 0",
    ]
    assert {limit.file for limit in found} == {str(file)}
    counts = {"openat": 39, "writev": 1, "read": 2, "from_the_future": 1}
    calls = (Call(name, "syscall", "x86_64", count) for name, count in counts.items())
    report = replace(goapp, calls=tuple(calls))
    texts = [violation.text for violation in evaluate(found, ReportFigures(report)).violations]
    assert texts == [
        f"openat.count is 39, over the limit of 38 ({file}: openat.count > 38)",
        f"new_calls is 2 (read 2), over the limit of 0 ({file}: calls)",
    ]


@pytest.mark.parametrize("kept", ["fail-if = ['errors > 0']", "calls = []"])
def test_one_of_its_lists_is_enough(kept: str, tmp_path: Path, goapp: Report) -> None:
    file = tmp_path / "b.toml"
    file.write_text(f'schema = "systrace.budget/1"\n{kept}\n')
    (limit,) = read(str(file))
    assert len(evaluate([limit], ReportFigures(goapp)).violations) == 1


def test_a_name_in_calls_is_known_to_the_limits(tmp_path: Path) -> None:
    file = tmp_path / "b.toml"
    limit = "fail-if = ['from_the_future.count > 1']"
    file.write_text(f'schema = "systrace.budget/1"\n{limit}\ncalls = ["from_the_future"]\n')
    assert read(str(file))
    file.write_text(f'schema = "systrace.budget/1"\n{limit}\n')
    assert read(str(file), {"from_the_future"})
    with pytest.raises(InputError, match="expected the name of a call"):
        read(str(file))


SCHEMA = 'schema = "systrace.budget/1"\n'
REFUSED = {
    "": "it lacks the line schema = 'systrace.budget/1'",
    "calls = ['read']": "it lacks the line schema = 'systrace.budget/1'",
    "x": "Expected '=' after a key in a key/value pair (at end of document)",
    "schema = 'x'\nfail-if = [\n": "(at end of document)",
    "schema = 'systrace.budget/2'": "its schema is 'systrace.budget/2', and this systrace reads",
    "schema = 1": "schema: expected a string, found 1",
    SCHEMA: "it holds no limit, neither in fail-if nor in calls",
    SCHEMA + "fail-if = []": "it holds no limit",
    SCHEMA + "fail-if = 'errors > 0'": "fail-if: expected a list, found 'errors > 0'",
    SCHEMA + "fail-if = ['errors > 0', 5]": "fail-if: expected a list of strings, found",
    SCHEMA + "fail-if = {a = 1}": "fail-if: expected a list, found {'a': 1}",
    SCHEMA + "fail-if = ['errors > 0', 'errors >> 0']": "fail-if[1], 'errors >> 0', column 8: "
    "expected >, >=, <, <=, == or !=, found '>>'",
    SCHEMA + "fail_if = ['errors > 0']": "there is no key 'fail_if'; did you mean 'fail-if'?",
    SCHEMA + "calls = ['read']\n[zzz]": "there is no key 'zzz'; there are schema, fail-if, calls",
    SCHEMA + "calls = 'read'": "calls: expected a list, found 'read'",
    SCHEMA + "calls = ['errors']": "calls[0]: expected the name of a call, or a pattern with",
    SCHEMA + "calls = ['read', 'a b']": "calls[1]: expected the name of a call, or a pattern with "
    "* or ?, found 'a b'",
    SCHEMA + 'calls = ["\\u001b[2J"]': "calls[0]: expected the name of a call",
    SCHEMA + 'calls = ["a\x00"]': "Illegal character '\\x00' (at line 2, column 12)",
    SCHEMA + "calls = ['read']\ncalls = []": "Cannot overwrite a value (at ",
    SCHEMA + f"x = {'[' * 100_000}": "its brackets are nested too deep",
    SCHEMA + f"x = {'9' * 5_000}": "Exceeds the limit",
    SCHEMA + "x = 2026-99-99": "(at line 2, column",
    SCHEMA + "x = 1979-05-27T07:32:00Z": "there is no key 'x'",
    "# " + "x" * (1 << 20): "it is larger than 1,048,576 bytes",
}  # fmt: skip


@pytest.mark.parametrize("content", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_budget_is_refused_with_the_reason_and_the_place(
    content: str, tmp_path: Path
) -> None:
    file = tmp_path / "b.toml"
    file.write_text(content)
    with pytest.raises(InputError) as refused:
        read(str(file))
    assert str(refused.value).startswith(f"'{file}' is not a budget: ")
    assert REFUSED[content] in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"# \xff\n")
    for name, reason in [
        ("absent", "No such file or directory"),
        (".", "Is a directory"),
        ("latin1", "'utf-8' codec can't decode byte 0xff"),
        ("a\0b", "embedded null byte"),
    ]:
        with pytest.raises(InputError) as refused:
            read(str(tmp_path / name))
        assert str(refused.value).startswith("cannot read ")
        assert reason in str(refused.value)


def test_a_report_in_the_place_of_a_budget_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text('\n {"schema": "systrace.report/1"}')
    with pytest.raises(InputError) as refused:
        read(str(file))
    said, pasted = str(refused.value).splitlines()
    assert said == f"'{file}' is JSON, as reports are; a budget is made of it by:"
    assert pasted.endswith(f"budget -o budget.toml {file}")
    assert is_json(str(file)) is True
    file.write_text(SCHEMA)
    assert is_json(str(file)) is False
    assert is_json("/dev/null") is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_does_worse_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with pytest.raises(InputError):
        read(str(file))
