"""The first start compiles; later ones load what it kept, and count the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from systrace import kernel
from systrace.btf import KIND_FUNCTION, KIND_TYPEDEF, KernelTypes

from .tracing import Key, Traced, Tracer, example

COMPILER = ("libbcc", "libLLVM", "libclang")
FIRST_START_ONLY = (*COMPILER, "libbpf", "iced_x86")
KINDS = {"image", "kernel", "programs", "trampolines", "trial"}

# as root's own /var/cache, in a mount namespace of its own
ELSEWHERE = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /var/cache && exec "$@"')


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "var-cache"
    directory.mkdir(mode=0o755)
    return directory


def kept(place: Path) -> set[Path]:
    return set((place / "systrace").iterdir())


def counts(traced: Traced) -> dict[Key, int]:
    assert traced.warnings == []
    return {key: row["count"] for key, row in traced.rows.items()}


def test_a_later_start_counts_what_the_first_one_counted(trace: Tracer, place: Path) -> None:
    first, later = (
        counts(trace(example("vdso_all"), prefix=(*ELSEWHERE, str(place)))) for _ in range(2)
    )
    assert first == later
    assert {path.name.partition("-")[0] for path in kept(place)} == KINDS


def test_systrace_maps_no_compiler_and_later_no_library_of_the_first_start(
    trace: Tracer, place: Path
) -> None:
    for unwanted in (COMPILER, FIRST_START_ONLY):
        traced = trace("sh", "-c", "cat /proc/$PPID/maps", prefix=(*ELSEWHERE, str(place)))
        maps = traced.process.stdout.decode()
        assert "python" in maps
        assert [name for name in unwanted if name in maps] == []


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def backwards(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("damage", [cut_short, emptied, backwards])
def test_what_was_damaged_is_made_again(
    trace: Tracer, place: Path, damage: Callable[[Path], None]
) -> None:
    prefix = (*ELSEWHERE, str(place))
    first = counts(trace(example("getppid"), "7", prefix=prefix))
    whole = {path: path.read_bytes() for path in kept(place)}
    for path in whole:
        damage(path)
    assert counts(trace(example("getppid"), "7", prefix=prefix)) == first
    again = {path: path.read_bytes() for path in kept(place)}
    assert again.keys() == whole.keys()
    for path, data in again.items():
        if path.name.startswith("trial-"):  # a measurement: as good, not the same
            assert data.startswith(b"systrace cache")
        else:
            assert data == whole[path]


def test_where_others_can_write_every_start_is_a_first_one(trace: Tracer, place: Path) -> None:
    place.chmod(0o777)
    traced = trace(example("getppid"), "7", prefix=(*ELSEWHERE, str(place)))
    assert traced.count("getppid") == 7
    assert list(place.iterdir()) == []


def test_other_options_have_programs_of_their_own(trace: Tracer, place: Path) -> None:
    prefix = (*ELSEWHERE, str(place))
    trace("true", prefix=prefix)
    traced = trace("true", prefix=prefix, options=("--counts-only",))
    assert "total_ns" not in traced.row("execve")
    assert sum(path.name.startswith("programs-") for path in kept(place)) == 2


def test_kept_offsets_are_those_of_the_running_kernel() -> None:
    with KernelTypes() as types:
        assert kernel.offsets()["TASK_MM"] == types.offset("task_struct.mm")
        assert kernel.offsets()["UPID_SIZE"] == types.size("upid")
        assert kernel.task_iterator() == types.id("bpf_iter_task", KIND_FUNCTION)
        assert kernel.tracepoint("sys_exit") == types.id("btf_trace_sys_exit", KIND_TYPEDEF)
