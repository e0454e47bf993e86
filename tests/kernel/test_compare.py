"""Real programs held against each other: reports, commands, and one with its vDSO and without."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import systrace

from .tracing import HANGS_S, SYSTRACE, Tracer, example

SCHEMA = json.loads(Path(systrace.__file__).with_name("comparison.schema.json").read_text())

CALLS = "100003"


def compare(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(SYSTRACE), "compare", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compare("-F", "json", *arguments).stdout)
    jsonschema.validate(found, SCHEMA)
    assert all(run["totals"]["lost"] == 0 for side in "ab" for run in found[side]["runs"])
    return found


def row(found: dict[str, Any], name: str, via: str = "syscall") -> dict[str, Any]:
    (only,) = (row for row in found["rows"] if (row["name"], row["via"]) == (name, via))
    return dict(only)


def differing(found: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The verdict of each call whose count, or whose errors, are not the same in all runs."""
    return {
        (row["name"], row["via"]): row["verdict"]
        for row in found["rows"]
        if row["verdict"] != "same"
    }


@pytest.fixture
def clocks(trace: Tracer, tmp_path: Path) -> Sequence[str]:
    """The reports of a Go program that calls time.Now(), and of one that goes around the vDSO."""
    files = []
    for name in ("time_now", "raw_clock"):
        file = tmp_path / f"{name}.json"
        trace(example(name), CALLS, options=("-o", str(file)))
        files.append(str(file))
    return files


def test_a_program_that_goes_around_the_vdso_changes_ring(clocks: Sequence[str]) -> None:
    found = document(*clocks)
    (change,) = found["ring_changes"]
    assert (change["name"], change["before"], change["after"]) == (
        "clock_gettime",
        "vdso",
        "syscall",
    )
    assert change["calls"] == int(CALLS)
    syscall = row(found, "clock_gettime")
    assert (syscall["count"]["a"]["median"], syscall["only"]) == (0, "b")
    assert syscall["count"]["b"]["values"] == [int(CALLS)]
    vdso = row(found, "clock_gettime", "vdso")["count"]
    assert vdso["a"]["median"] >= 2 * int(CALLS)
    assert (
        vdso["difference"] == vdso["b"]["median"] - vdso["a"]["median"] < -2 * int(CALLS) + 10_000
    )


def test_the_table_names_the_ring_change_and_the_counts(clocks: Sequence[str]) -> None:
    text = compare(*clocks).stdout
    assert "Changed ring: clock_gettime: vdso -> syscall, 100,003 calls\n" in text
    # where times are long, the commas make room
    plain = text.replace(",", "").splitlines()
    counts = [line.split()[1:7] for line in plain if line.startswith("clock_gettime ")]
    assert ["syscall", "0", "100003", "+100003", "only", "B"] in counts
    assert all(len(line) <= 80 for line in text.splitlines())


RING_0 = "clock_gettime.ring0_calls > 0"


def test_a_limit_on_ring_0_fails_the_comparison_in_every_format(
    clocks: Sequence[str], tmp_path: Path
) -> None:
    """The ring change and the counts, wherever they are read."""
    file = tmp_path / "c.md"
    done = compare("-o", str(file), "--fail-if", RING_0, *clocks, status=1)
    assert "Changed ring: clock_gettime: vdso -> syscall, 100,003 calls" in done.stdout
    assert done.stderr == (
        f"systrace: clock_gettime.ring0_calls is 100,003, over the limit of 0 "
        f"(--fail-if '{RING_0}')\n"
    )
    comment = file.read_text()
    assert "> Changed ring: clock_gettime: vdso -&#62; syscall, 100,003 calls" in comment
    assert "| `clock_gettime` | syscall | 0 | 100,003 | +100,003 | only B |" in comment
    assert "1 of 1 limit violated" in comment
    found = json.loads(compare("-F", "json", "--fail-if", RING_0, *clocks, status=1).stdout)
    assert found["limits"]["violations"][0]["figure"] == {"low": 100_003, "high": 100_003}
    assert found["ring_changes"][0]["calls"] == 100_003
    # the other way round there is nothing to find
    compare("--fail-if", RING_0, *reversed(clocks))


def test_a_change_fails_beyond_the_noise_alone() -> None:
    changes = ("--fail-if", "getppid.count > +2", "--fail-if", "*.count > +3%", "-r", "8", "-q")
    few, more = f"{example('getppid')} 1009", f"{example('getppid')} 1013"
    said = compare(*changes, few, more, status=1).stderr
    assert said.startswith("systrace: getppid.count is 1,013 (the median of 8 runs), 1,009 in the")
    assert said.count("\n") == 1
    assert compare(*changes, few, few).stderr == ""


def test_what_two_runs_cannot_tell_does_not_pass() -> None:
    few, more = f"{example('getppid')} 1009", f"{example('getppid')} 1013"
    done = compare("-q", "-r", "2", "--fail-if", "getppid.count > +2", few, more, status=1)
    assert "too few runs to tell this from noise" in done.stderr
    assert "note: 7 runs of each side can tell" in done.stderr


