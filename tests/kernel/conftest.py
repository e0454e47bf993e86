"""Programs that are built for the tests, and systrace to run them under."""

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from systrace import cache, kernel

from .live import Live, started
from .tracing import Tracer

PROGRAMS = Path(__file__).parent / "programs"

# SYSTRACE_REPEAT=20 make kernel: an exact count is exact in 20 runs of 20.
REPEAT = int(os.environ.get("SYSTRACE_REPEAT", "1"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exact: repeated SYSTRACE_REPEAT times (default 1)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("exact") and REPEAT > 1:
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(1, REPEAT + 1))


@pytest.fixture(scope="session", autouse=True)
def _raw_tracepoints() -> Iterator[None]:
    """SYSTRACE_TRACEPOINTS=raw: let systrace believe that this kernel has no typed ones."""
    sources = kernel.sources()
    if os.environ.get("SYSTRACE_TRACEPOINTS") != "raw" or sources is None:
        yield
        return
    known = kernel.types()
    raw = known._replace(ids={kernel.TASK_ITERATOR: known.ids[kernel.TASK_ITERATOR]})
    cache.write(kernel.KIND, sources, kernel.encode(raw))
    yield
    cache.write(kernel.KIND, sources, kernel.encode(known))


@pytest.fixture
def trace(tmp_path: Path) -> Tracer:
    return Tracer(tmp_path)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compile a program of ``programs/``, once for each set of flags; returns its path."""
    directory = tmp_path_factory.mktemp("programs")

    @functools.cache
    def compiled(name: str, *flags: str) -> str:
        binary = directory / "".join((name, *flags))
        compiler = ("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
        source = PROGRAMS / f"{name}.c"
        subprocess.run([*compiler, *flags, "-o", str(binary), str(source)], check=True)
        return str(binary)

    return compiled


@pytest.fixture
def target(build: Callable[..., str]) -> Iterator[Live]:
    """8 threads that call clock_gettime 10,007 times each at a SIGUSR1."""
    with started(build("on_signal")) as live:
        assert live.line() == "ready"
        yield live
