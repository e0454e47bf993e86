"""Three ways to count entries into the vDSO, of which two must agree and one counts none."""

from collections.abc import Callable

import pytest

from .tracing import Key, Traced, Tracer, example

pytestmark = pytest.mark.exact

Build = Callable[..., str]
ALL_THREADS = 3 * 4 * 10_007


def vdso_rows(traced: Traced) -> dict[Key, tuple[int, dict[str, int]]]:
    """Counts of what entered the vDSO, whether it was served there or fell back."""
    return {
        key: (row["count"], row.get("by_clock", {}))
        for key, row in traced.rows.items()
        if key[1] in ("vdso", "vdso-fallback")
    }


def test_uprobes_and_trampolines_agree_on_every_function(trace: Tracer) -> None:
    patched = trace(example("vdso_all"), options=("--vdso", "patch"))
    probed = trace(example("vdso_all"), options=("--vdso", "uprobe"))
    assert (patched.report["probes"]["vdso"], probed.report["probes"]["vdso"]) == (
        "patch",
        "uprobe",
    )
    assert vdso_rows(probed) == vdso_rows(patched)
    assert len(vdso_rows(probed)) == 6
    assert probed.warnings == patched.warnings == []


@pytest.mark.parametrize("by_process", [(), ("-P",)], ids=["", "by process"])
@pytest.mark.parametrize("mode", ["patch", "uprobe"])
def test_threads_and_forked_children_are_counted_to_the_last_call(
    trace: Tracer, build: Build, mode: str, by_process: tuple[str, ...]
) -> None:
    traced = trace(build("clocks"), options=("--vdso", mode, *by_process))
    row = traced.row("clock_gettime", "vdso")
    assert row["count"] == ALL_THREADS
    assert row["by_clock"] == {"CLOCK_MONOTONIC": ALL_THREADS}
    assert traced.totals["threads"] == 3 * 5
    assert traced.warnings == []


@pytest.mark.parametrize("mode", ["patch", "uprobe"])
def test_a_child_that_is_forked_after_many_calls_lives_and_is_counted(
    trace: Tracer, build: Build, mode: str
) -> None:
    traced = trace(build("moves"), "refused", "fork", options=("--vdso", mode))
    assert traced.process.returncode == 0
    assert traced.row("clock_gettime", "vdso")["count"] == 10_007 + 1_009 + 503


def test_uprobes_change_no_system_call(trace: Tracer) -> None:
    def ring_0(traced: Traced) -> dict[Key, int]:
        return {key: row["count"] for key, row in traced.rows.items() if row["ring"] == "3->0"}

    patched = trace(example("vdso_all"), options=("--vdso", "patch"))
    probed = trace(example("vdso_all"), options=("--vdso", "uprobe"))
    off = trace(example("vdso_all"), options=("--vdso", "off"))
    assert ring_0(probed) == ring_0(patched) == ring_0(off)


def test_off_counts_nothing_in_ring_3_and_still_every_fallback(trace: Tracer) -> None:
    traced = trace(example("vdso_all"), options=("--vdso", "off"))
    assert traced.report["probes"]["vdso"] == "off"
    assert traced.totals["ring3_calls"] == 0
    assert {via for _, via, _ in traced.rows} == {"syscall", "vdso-fallback"}
    assert traced.row("clock_gettime", "vdso-fallback")["by_clock"] == {
        "CLOCK_PROCESS_CPUTIME_ID": 1_009
    }
