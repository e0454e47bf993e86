"""Reports that find no room or no reader: one line says so, and the target never notices."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .leftovers import nothing_left
from .live import loud, started
from .tracing import HANGS_S, Tracer, check, example

ROOM = 16_384  # bytes; a report in JSON has more


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for an old report and not for a new one."""
    place = tmp_path / "small"
    place.mkdir()
    options = ("-o", f"size={ROOM},mode=755")
    subprocess.run(["mount", "-t", "tmpfs", *options, "systrace-test", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("status", [0, 3])
def test_a_report_that_the_disk_has_no_room_for_leaves_the_old_one_and_the_others(
    trace: Tracer, small_disk: Path, status: int
) -> None:
    full = small_disk / "report.json"
    full.write_text("old")
    command = ("sh", "-c", f"{example('vdso_all')}; exit {status}")
    with nothing_left() as environment:
        traced = trace(*command, options=("-o", str(full)), env=environment)
    assert traced.process.returncode == (status or 125)
    said = f"systrace: cannot write {full}: No space left on device\n"
    assert traced.process.stderr.decode() == said
    assert [path.name for path in small_disk.iterdir()] == ["report.json"]
    assert full.read_text() == "old"
    assert traced.count("clock_gettime", "vdso") == 10_007


def test_standard_error_on_a_full_disk_costs_no_other_report(
    trace: Tracer, small_disk: Path
) -> None:
    log = small_disk / "log"
    log.write_bytes(bytes(ROOM))
    with log.open("ab") as stderr:
        argv = loud(trace, example("vdso_all"))
        done = subprocess.run(argv, check=False, stderr=stderr, timeout=HANGS_S)
    assert done.returncode == 125
    assert trace.read(done).count("clock_gettime", "vdso") == 10_007


def test_with_standard_error_closed_all_is_as_ever(trace: Tracer) -> None:
    argv = loud(trace, "sh", "-c", "echo out; exit 3")
    with nothing_left() as environment:
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", *argv],
            check=False,
            stdout=subprocess.PIPE,
            env=environment,
            timeout=HANGS_S,
        )
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert trace.read(done).count("execve") == 1


def test_a_report_waits_for_who_reads_it_and_comes_whole(trace: Tracer) -> None:
    """The pipe is full before the first word, and the target ends meanwhile."""
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, bytes(room))
    command = ("sh", "-c", f"{example('vdso_all')}; echo end")
    argv = trace.argv(*command, options=("-F", "json"))
    argv.remove("-q")
    with started(*argv, stderr=writer) as systrace:
        os.close(writer)
        assert systrace.line() == "end"
        with os.fdopen(reader, "rb") as pipe:
            text = pipe.read()
        assert systrace.process.wait(HANGS_S) == 0
    report = json.loads(text[room:])
    check(report)
    assert report == json.loads(trace.output.read_text())


@pytest.mark.parametrize("way", ["", "--follow=signal"])
def test_a_target_does_not_wait_for_who_reads_its_intervals(trace: Tracer, way: str) -> None:
    """The pipe is full from the start, and new programs are held until they are seen to."""
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, bytes(room))
    options = ("-i", "0.05", "-F", "json", *way.split())
    script = f"read line; sleep 0.2; {example('vdso_all')}; {example('vdso_all')}; echo end"
    argv = trace.argv("sh", "-c", script, options=options)
    argv.remove("-q")
    with nothing_left() as environment, started(*argv, env=environment, stderr=writer) as systrace:
        os.close(writer)
        systrace.tell("go")
        assert systrace.line() == "end"
        with os.fdopen(reader, "rb") as pipe:
            text = pipe.read()[room:].decode()
        traced = systrace.end(trace)
    assert traced.count("getcpu", "vdso") == 2 * 1_021
    reports, decoder = [], json.JSONDecoder()
    while text:
        report, end = decoder.raw_decode(text)
        reports.append(report)
        text = text[end:].lstrip()
    *intervals, whole = reports
    assert whole == traced.report
    assert len(intervals) > 2
    since = [report["since_ns"] for report in intervals]
    assert since == sorted(since)


def test_a_reader_that_goes_away_after_a_report_ends_nothing(trace: Tracer) -> None:
    options = ("-i", "0.02", "-F", "json")
    argv = trace.argv("sh", "-c", "read line; sleep 0.2; echo got $line; exit 3", options=options)
    argv.remove("-q")
    with nothing_left() as environment, started(*argv, env=environment) as systrace:
        reports = systrace.reports()
        next(reports)
        assert systrace.process.stderr
        systrace.process.stderr.close()
        systrace.tell("it")
        assert systrace.rest() == ["got it"]
        assert systrace.process.wait(HANGS_S) == 3
    assert json.loads(trace.output.read_text())["exit"]["code"] == 3
