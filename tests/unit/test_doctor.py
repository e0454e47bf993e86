"""What each thing that a machine lacks is called, and that it is called so once."""

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from systrace.doctor import clock, examine, limits, probing, self_test
from systrace.doctor.examine import Facts
from systrace.doctor.findings import Diagnosis, Finding, Outcome, Trial
from systrace.options import VDSO_MODES, VdsoMode
from systrace.report import Call, Exit, Machine, Probes, Report, Via

from .machines import BCC, CLOCK, FUNCTIONS, GOOD, KEPT, KERNEL, LIMITS, NO_BPF, PROBING, RIGHTS

REFUSED = "needs root to load BPF programs; try:\n  sudo -E systrace doctor"


def exact() -> Iterator[Trial]:
    for mode in VDSO_MODES:
        yield Trial(mode, "exact", mode)


def never() -> Iterator[Trial]:
    raise AssertionError("the self-test ran where it cannot")


def without(**lacking: object) -> Facts:
    return replace(GOOD, **lacking)  # type: ignore[arg-type]


def found(diagnosis: Diagnosis, *levels: str) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.level in levels]


def test_a_machine_with_everything_is_good_and_exact() -> None:
    diagnosis = examine.judge(GOOD, exact)
    assert found(diagnosis, "limited", "bad", "unknown") == []
    assert diagnosis.exact
    subjects = [finding.subject for finding in diagnosis.findings]
    assert len(subjects) == len(set(subjects)) == 16


BAD = {
    "privilege": without(rights=replace(RIGHTS, refusal=REFUSED)),
    "ptrace": without(rights=replace(RIGHTS, ptrace_scope=3)),
    "architecture": without(kernel=replace(KERNEL, arch="riscv64")),
    "lockdown": without(kernel=replace(KERNEL, lockdown="confidentiality")),
    "bpf": without(kernel=NO_BPF, probing=replace(PROBING, slots=None)),
    "btf": without(kernel=replace(KERNEL, btf_bytes=None, btf_refusal="no type information")),
    "raw_tracepoints": without(
        kernel=replace(KERNEL, tracepoints={**KERNEL.tracepoints, "sys_enter": errno.ENOENT})
    ),
    "bcc": without(bcc=replace(BCC, refusal="bcc is not installed\napt-get install it")),
}


@pytest.mark.parametrize("subject", BAD)
def test_what_run_cannot_do_without_is_one_bad_finding_and_ends_the_examination(
    subject: str,
) -> None:
    diagnosis = examine.judge(BAD[subject], never)
    assert [finding.subject for finding in found(diagnosis, "bad")] == [subject]
    assert found(diagnosis, "limited") == []
    assert not diagnosis.exact
    assert {trial.outcome for trial in diagnosis.trials} == {"untried"}
    assert [trial.mode for trial in diagnosis.trials] == list(VDSO_MODES)
    assert all(subject in trial.says for trial in diagnosis.trials)


LIMITED = {
    "privilege": without(rights=replace(RIGHTS, uid=1000, lacking={"CAP_X": "no trampolines"})),
    "seccomp": without(rights=replace(RIGHTS, seccomp="2")),
    "kernel": without(kernel=replace(KERNEL, release="5.14.21-generic")),
    "raw_tracepoints": without(
        kernel=replace(KERNEL, tracepoints={**KERNEL.tracepoints, "emulate_vsyscall": errno.ENOENT})
    ),
    "cache": without(kept=replace(KEPT, refusal="others than root can write to /var/cache")),
    "cgroup_memory": without(limits=replace(LIMITS, cgroup=100 << 20)),
    "memlock": without(limits=replace(LIMITS, version=(5, 10))),
    "clocksource": without(clock=replace(CLOCK, clocksource="hpet")),
    "vdso": without(clock=replace(CLOCK, functions={})),
    "breakpoints": without(probing=replace(PROBING, slots=3, slots_errno=errno.ENOSPC)),
    "uprobes": without(probing=replace(PROBING, uprobes=False)),
}


@pytest.mark.parametrize("subject", LIMITED)
def test_what_run_can_do_without_is_one_limited_finding_and_leaves_run_exact(subject: str) -> None:
    diagnosis = examine.judge(LIMITED[subject], exact)
    assert [finding.subject for finding in found(diagnosis, "limited")] == [subject]
    assert found(diagnosis, "bad", "unknown") == []
    assert diagnosis.exact


