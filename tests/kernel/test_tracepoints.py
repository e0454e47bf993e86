"""Typed tracepoints where the kernel has them, raw ones where it has not: the same counts."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .tracing import Key, Traced, Tracer, example

# What a kernel without typed tracepoints would have said of itself, kept where systrace looks.
FORGET_THEM = """
from systrace import cache, kernel
types = kernel.types()._replace(ids={})
cache.write(kernel.KIND, kernel.sources(), kernel.encode(types))
"""
INSIDE = 'mount --bind "$0" /var/cache && "$1" -I -c "$2" && shift 2 && exec "$@"'


@pytest.fixture
def without_types(tmp_path: Path) -> Sequence[str]:
    place = tmp_path / "var-cache"
    place.mkdir(mode=0o755)
    return ("unshare", "-m", "sh", "-c", INSIDE, str(place), sys.executable, FORGET_THEM)


def counts(traced: Traced) -> dict[Key, tuple[int, dict[str, int], int]]:
    assert traced.warnings == []
    return {
        key: (row["count"], row.get("errors", {}), row.get("restarted", 0))
        for key, row in traced.rows.items()
    }


@pytest.mark.parametrize("options", [(), ("--counts-only",), ("--vdso", "uprobe")])
@pytest.mark.parametrize("program", ["vdso_all", "getppid", "vfork_wait", "vdso_all_musl"])
def test_both_kinds_count_the_same(
    trace: Tracer, without_types: Sequence[str], program: str, options: Sequence[str]
) -> None:
    typed = trace(example(program), options=options)
    raw = trace(example(program), options=options, prefix=without_types)
    assert typed.report["probes"]["syscalls"] == "tp_btf"
    assert raw.report["probes"]["syscalls"] == "raw_tracepoint"
    assert counts(typed) == counts(raw)
