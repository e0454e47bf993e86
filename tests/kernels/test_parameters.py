"""What systrace and its doctor say of kernels that differ by a boot parameter, on every kernel."""

import jsonschema
import pytest

from tests.kernel.test_doctor import SCHEMA
from tests.kernel.tracing import rows

from .conftest import HPET, TSC, Boot, Booted

# What examples/vdso_all.c says of itself.
BY_CLOCK = {"CLOCK_MONOTONIC": 10_007, "CLOCK_PROCESS_CPUTIME_ID": 1_009}
NEED_THE_CLOCKSOURCE = {"gettimeofday": 1_013}
NEVER_FALL_BACK = {"clock_getres": 1_031, "getcpu": 1_021, "time": 1_019}


def counts(booted: Booted, via: str) -> dict[str, int]:
    assert booted.report is not None, booted.run.stderr
    return {name: row["count"] for (name, how, _), row in rows(booted.report).items() if how == via}


def levels(booted: Booted) -> dict[str, str]:
    document = booted.doctor.document
    jsonschema.validate(document, SCHEMA)
    assert booted.doctor.status == (0 if document["exact"] else 1)
    return {finding["subject"]: finding["level"] for finding in document["findings"]}


def outcomes(booted: Booted) -> dict[str, str]:
    return {trial["mode"]: trial["outcome"] for trial in booted.doctor.document["self_test"]}


def two_lines(stderr: str) -> str:
    assert len(stderr.splitlines()) <= 2
    return stderr


def test_with_hpet_every_clock_falls_back_and_the_verdict_says_why(boot: Boot) -> None:
    booted = boot(HPET)
    assert booted.report is not None
    assert booted.report["machine"]["clocksource"] == "hpet"
    fallen = rows(booted.report)["clock_gettime", "vdso-fallback", "x86_64"]
    assert fallen["by_clock"] == BY_CLOCK
    assert "gettimeofday" not in counts(booted, "vdso")
    assert "clock_gettime" not in counts(booted, "vdso")
    assert NEED_THE_CLOCKSOURCE.items() <= counts(booted, "vdso-fallback").items()
    assert NEVER_FALL_BACK.items() <= counts(booted, "vdso").items()
    assert (
        "clock_gettime fell back 10,007 times: clocksource hpet cannot be read in ring 3."
        in booted.table
    )
    assert "clock_gettime fell back 1,009 times: CPU-time clocks always" in booted.table


def test_with_tsc_the_same_program_stays_in_ring_3(boot: Boot) -> None:
    booted = boot(TSC)
    assert booted.report is not None
    assert booted.report["machine"]["clocksource"] == "tsc"
    served = rows(booted.report)["clock_gettime", "vdso", "x86_64"]
    fallen = rows(booted.report)["clock_gettime", "vdso-fallback", "x86_64"]
    assert {**served["by_clock"], **fallen["by_clock"]} == BY_CLOCK
    assert fallen["by_clock"] == {"CLOCK_PROCESS_CPUTIME_ID": 1_009}
    assert {**NEED_THE_CLOCKSOURCE, **NEVER_FALL_BACK}.items() <= counts(booted, "vdso").items()
    assert "cannot be read in ring 3" not in booted.table


@pytest.mark.parametrize("parameters", [HPET, TSC], ids=["hpet", "tsc"])
def test_every_mode_is_exact_with_either_clock(boot: Boot, parameters: tuple[str, ...]) -> None:
    booted = boot(parameters)
    found = levels(booted)
    assert found["clocksource"] == ("limited" if parameters == HPET else "good")
    assert [subject for subject, level in found.items() if level in ("bad", "unknown")] == []
    assert outcomes(booted) == dict.fromkeys(
        ("auto", "patch", "breakpoint", "uprobe", "off"), "exact"
    )
    assert booted.doctor.status == 0


def test_without_a_vdso_the_report_says_that_there_is_none(boot: Boot) -> None:
    booted = boot(("vdso=0",))
    assert booted.report is not None
    assert booted.report["probes"]["vdso"] == "none"
    assert counts(booted, "vdso") == counts(booted, "vdso-fallback") == {}
    assert counts(booted, "syscall")["clock_gettime"] >= sum(BY_CLOCK.values())
    assert "the target has no vDSO." in booted.table
    assert booted.patch.status == 125
    assert "this kernel runs without a vDSO" in two_lines(booted.patch.stderr)


def test_the_doctor_calls_a_kernel_without_a_vdso_exact(boot: Boot) -> None:
    booted = boot(("vdso=0",))
    assert levels(booted)["vdso"] == "limited"
    assert outcomes(booted) == {
        "auto": "exact",
        "patch": "refused",
        "breakpoint": "refused",
        "uprobe": "refused",
        "off": "exact",
    }
    assert booted.doctor.status == 0


def test_a_kernel_in_confidentiality_is_refused_by_name(boot: Boot) -> None:
    booted = boot(("lockdown=confidentiality",))
    assert booted.run.status == booted.patch.status == 125
    assert "lockdown" in two_lines(booted.run.stderr)
    assert booted.report is None
    assert [subject for subject, level in levels(booted).items() if level == "bad"] == ["lockdown"]
    assert set(outcomes(booted).values()) == {"untried"}
    assert booted.doctor.status == 1


def test_where_yama_lets_nobody_trace_run_is_refused_by_name(boot: Boot) -> None:
    booted = boot(HPET, before="echo 3 >/proc/sys/kernel/yama/ptrace_scope")
    assert booted.run.status == booted.patch.status == 125
    assert "trace" in two_lines(booted.run.stderr)
    assert booted.report is None
    assert [subject for subject, level in levels(booted).items() if level == "bad"] == ["ptrace"]
    assert booted.doctor.status == 1