def test_who_may_keep_nothing_is_told_so() -> None:
    diagnosis = examine.judge(without(kept=replace(KEPT, root=False)), exact)
    (finding,) = found(diagnosis, "limited")
    assert finding.subject == "cache"
    assert "root alone" in finding.says


@pytest.mark.parametrize("facts", [*BAD.values(), *LIMITED.values()])
def test_whatever_is_not_good_has_a_consequence_and_a_remedy(facts: Facts) -> None:
    diagnosis = examine.judge(facts, exact if facts in LIMITED.values() else never)
    for finding in found(diagnosis, "limited", "bad"):
        assert finding.consequence
        assert finding.remedy
    for finding in found(diagnosis, "unknown"):
        assert finding.remedy


def test_without_privileges_nothing_that_needs_them_is_called_bad() -> None:
    denied = dict.fromkeys(KERNEL.tracepoints, errno.EPERM)
    facts = replace(
        BAD["privilege"],
        kernel=replace(KERNEL, tracepoints=denied),
        probing=probing.Facts(None, errno.EPERM, uprobes=True),
    )
    diagnosis = examine.judge(facts, never)
    assert [finding.subject for finding in found(diagnosis, "bad")] == ["privilege"]
    unknown = [finding.subject for finding in found(diagnosis, "unknown")]
    assert unknown == ["raw_tracepoints", "breakpoints"]
    assert not diagnosis.exact


def test_a_missing_libbpf_is_bccs_fault_and_not_btfs() -> None:
    missing = "libbpf is missing\ninstall it"
    facts = without(
        kernel=replace(KERNEL, libbpf=False, btf_refusal="libbpf is missing"),
        bcc=replace(BCC, libbpf_refusal=missing),
    )
    diagnosis = examine.judge(facts, never)
    assert [finding.subject for finding in found(diagnosis, "bad")] == ["bcc"]
    assert [finding.subject for finding in found(diagnosis, "unknown")] == ["btf"]


def test_a_function_that_cannot_be_patched_is_bad_and_the_self_test_runs_all_the_same() -> None:
    functions = {**CLOCK.functions, "getcpu": "its first instructions cannot be moved"}
    diagnosis = examine.judge(without(clock=replace(CLOCK, functions=functions)), exact)
    (finding,) = found(diagnosis, "bad")
    assert finding.subject == "vdso"
    assert "getcpu (its first instructions cannot be moved)" in finding.says
    assert "gettimeofday" not in finding.says
    assert not diagnosis.exact


def test_a_clocksource_that_can_be_had_is_the_remedy_and_otherwise_a_boot_option() -> None:
    def remedy(*available: str) -> str:
        facts = clock.Facts("hpet", available, functions=CLOCK.functions)
        return next(iter(clock.judge(facts))).remedy

    assert "echo tsc >" in remedy("hpet", "tsc")
    assert "clocksource=tsc" in remedy("hpet", "acpi_pm")


def test_breakpoints_in_use_are_told_from_those_that_are_not_permitted() -> None:
    def told(number: int) -> str:
        finding = next(iter(probing.judge(probing.Facts(1, number, uprobes=True), 6)))
        return f"{finding.says}; {finding.remedy}"

    assert "debugger" in told(errno.ENOSPC)
    assert "Linux 5.13" in told(errno.EINVAL)
    assert "Operation not permitted; sysctl kernel.perf_event_paranoid" in told(errno.EPERM)


@pytest.mark.parametrize("outcome", ["wrong", "refused", "untried"])
def test_run_is_exact_only_where_its_default_was(outcome: Outcome) -> None:
    def trials() -> Iterator[Trial]:
        for trial in exact():
            yield replace(trial, outcome=outcome) if trial.mode == "auto" else trial

    assert not examine.judge(GOOD, trials).exact


@pytest.mark.parametrize("mode", ["breakpoint", "uprobe", "patch", "off"])
def test_a_mode_that_run_does_not_use_by_itself_may_be_refused(mode: VdsoMode) -> None:
    def trials() -> Iterator[Trial]:
        for trial in exact():
            yield replace(trial, outcome="refused") if trial.mode == mode else trial

    assert examine.judge(GOOD, trials).exact


GETPPID, CLOCK_GETTIME = (a + b for a, b in zip(self_test.FIRST, self_test.SECOND, strict=True))