def test_a_deterministic_program_does_not_differ_from_itself() -> None:
    command = f"{example('getppid')} 1009"
    found = document("-r", "3", command, command)
    assert differing(found) == {}
    assert row(found, "getppid")["count"]["a"]["values"] == [1009, 1009, 1009]
    assert found["totals"]["ring0_calls"]["difference"] == 0


def test_four_calls_more_are_beyond_noise_where_nothing_else_varies() -> None:
    found = document("-r", "8", f"{example('getppid')} 1009", f"{example('getppid')} 1013")
    assert differing(found) == {("getppid", "syscall"): "beyond"}
    assert row(found, "getppid")["count"]["difference"] == 4
    assert found["totals"]["ring0_calls"]["verdict"] == "beyond"


def test_without_its_vdso_time_now_enters_ring_0_and_takes_longer() -> None:
    found = document("--without-vdso", "-r", "2", "--", example("time_now"))
    ring0 = found["totals"]["ring0_calls"]
    # the runtime reads the clock for itself, the more often the longer it takes
    assert 2_000_006 <= ring0["difference"] < 2_010_000
    assert found["totals"]["ring3_calls"]["b"]["values"] == [0, 0]
    # a system call for a vDSO call: several times as long, measured without probes
    assert found["totals"]["unprobed_ns"]["factor"] > 1.5
    assert found["ring_changes"][0]["after"] == "syscall"
    assert {run["probes"]["vdso"] for run in found["b"]["runs"]} == {"removed"}


def test_a_report_and_a_command(trace: Tracer, tmp_path: Path) -> None:
    file = str(tmp_path / "saved.json")
    trace(example("getppid"), "1009", options=("-o", file))
    found = document("-r", "2", file, f"{example('getppid')} 1013")
    assert [found[side]["kind"] for side in "ab"] == ["report", "command"]
    count = row(found, "getppid")["count"]
    assert (count["a"]["values"], count["b"]["values"]) == ([1009], [1013, 1013])
    assert count["verdict"] == "unknown"


def test_options_reach_the_commands() -> None:
    command = example("vdso_all")
    found = document("-r", "1", "-e", "time,getcpu", "--vdso", "uprobe", command, "true")
    assert {row["name"] for row in found["rows"]} == {"time", "getcpu"}
    assert row(found, "time", "vdso")["count"]["a"]["values"] == [1_019]
    assert [found[side]["runs"][0]["probes"]["vdso"] for side in "ab"] == ["uprobe", "uprobe"]


def test_a_command_that_fails_ends_it() -> None:
    done = compare("true", "sh -c 'exit 3'", status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("systrace: sh -c 'exit 3' failed in run 1 of 10: exit 3\n")


def test_a_command_that_is_not_found_lets_nothing_start(tmp_path: Path) -> None:
    done = compare(f"touch {tmp_path}/x", "nosuchcommand", status=2)
    assert "command not found: nosuchcommand" in done.stderr
    assert list(tmp_path.iterdir()) == []


STREAMS = (
    "import os; print(*(os.readlink(f'/proc/self/fd/{n}') for n in range(3)), file=open(F, 'a'))"
)


@pytest.mark.parametrize("shown", [False, True])
def test_commands_have_dev_null_for_their_streams(shown: bool, tmp_path: Path) -> None:
    log = tmp_path / "streams"
    command = shlex.join([sys.executable, "-c", STREAMS.replace("F", repr(str(log)), 1)])
    with (tmp_path / "err").open("w") as err:
        subprocess.run(
            [
                SYSTRACE,
                "compare",
                "-r",
                "1",
                *(["--show-output"] if shown else []),
                command,
                "true",
            ],
            stdout=subprocess.DEVNULL,
            stderr=err,
            check=True,
            timeout=HANGS_S,
        )
    null = os.devnull
    err_name = str(tmp_path / "err")
    expected = [null, err_name, err_name] if shown else [null] * 3
    assert log.read_text().split() == expected


@pytest.mark.parametrize("option", ["--ignore-failure", "--without-vdso"])
def test_a_signal_ends_the_comparison_and_the_command(option: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"echo $$ >{fifo}; exec sleep 100"
    commands = [script] if option == "--without-vdso" else [script, "true"]
    argv = [str(SYSTRACE), "compare", option, "--shell", *commands]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pid = int(fifo.read_text())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=HANGS_S)
    assert (process.returncode, out, err) == (-signal.SIGTERM, b"", b"")
    assert not Path(f"/proc/{pid}").exists()


def test_a_noisy_go_server_differs_from_itself_by_noise_alone() -> None:
    found = document(example("http_server"), example("http_server"))
    noise = differing(found)
    assert {("futex", "syscall"), ("clock_gettime", "vdso")} <= set(noise)
    assert set(noise.values()) == {"within"}
    assert {change["verdict"] for change in found["totals"].values()} == {"within"}


def test_one_write_more_for_each_request_of_a_noisy_server_is_found() -> None:
    found = document(example("http_server"), f"{example('http_server')} -extra")
    assert row(found, "write")["count"]["verdict"] == "beyond"
    # what else differs may well follow from it: the server waits at other places
    assert 290 <= row(found, "write")["count"]["difference"] <= 310
