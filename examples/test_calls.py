"""A test suite that asserts on calls, with pytest, of examples/bin/time_now:

sudo -E env "PATH=$PATH" .venv/bin/python -m pytest examples/test_calls.py
"""

import subprocess
from pathlib import Path

import pytest

import systrace

TIME_NOW = Path(__file__).parent / "bin" / "time_now"


@pytest.fixture(scope="module")
def report() -> systrace.Report:
    """One run, for all tests: counts are exact, so that one is enough."""
    try:
        report = systrace.run([TIME_NOW], stdout=subprocess.DEVNULL, timeout=60)
    except systrace.PrivilegeError as error:
        pytest.skip(str(error))
    assert report.exit.code == 0
    assert (report.lost, report.warnings) == (0, ())
    return report


def test_reading_the_time_stays_in_ring_3(report: systrace.Report) -> None:
    # time.Now() reads two clocks; the runtime reads one of them now and then, too.
    assert report.count("clock_gettime", ring="3") >= 2 * 1_000_003
    assert report.count("clock_gettime", ring="3->0") == 0


def test_it_opens_one_file_and_no_connection(report: systrace.Report) -> None:
    # The runtime asks for the size of huge pages.
    assert report.count("openat") == 1
    assert report.count("socket") == report.count("connect") == 0


def test_it_enters_ring_0_hardly_more_often_than_an_empty_program(report: systrace.Report) -> None:
    assert report.ring0_calls < 1_000
    assert report.ring3_calls > 2_000 * report.ring0_calls
