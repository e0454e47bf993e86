"""The verb show: a saved report rendered again, without root and without bcc."""

import csv
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from systrace.cli import formats
from systrace.errors import InputError
from systrace.options import FORMATS, Format, TableOptions
from systrace.render.json import render, to_document
from systrace.report import Report
from systrace.saved import from_document


def show(
    *arguments: str | Path, through: str = '"$@"', given: str | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "systrace", "show", *map(str, arguments)]
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    return subprocess.run(
        ["sh", "-c", through, "sh", *command],
        capture_output=True,
        text=True,
        input=given,
        timeout=30,
        check=False,
        env={**kept, "TERM": "xterm"},
    )


@pytest.fixture
def saved(goapp: Report, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_text(render(goapp))
    return path


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_saved_report_is_what_it_was_in_every_format(
    wanted: str, saved: Path, goapp: Report
) -> None:
    done = show("-F", wanted, saved)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == formats.text(goapp, wanted, TableOptions())  # type: ignore[arg-type]


def test_rows_come_in_the_order_and_number_that_is_asked_for(saved: Path, goapp: Report) -> None:
    done = show("-S", "total", "-n", "1", saved)
    assert done.stdout == formats.text(goapp, "table", TableOptions("total", 1))


@pytest.mark.parametrize("wanted", FORMATS)
def test_machines_get_all_rows_and_people_the_first(wanted: Format, goapp: Report) -> None:
    few, all_ = (formats.text(goapp, wanted, TableOptions(top=top)) for top in (1, None))
    assert (few == all_) is (wanted in ("json", "csv", "prometheus"))


def test_files_are_written_as_well_each_in_its_format(saved: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.csv", "b.json", "c.md")]
    done = show(*(word for file in files for word in ("-o", file)), saved)
    assert done.stdout.startswith("./goapp: exit 0")
    assert files[0].read_text().startswith("report,")
    assert files[1].read_text() == saved.read_text()
    assert files[2].read_text().startswith("### `./goapp`")


def test_standard_output_gets_it_once(saved: Path) -> None:
    assert show("-o", "-", saved).stdout == show(saved).stdout


def test_a_report_may_come_through_a_pipe(saved: Path, goapp: Report) -> None:
    assert show("-", given=render(goapp)).stdout == show(saved).stdout


def several(goapp: Report, path: Path) -> Path:
    end = goapp.elapsed_ns
    reports: Sequence[Report] = (replace(goapp, since_ns=0), replace(goapp, since_ns=end), goapp)
    path.write_text("".join(map(render, reports)))
    return path


def test_several_reports_in_a_file_are_shown_one_after_another(
    goapp: Report, tmp_path: Path
) -> None:
    path = several(goapp, tmp_path / "r.json")
    heads = [line for line in show(path).stdout.splitlines() if line.startswith("elapsed")]
    assert heads == ["elapsed 0.0 s to 0.1 s:", "elapsed 0.1 s to 0.1 s:", "elapsed 0.1 s:"]
    assert show("-F", "json", path).stdout == path.read_text()
    rows = list(csv.DictReader(io.StringIO(show("-F", "csv", path).stdout)))
    assert len({(row["report"], row["start_ns"]) for row in rows}) == 3


def test_several_reports_are_refused_where_one_is_read(goapp: Report, tmp_path: Path) -> None:
    path = several(goapp, tmp_path / "r.json")
    for wanted in (["-F", "prometheus"], ["-o", tmp_path / "x.prom"]):
        done = show(*wanted, path)
        assert done.returncode == 2
        assert done.stderr == f"systrace: {str(path)!r} holds 3 reports, and Prometheus reads one\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "systrace.report/2"}, "its schema is 'systrace.report/2', and this systrace"),
        ({"calls": 5}, "calls: expected a list, found 5"),
        ({"warnings": ["\x1b[31m", 5]}, r"warnings: expected a list of strings, found ['\x1b[31m'"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line_with_its_place(
    goapp: Report, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(to_document(goapp) | change))
    done = show("-o", tmp_path / "x.json", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"systrace: '{path}' is not a systrace report: {said}")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert list(tmp_path.iterdir()) == [path]


def _texts(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every text in a document."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, (*place, name))


@pytest.mark.parametrize("wanted", FORMATS)
def test_whatever_text_a_saved_report_holds_is_shown_without_control_characters(
    wanted: Format, goapp: Report
) -> None:
    document = to_document(replace(goapp, warnings=("odd",)))
    read = []
    for *outer, last in _texts(document):
        changed = json.loads(json.dumps(document))
        inner = changed
        for name in outer:
            inner = inner[name]
        inner[last] = "\x1b[2J\x07\r\u202e\x9b" + inner[last]
        try:
            report = from_document(changed)
        except InputError:  # one of few values, or a name that systrace gives
            continue
        read.append((*outer, last))
        shown = formats.text(report, wanted, TableOptions(overhead=True))
        characters = {one for one in shown if unicodedata.category(one) in ("Cc", "Cf")}
        assert characters <= {"\n"}, (outer, last)
    assert len(read) > 5


def test_a_file_that_is_not_there_and_one_that_was_cut_off_end_with_2(
    saved: Path, tmp_path: Path
) -> None:
    done = show(tmp_path / "none.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such file or directory" in done.stderr
    saved.write_text(saved.read_text()[:300])
    done = show(saved)
    assert done.returncode == 2
    assert "it was cut off there" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    done = show("-o", file, saved, through='{ "$@"; echo $? >&2; } | true')
    assert done.stderr == "0\n"
    assert file.exists()


def test_what_cannot_be_written_ends_with_2_and_costs_no_other_its_report(
    saved: Path, tmp_path: Path
) -> None:
    done = show("-o", "/dev/full", "-o", tmp_path / "x.md", saved)
    assert done.returncode == 2
    assert done.stderr == "systrace: cannot write /dev/full: No space left on device\n"
    assert done.stdout.startswith("./goapp")
    assert (tmp_path / "x.md").exists()
    done = show(saved, through='"$@" >&-')
    assert done.returncode == 2
    assert done.stderr == "systrace: cannot write standard output: Bad file descriptor\n"


def test_colour_is_for_a_terminal(saved: Path) -> None:
    assert "\x1b[" not in show(saved).stdout
    done = show(saved, through='script -qec "$(printf "%s " "$@")" /dev/null')
    assert "\x1b[" in done.stdout


def test_bcc_and_the_probes_are_not_needed(saved: Path) -> None:
    code = (
        "import sys\nfrom systrace.cli import main\n"
        f"main(['show', {str(saved)!r}])\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stderr.split())
    assert not loaded & {"bcc", "systrace.probe", "systrace.session", "iced_x86", "elftools"}
