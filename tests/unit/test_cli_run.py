"""The verb run, end to end, with a session that traces nothing."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from systrace.options import FORMATS, Format

from .faked import FAKE, Fake, environment, systrace


def test_the_table_goes_to_standard_error_and_standard_output_is_the_commands() -> None:
    done = systrace("run", "echo", "hello")
    assert done.stdout == "hello\n"
    assert "clock_gettime" in done.stderr
    assert done.returncode == 0


def test_options_end_at_the_command() -> None:
    done = systrace("run", "-q", "printf", "%s\n", "-q", "-n", "5", "--", "--output")
    assert done.stdout.split() == ["-q", "-n", "5", "--", "--output"]
    assert done.stderr == ""


def test_two_dashes_end_the_options() -> None:
    assert systrace("run", "-q", "--", "echo", "--", "x").stdout == "-- x\n"


def test_quiet_drops_the_table_and_keeps_the_file(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = systrace("run", "-q", "-o", str(file), "true", fake=[("interval", 1)])
    assert done.stderr == ""
    assert json.loads(file.read_text())["schema"] == "systrace.report/1"


def test_a_file_is_written_as_well_as_often_as_it_is_given(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.txt", tmp_path / "c"]
    done = systrace("run", *(word for file in files for word in ("-o", str(file))), "true")
    assert "clock_gettime" in done.stderr
    assert json.loads(files[0].read_text())["elapsed_ns"] == 2_500_000_000
    assert "stayed in ring 3" in files[1].read_text()
    assert files[1].read_text() == files[2].read_text()
    assert sorted(tmp_path.iterdir()) == files


def test_each_file_gets_the_format_of_its_ending(tmp_path: Path) -> None:
    begins = {
        "r.json": '{\n  "schema": "systrace.report/1"',
        "r.csv": "report,start_ns,",
        "r.md": "### `./goapp`\n",
        "r.prom": "# HELP systrace_run_info ",
        "r.txt": "./goapp: exit 0",
        "r.ending": "::notice title=systrace%3A ./goapp::",
    }
    files = (word for name in begins for word in ("-o", str(tmp_path / name)))
    done = systrace("run", "-q", "-F", "github", *files, "-o", "-", "true")
    assert done.returncode == 0
    for name, text in begins.items():
        assert (tmp_path / name).read_text().startswith(text)
    assert done.stdout.startswith(begins["r.ending"])


def test_csv_gets_every_interval_and_then_the_whole_under_one_header(tmp_path: Path) -> None:
    fake = [("interval", 1), ("asked", 1.5), ("interval", 1)]
    file = tmp_path / "r.csv"
    done = systrace(
        "run", "-q", "-i", "1s", "-F", "csv", "-o", str(file), "-o", "-", "true", fake=fake
    )
    rows = list(csv.DictReader(file.open(newline="")))
    spans = [(row["report"], row["start_ns"], row["end_ns"]) for row in rows]
    assert list(dict.fromkeys(spans)) == [
        ("interval", "0", "1000000000"),
        ("interval", "1000000000", "2000000000"),
        ("cumulative", "0", "2500000000"),
    ]
    assert done.stdout == file.read_text()
    # What was asked for by a signal goes where the signal's sender looks.
    (span,) = {row["end_ns"] for row in csv.DictReader(io.StringIO(done.stderr))}
    assert span == "1500000000"


def test_csv_on_standard_error_has_one_header() -> None:
    done = systrace("run", "-F", "csv", "-i", "1s", "true", fake=[("interval", 1)])
    rows = list(csv.DictReader(io.StringIO(done.stderr)))
    assert {row["report"] for row in rows} == {"interval", "cumulative"}
    assert done.stderr.count("start_ns") == 1


def test_csv_that_lost_an_interval_does_not_appear(tmp_path: Path) -> None:
    other = tmp_path / "r.csv"
    files = ["-o", "/dev/full", "-F", "csv", "-o", str(other)]
    done = systrace("run", "-q", *files, "-i", "1s", "true", fake=[("interval", 1)])
    assert done.returncode == 125
    assert done.stderr == "systrace: cannot write /dev/full: No space left on device\n"
    assert "cumulative" in other.read_text()


def test_prometheus_gets_one_report_and_not_many(tmp_path: Path) -> None:
    done = systrace("run", "-F", "prometheus", "-i", "1s", "true")
    assert done.returncode == 125
    assert done.stderr == (
        "systrace: -i makes many reports, and Prometheus reads one; "
        "-o FILE.prom gets the whole run\n"
    )
    done = systrace("run", "-i", "1s", "-o", str(tmp_path / "r.prom"), "true")
    assert done.stderr.count("stayed in ring 3 2") == 1
    assert "systrace_calls_total" in (tmp_path / "r.prom").read_text()


def test_standard_output_gets_the_format_that_standard_error_gets() -> None:
    done = systrace("run", "-q", "-F", "json", "-o", "-", "true")
    assert json.loads(done.stdout)["exit"] == {"code": 0, "signal": None}


def test_json_on_standard_error_is_nothing_but_json() -> None:
    done = systrace("run", "-F", "json", "true")
    assert json.loads(done.stderr)["command"] == ["./goapp"]


def test_each_interval_is_printed_with_the_time_it_covers_and_the_file_gets_the_whole(
    tmp_path: Path,
) -> None:
    file = tmp_path / "r.json"
    fake = [("interval", 1), ("interval", 1)]
    done = systrace("run", "-i", "1s", "-o", str(file), "true", fake=fake)
    assert [line for line in done.stderr.splitlines() if line.startswith("elapsed")] == [
        "elapsed 0.0 s to 1.0 s:",
        "elapsed 1.0 s to 2.0 s:",
        "elapsed 2.5 s, the whole run:",
    ]
    assert json.loads(file.read_text())["elapsed_ns"] == 2_500_000_000


@pytest.mark.parametrize("wanted", [name for name in FORMATS if name != "prometheus"])
def test_standard_error_gets_every_interval_and_of_files_those_of_rows(
    wanted: Format, tmp_path: Path
) -> None:
    def reports(fake: Fake, *options: str) -> list[int]:
        file = tmp_path / "r"
        done = systrace("run", *options, "-F", wanted, "-o", str(file), "true", fake=fake)
        return [text.count("clock_gettime") for text in (done.stderr, file.read_text())]

    shown, written = reports(())
    intervals = reports([("interval", 1), ("interval", 1)], "-i", "1s")
    assert intervals == [3 * shown, written * (3 if wanted == "csv" else 1)]


def test_a_report_that_was_asked_for_is_printed_even_when_quiet() -> None:
    done = systrace("run", "-q", "true", fake=[("asked", 1.5), ("interval", 1)])
    assert done.stderr.startswith("so far, elapsed 1.5 s:\n")
    assert done.stderr.count("clock_gettime") == systrace("run", "true").stderr.count(
        "clock_gettime"
    )


def test_it_ends_with_the_status_of_the_command() -> None:
    assert systrace("run", "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "PIPE", "SEGV", "QUIT", "XFSZ", "RTMIN"])
def test_it_dies_by_the_signal_of_the_command(name: str, tmp_path: Path) -> None:
    done = systrace(
        "run", "-o", str(tmp_path / "r.json"), "sh", "-c", f"ulimit -c 0; kill -{name} $$"
    )
    assert done.returncode == -getattr(signal, f"SIG{name}")
    assert "clock_gettime" in done.stderr
    assert (tmp_path / "r.json").exists()


def test_death_by_signal_leaves_no_core_of_ours(tmp_path: Path) -> None:
    command = [sys.executable, str(FAKE), "run", "sh", "-c", "ulimit -c 0; kill -SEGV $$"]
    shell = 'ulimit -S -c "$(ulimit -H -c)"; cd "$0" && exec "$@"'
    child = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", shell, str(tmp_path), *command],
        environment(),
        file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)],
    )
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []


def test_a_lost_report_costs_125_when_the_command_succeeded_and_the_table_stays() -> None:
    done = systrace("run", "-o", "/dev/full", "true")
    assert done.returncode == 125
    assert "clock_gettime" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "systrace: cannot write /dev/full: No space left on device"
    )


def test_a_lost_report_does_not_hide_how_the_command_failed() -> None:
    done = systrace("run", "-o", "/dev/full", "sh", "-c", "exit 7")
    assert done.returncode == 7
    assert "cannot write /dev/full" in done.stderr


def test_one_lost_report_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    assert systrace("run", "-o", "/dev/full", "-o", str(file), "true").returncode == 125
    assert json.loads(file.read_text())


def test_a_closed_pipe_behind_o_dash_is_refused_in_one_line() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(FAKE), "run", "-q", "-o", "-", "true"]
    done = subprocess.run(
        command, env=environment(), stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode == 125
    assert done.stderr == b"systrace: cannot write standard output: Broken pipe\n"


def test_nothing_is_started_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    done = systrace("run", "-o", str(tmp_path / "no" / "r.json"), "touch", str(tmp_path / "x"))
    assert done.returncode == 125
    assert done.stderr == (
        f"systrace: cannot write {tmp_path}/no/r.json: No such file or directory\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_fails_leaves_no_file_and_no_traceback(tmp_path: Path) -> None:
    done = systrace("run", "-o", str(tmp_path / "r.json"), "true", fake=[("crash", 0)])
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("systrace: internal error: ValueError: the engine broke ")
    assert done.stderr.endswith("; set SYSTRACE_TRACEBACK=1 to see where\n")
    assert "\x1b" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_traceback_is_there_for_whoever_asks() -> None:
    done = systrace("run", "true", fake=[("crash", 0)], env={"SYSTRACE_TRACEBACK": "1"})
    assert "Traceback" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_u_names_nobody_who_does_not_exist() -> None:
    done = systrace("run", "-u", "nosuchuser", "true")
    assert done.returncode == 125
    assert "there is no user 'nosuchuser'" in done.stderr
