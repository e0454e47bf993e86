"""The verb doctor: where it writes, and how it ends."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from systrace.cli import diagnosing, main, streams
from systrace.doctor import examine
from systrace.doctor.findings import Diagnosis
from systrace.errors import OutputError

from .machines import GOOD
from .test_doctor import BAD, exact


@pytest.fixture(params=[True, False], ids=["exact", "inexact"])
def diagnosis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Diagnosis:
    """What a machine that was made up is found to be, by the verb as well."""
    found = examine.judge(GOOD if request.param else BAD["bcc"], exact)
    monkeypatch.setattr(examine, "gather", lambda arguments: arguments)
    monkeypatch.setattr(examine, "judge", lambda facts: facts and found)
    return found


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_it_writes_to_standard_output_and_its_exit_status_is_the_verdict(
    diagnosis: Diagnosis, option: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *option])
    assert ended.value.code == (0 if diagnosis.exact else 1)
    written = capfd.readouterr()
    assert written.err == ""
    assert written.out.startswith("{" if option else "systrace ")


@pytest.mark.parametrize("wrong", ["--jsn", "extra", "--vdso"])
def test_a_wrong_option_ends_with_2_in_two_lines(
    wrong: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", wrong]) == 2
    written = capfd.readouterr()
    assert written.out == ""
    assert len(written.err.splitlines()) <= 2


def test_a_wrong_option_of_a_verb_that_traces_still_ends_with_125() -> None:
    assert main(["run", "--jsn", "doctor"]) == 125
    assert main(["attach", "--doctor"]) == 125


@pytest.mark.usefixtures("diagnosis")
def test_what_cannot_be_written_is_an_error_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(streams, "write_all", full)
    with pytest.raises(OutputError, match="No space left"):
        diagnosing.diagnose(("doctor",), as_json=True)


def test_a_reader_that_has_left_changes_no_verdict(
    diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(streams, "write_all", left)
    with pytest.raises(SystemExit) as ended:
        diagnosing.diagnose(("doctor",), as_json=False)
    assert ended.value.code == (0 if diagnosis.exact else 1)


def test_closed_standard_output_is_an_error_and_no_verdict() -> None:
    line = [str(Path(sys.prefix) / "bin" / "systrace"), "doctor"]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *line], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "systrace: cannot write standard output: Bad file descriptor\n"
