"""Every refusal ends with its status, and is one line or two: what is wrong, and what to do."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from systrace import attach, cli, early, privilege, session
from systrace.options import Selection
from systrace.render.json import render, to_document

from .conftest import GOAPP
from .refusals import LIMITS, READING, TRACING

SCHEMA = 'schema = "systrace.budget/1"\n'
WORDS = "\n\r\x1b[2J\x85\u2028\udcff"  # which are six lines for one terminal or another

# One thing wrong in a report: the file's name, where, and what stands there.
WRONG: Mapping[str, tuple[tuple[str | int, ...], Any]] = {
    "later": (("schema",), "systrace.report/9"),
    "started": (("started",), "yesterday"),
    "via": (("calls", 0, "via"), "post"),
    "ring": (("calls", 0, "ring"), "3->0"),
    "signal": (("exit", "signal"), "SIGNAL"),
    "count": (("calls", 0, "count"), -1),
    "flag": (("selected",), "yes"),
    "command": (("command",), [1]),
    "calls": (("calls",), "none"),
    "kernel": (("machine", "kernel"), 6),
    "mean": (("calls", 1, "mean_ns"), "long"),
    "histogram": (("calls", 1, "histogram"), [[1, 2]]),
    "missing": (("totals",), ...),
    "twice": (("calls", 1), to_document(GOAPP)["calls"][0]),
}
REPORTS: Mapping[str, str] = {
    "goapp": render(GOAPP),
    "two": render(GOAPP) * 2,
    "half": render(GOAPP) + "{}",
    "lost": render(replace(GOAPP, lost=7)),
    "warned": render(replace(GOAPP, warnings=(f"a{WORDS}b",))),
    "odd": render(replace(GOAPP, calls=(replace(GOAPP.calls[0], name="a b"),))),
    "selected": render(
        replace(GOAPP, selected=True, selection=Selection(frozenset({"futex", "clock_gettime"})))
    ),
    "cut": render(GOAPP)[:-9],
    "empty": "",
    "word": "report",
    "list": "[1]",
    "nan": '{"schema": NaN}',
    "digits": f'{{"schema": {"1" * 5000}}}',
    "deep": '{"a":' * 200_000,
    "second": render(GOAPP) + "[1]",
}
BUDGETS: Mapping[str, str] = {
    "good": f'{SCHEMA}calls = ["*"]',
    "syntax": "schema = ",
    "deep": f"a = {'[' * 200_000}",
    "dots": f"{'a.' * 200_000}b = 1",
    "large": "#" * (2 << 20),
    "digits": f"{SCHEMA}a = {'1' * 5000}",
    "later": 'schema = "systrace.budget/9"',
    "none_in_it": SCHEMA,
    "key": f"{SCHEMA}fial-if = []",
    "strange": f"{SCHEMA}x = 1",
    "nothing": "",
    "name": f'{SCHEMA}calls = ["a b"]',
    "expression": f'{SCHEMA}fail-if = ["nonsense"]',
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    for name, text in REPORTS.items():
        (place / f"{name}.json").write_text(text)
    for name, (where, value) in WRONG.items():
        (place / f"{name}.json").write_text(json.dumps(with_wrong(where, value)))
    for name, text in BUDGETS.items():
        (place / f"{name}.toml").write_text(text)
    (place / "latin.json").write_bytes(b"{\xff")
    (place / "plain").write_text("no program")
    (place / "program").touch(0o755)
    (place / "linked").symlink_to("program")
    (place / "linked.toml").symlink_to("good.toml")
    (place / "linked.json").symlink_to(place / "goapp.json")
    (place / "hard.json").hardlink_to(place / "goapp.json")
    (place / "dir").mkdir()
    os.mknod(place / "socket", 0o140600)
    return place


def with_wrong(where: tuple[str | int, ...], value: Any) -> Any:
    whole: Any = json.loads(render(GOAPP))
    inner = whole
    for key in where[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return whole


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, files: Path) -> Iterator[None]:
    """Rights to trace, so that it is no lack of them that is met; nothing can be started here."""
    monkeypatch.setattr(privilege, "effective", lambda: ~0)
    engine = ((early, "run"), (session, "unprobed"), (attach, "attach"))
    for module, name in engine:
        monkeypatch.setattr(module, name, None)
    monkeypatch.chdir(files)
    before = seen(files)
    yield
    assert seen(files) == before


def seen(files: Path) -> Mapping[Path, tuple[int, int]]:
    """Each file, as far as it is another one after it was replaced or written."""
    found = {path: path.lstat() for path in files.iterdir()}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def refused(capfd: pytest.CaptureFixture[str], words: list[str], status: int) -> str:
    """What is said, in a line or two that show as themselves."""
    assert cli.main(words) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("systrace: ")
    assert err.endswith("\n")
    lines = err[:-1].split("\n")
    assert len(lines) <= 2
    assert all(line.isprintable() for line in lines)
    assert "Traceback" not in err
    assert "internal error" not in err
    return err


@pytest.mark.parametrize(("typed", "said"), TRACING.items(), ids=TRACING)
def test_what_cannot_be_traced_ends_with_125(
    capfd: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert said in refused(capfd, shlex.split(typed), 125)


@pytest.mark.parametrize(("typed", "said"), READING.items(), ids=READING)
def test_what_cannot_be_read_ends_with_2(
    capfd: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert said in refused(capfd, shlex.split(typed), 2)


@pytest.mark.parametrize(("limit", "said"), LIMITS.items(), ids=LIMITS)
def test_what_is_no_limit_ends_with_2_and_its_column(
    capfd: pytest.CaptureFixture[str], limit: str, said: str
) -> None:
    assert said in refused(capfd, ["check", "--fail-if", limit, "goapp.json"], 2)


@pytest.mark.parametrize(
    "words",
    [
        ["{}"],
        ["run", "--{}", "true"],
        ["run", "-{}", "true"],
        ["run", "-e", "{}", "true"],
        ["run", "-e", "/({}", "true"],
        ["run", "-F", "{}", "true"],
        ["run", "-i", "{}", "true"],
        ["run", "-u", "{}", "true"],
        ["run", "-o", "dir/{}/x", "true"],
        ["run", "-o", "plain/{}", "true"],
        ["run", "--fail-if", "{}", "true"],
        ["run", "--fail-if", "x{}.count > 1", "true"],
        ["run", "--budget", "{}", "true"],
        ["run", "--follow={}", "true"],
        ["attach", "{}"],
        ["attach", "-p", "1{}"],
        ["show", "{}"],
        ["show", "-o", "plain/{}", "goapp.json"],
        ["budget", "{}"],
        ["budget", "-o", "plain/{}", "goapp.json"],
        ["check", "{}", "goapp.json"],
        ["check", "good.toml", "{}"],
        ["compare", "{}", "{}"],
        ["compare", "goapp.json", "{}.json"],
        ["compare", "goapp.json", "'{}"],
        ["compare", "--without-vdso", "{} {}"],
        ["doctor", "{}"],
        ["-o", "{}", "{}"],
        ["-p", "{}"],
    ],
    ids=" ".join,
)
def test_a_refusal_is_two_lines_whatever_words_it_quotes(
    capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    tracing = words[0] in ("run", "attach") or words[0] not in cli.VERBS
    refused(capfd, [word.replace("{}", WORDS) for word in words], 125 if tracing else 2)


def test_what_a_saved_report_warns_of_is_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["check", "good.toml", "warned.json"])
    _, err = capfd.readouterr()
    (line,) = err[:-1].split("\n")
    assert line.isprintable()
    assert line.startswith("systrace: note: the report warns: a\\n\\r\\x1b[2J")