def workload(
    counted_by: str = "patch",
    *,
    getppid: int = GETPPID,
    served: int = CLOCK_GETTIME,
    fallen: int = 0,
    lost: int = 0,
    incomplete: tuple[str, ...] = (),
    end: Exit = Exit(code=0),  # noqa: B008 - frozen
) -> Report:
    """A report of the workload, with calls of others in it."""

    def clocked(via: Via, count: int) -> Call:
        clocks = {"CLOCK_TAI": count, "CLOCK_MONOTONIC": 7}
        return Call("clock_gettime", via, "x86_64", count + 7, by_clock=clocks)

    return Report(
        command=("python3",),
        exit=end,
        started="2026-11-22T10:00:00Z",
        elapsed_ns=1,
        machine=Machine("6.18.44", "x86_64", 2, "tsc"),
        probes=Probes("raw_tracepoint", counted_by),
        calls=(
            Call("getppid", "syscall", "x86_64", getppid),
            Call("read", "syscall", "x86_64", 99),
            clocked("vdso", served),
            clocked("vdso-fallback", fallen),
        ),
        process_count=2,
        thread_count=2,
        lost=lost,
        incomplete=incomplete,
    )


def test_the_self_test_is_exact_where_every_call_is_there() -> None:
    trial = self_test.judge("auto", workload())
    assert (trial.outcome, trial.says, trial.counted_by) == ("exact", "", "patch")
    assert trial.counted == trial.expected == {"getppid": GETPPID, "clock_gettime": CLOCK_GETTIME}


def test_vdso_calls_that_fell_back_are_there_too() -> None:
    fallen = workload(served=11, fallen=CLOCK_GETTIME - 11)
    assert self_test.judge("patch", fallen).outcome == "exact"


@pytest.mark.parametrize("counted_by", ["off", "none"])
def test_where_no_vdso_call_is_counted_none_is_expected(counted_by: str) -> None:
    trial = self_test.judge("off", workload(counted_by, served=0))
    assert trial.outcome == "exact"
    assert trial.expected == {"getppid": GETPPID}


@pytest.mark.parametrize(
    "report",
    [
        workload(getppid=GETPPID - 1),
        workload(getppid=GETPPID + 1),
        workload(served=CLOCK_GETTIME - 1),
        workload(served=CLOCK_GETTIME, fallen=1),
        workload(lost=1),
        workload(end=Exit(code=1)),
        workload(end=Exit(signal=11)),
        workload("uncounted", served=0, incomplete=("vdso",)),
        workload("breakpoint", incomplete=("vdso getcpu",)),
    ],
    ids=["fewer", "more", "vdso", "fallback", "lost", "failed", "killed", "uncounted", "left out"],
)
def test_one_call_too_few_or_too_many_is_wrong_and_named(report: Report) -> None:
    trial = self_test.judge("auto", report)
    assert trial.outcome == "wrong"
    assert trial.says


def test_what_breakpoints_leave_out_is_no_fault_where_they_were_asked_for() -> None:
    left_out = workload("breakpoint", incomplete=("vdso getcpu", "vdso getrandom"))
    assert self_test.judge("breakpoint", left_out).outcome == "exact"
    assert "vdso getcpu, vdso getrandom" in self_test.judge("auto", left_out).says


def test_both_totals_of_the_workload_are_prime() -> None:
    for total in (GETPPID, CLOCK_GETTIME):
        assert all(total % factor for factor in range(2, int(total**0.5) + 1))


@pytest.mark.parametrize(
    ("membership", "limit"),
    [
        ("0::/a/b", 300),
        ("0::/a", 500),
        ("0::/", None),
        ("4:cpu:/\n3:memory:/x\n0::/", 200),
        ("0::/gone", None),
        ("", None),
    ],
)
def test_the_tightest_limit_on_the_way_up_counts(
    tmp_path: Path, membership: str, limit: int | None
) -> None:
    for name, text in {
        "a/memory.max": "500",
        "a/b/memory.max": "max",
        "a/b/../memory.low": "1",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/x/memory.limit_in_bytes": "200",
    }.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "sys/fs/cgroup/a/b/memory.max").write_text("300" if limit == 300 else "max")
    assert limits.tightest(membership, tmp_path) == limit


def test_all_of_the_vdsos_functions_are_in_the_facts() -> None:
    facts = clock.gather()
    assert set(facts.functions) <= {*FUNCTIONS, "clock_gettime64"}
    assert facts.functions, "this machine has a vDSO"
