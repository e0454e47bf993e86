"""A saved report is read as far as it may be one, and no further."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from systrace import saved_text
from systrace.errors import InputError
from systrace.render.json import render
from systrace.saved import load

from .conftest import GOAPP

VERBS = (("show", "-"), ("check", "b.toml", "-"), ("budget", "-"), ("compare", "-", "0.json"))


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_an_endless_stream_that_is_no_report_is_refused_at_its_first_bytes(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "b.toml").write_text('schema = "systrace.budget/1"\ncalls = ["*"]')
    (tmp_path / "0.json").write_text(render(GOAPP))
    # what is not there cannot be taken: 1 GiB of addresses for all
    shell = ["sh", "-c", 'ulimit -v 1048576; "$@" </dev/zero', "sh"]
    done = subprocess.run(
        [*shell, sys.executable, "-m", "systrace", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        r"systrace: standard input is not a systrace report: it begins with '\x00\x00"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("begins", ["", " {", render(GOAPP)])
def test_an_endless_stream_that_may_be_one_is_refused_at_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begins: str
) -> None:
    monkeypatch.setattr(saved_text, "LARGEST", 4 << 20)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    wrote = []

    def pour() -> None:
        try:
            with fifo.open("w") as file:
                wrote.append(file.write(begins))
                while sum(wrote) < 64 << 20:
                    wrote.append(file.write("\n" * 65536))
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=pour)
    writer.start()
    with pytest.raises(InputError, match="report: it is larger than 4,194,304 bytes"):
        load(fifo)
    writer.join()
    assert sum(wrote) < 8 << 20


def test_a_report_of_the_limit_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = render(GOAPP)
    path = tmp_path / "r.json"
    monkeypatch.setattr(saved_text, "LARGEST", len(text))
    path.write_text(text)
    assert load(path) == GOAPP
    path.write_text(f"{text} ")
    with pytest.raises(InputError, match="is larger than"):
        load(path)


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    shown = subprocess.Popen(
        [sys.executable, "-m", "systrace", "show", "-F", "json", "-"],
        stdin=reader,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reader)
    with os.fdopen(writer, "w") as file, shown:
        text = render(GOAPP)
        for half in (text[:99], text[99:]):
            file.write(half)
            file.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                shown.wait(0.5)
        file.close()
        assert shown.stdout is not None
        assert shown.stdout.read() == text
    assert shown.returncode == 0
