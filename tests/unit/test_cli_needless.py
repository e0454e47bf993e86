"""What no report would show is refused; that holds for what formats hold, not for what we think."""

from dataclasses import replace
from pathlib import Path

import pytest

from systrace.cli import formats, needless
from systrace.options import FORMATS, Format, TableOptions
from systrace.report import Overhead, Process, Report

from .faked import systrace

COST = Overhead(314.0, 6.0, 1_000_000, 13_000_000, 1.1, 1.2)


@pytest.mark.parametrize("wanted", FORMATS)
def test_these_formats_and_no_others_show_what_tracing_cost(wanted: Format, goapp: Report) -> None:
    costed = replace(goapp, overhead=COST)
    without, with_ = (
        formats.text(report, wanted, TableOptions(overhead=asked))
        for report, asked in ((goapp, False), (costed, True))
    )
    assert (without != with_) is (wanted in needless.OVERHEAD)


@pytest.mark.parametrize("wanted", FORMATS)
def test_these_formats_and_no_others_show_single_processes(wanted: Format, goapp: Report) -> None:
    single = replace(goapp, processes=(Process(4242, 4241, "goapp", goapp.calls),))
    without, with_ = (formats.text(report, wanted, TableOptions()) for report in (goapp, single))
    assert (without != with_) is (wanted in needless.PER_PROCESS)


@pytest.mark.parametrize(
    "options",
    [
        ["--overhead", "-F", "csv", "-o", "r.json"],
        ["--overhead", "-q", "-o", "r.csv", "-o", "r.md"],
        ["--overhead", "-F", "github"],
        ["-P", "-F", "github", "-o", "r.csv"],
        ["-P", "-q"],  # kill -USR1 shows it
        ["-i", "1", "-q", "-o", "r.csv", "-o", "r.json"],
        ["-i", "1", "-q", "-F", "csv", "-o", "-"],
        ["-i", "1", "-o", "r.json"],
    ],
    ids=" ".join,
)
def test_what_one_of_the_reports_shows_is_done(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert systrace("run", *options, "true").returncode == 0
