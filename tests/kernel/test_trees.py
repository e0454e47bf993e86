"""Trees of many processes: every one of them, and what perf and strace count."""

import re
import subprocess
from pathlib import Path

from .perf import FIXED, NOWHERE, mount_tracefs, perf_counts
from .tracing import HANGS_S, Tracer

CHILDREN = 503
FILES = 40


def test_every_child_of_a_loop_is_counted_as_perf_counts_it(trace: Tracer, tmp_path: Path) -> None:
    mount_tracefs()
    loop = f"i=0; while [ $i -lt {CHILDREN} ]; do /bin/true; i=$((i+1)); done"
    perf = perf_counts(["raw_syscalls:sys_enter"], ("sh", "-c", loop), tmp_path / "perf")
    traced = trace("sh", "-c", loop, prefix=FIXED, capture_output=False, **NOWHERE)
    assert traced.totals["processes"] == len(traced.report["processes"]) == CHILDREN + 1
    assert traced.row("execve")["count"] == CHILDREN + 1
    assert traced.totals["ring0_calls"] == perf["raw_syscalls:sys_enter"] + 1
    assert traced.warnings == []


def test_a_parallel_build_has_as_many_execves_as_strace_counts(
    trace: Tracer, tmp_path: Path
) -> None:
    for number in range(FILES):
        (tmp_path / f"f{number}.c").write_text(f"int f{number}(void) {{ return {number}; }}\n")
    objects = " ".join(f"f{number}.o" for number in range(FILES))
    (tmp_path / "Makefile").write_text(f"all.a: {objects}\n\tar rcs $@ $^\n")
    build = ("make", "-s", "-j4", "-B", "-C", str(tmp_path))
    log = tmp_path / "log"
    strace = ("strace", "-f", "-qq", "-e", "trace=execve", "-o", str(log), *build)
    subprocess.run(strace, check=True, timeout=HANGS_S, **NOWHERE)
    # a call that another thread's line breaks in two has its second half marked so
    execves = len(re.findall(r"execve\(", log.read_text()))
    traced = trace(*build)
    assert traced.process.returncode == 0
    assert traced.row("execve")["count"] == execves > 3 * FILES
    assert traced.warnings == []
