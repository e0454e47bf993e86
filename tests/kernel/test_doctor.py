"""The doctor on this machine, and with one thing taken away from it."""

import errno
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import systrace
from systrace.doctor import probing, self_test
from systrace.vdso.breakpoint import SLOTS

from .tracing import HANGS_S, SYSTRACE, Tracer

SCHEMA = json.loads(Path(systrace.__file__).with_name("doctor.schema.json").read_text())
NR_BPF, NR_PERF_EVENT_OPEN = 321, 298
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def doctor(*prefix: str) -> tuple[int, dict[str, Any]]:
    command = [*prefix, str(SYSTRACE), "doctor", "--json"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=HANGS_S
    )
    assert done.stderr == b""
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert done.returncode == (0 if document["exact"] else 1)
    return done.returncode, document


def bad(document: dict[str, Any]) -> list[str]:
    return [item["subject"] for item in document["findings"] if item["level"] == "bad"]


def test_every_mode_counts_the_known_workload_to_the_last_call() -> None:
    status, document = doctor()
    assert [trial["outcome"] for trial in document["self_test"]] == ["exact"] * 5
    assert [trial["counted_by"] for trial in document["self_test"]] == [
        "patch",
        "patch",
        "breakpoint",
        "uprobe",
        "off",
    ]
    for trial in document["self_test"][:4]:
        assert trial["counted"] == {"getppid": 313, "clock_gettime": 2011}
    assert document["self_test"][4]["counted"] == {"getppid": 313}
    assert status == 0


def test_costs_are_in_their_natural_order() -> None:
    _, document = doctor()
    costs = document["costs"]
    assert 0 < costs["vdso_call_ns"] < costs["breakpoint_hit_ns"]
    assert 0 < costs["system_call_ns"] < costs["breakpoint_hit_ns"]


def test_without_capabilities_it_says_what_it_can_and_ends_with_1() -> None:
    status, document = doctor(*WITHOUT_CAPABILITIES)
    assert status == 1
    assert bad(document) == ["privilege"]
    assert {trial["outcome"] for trial in document["self_test"]} == {"untried"}
    levels = {item["subject"]: item["level"] for item in document["findings"]}
    assert (levels["bpf"], levels["breakpoints"]) == ("unknown", "unknown")
    assert (levels["btf"], levels["bcc"], levels["vdso"]) == ("good", "good", "good")


def test_a_kernel_without_bpf_is_one_bad_finding(build: Callable[..., str]) -> None:
    status, document = doctor(build("without_syscall"), str(NR_BPF), str(errno.ENOSYS))
    assert status == 1
    assert bad(document) == ["bpf"]


def test_a_machine_without_breakpoints_is_exact_by_patching(build: Callable[..., str]) -> None:
    status, document = doctor(build("without_syscall"), str(NR_PERF_EVENT_OPEN), str(errno.ENOENT))
    assert bad(document) == []
    outcomes = {trial["mode"]: trial["outcome"] for trial in document["self_test"]}
    assert outcomes["breakpoint"] == "refused"
    assert (outcomes["auto"], outcomes["patch"], outcomes["off"]) == ("exact", "exact", "exact")
    assert status == 0


def test_breakpoints_that_somebody_holds_are_not_counted_as_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = probing.gather()
    monkeypatch.setattr(probing, "SLOTS", SLOTS + 1)
    too_many = probing.gather()
    assert (free.slots, free.slots_errno) == (4, 0)
    assert (too_many.slots, too_many.slots_errno) == (4, errno.ENOSPC)


def test_the_workload_is_counted_alike_by_the_command_line(trace: Tracer) -> None:
    traced = trace(*self_test.command(), options=("--vdso", "off"))
    assert traced.count("getppid") == 313
    assert traced.totals["processes"] == 2


@pytest.mark.filterwarnings("ignore:not a bytes object:DeprecationWarning")  # bcc's own
@pytest.mark.parametrize("place", [-4, -3, -2, -1])
def test_one_call_that_the_workload_does_not_make_is_missed(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    lacking = list(self_test.command())
    lacking[place] = str(int(lacking[place]) - 1)
    monkeypatch.setattr(self_test, "command", lambda: tuple(lacking))
    monkeypatch.setattr(self_test, "VDSO_MODES", ("patch",))
    (trial,) = self_test.run()
    assert trial.outcome == "wrong"
    assert "312 of 313" in trial.says or "2,010 of 2,011" in trial.says
