"""No parser does worse than refuse: on all that is kept in the corpus, and on what it becomes.

``make fuzz`` goes on from here, guided by coverage. A finding is kept in the corpus.
"""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .parsers import CORPUS, PARSERS, corpus

EXAMPLES = int(os.environ.get("SYSTRACE_EXAMPLES", "150"))
HANGS_S = 60
LARGEST = 4096

# What means something to one parser or another, and numbers at which things go wrong.
TOKENS = st.sampled_from(
    [
        *(bytes([one]) for one in b'{}[]",:.=<>!%*?/-+_#@\\\0\n\r\t '),
        *(b"null", b"true", b"-1", b"1e999", b"NaN", b"18446744073709551616", b"0.5"),
        *(b"[[", b'{"a":', b"]", b"}", b"schema"),
        *(b"count", b"total_ns", b"calls", b"syscall", b"vdso", b"*.count"),
        *(b"new_calls", b"fail-if", b"elapsed", b"%network", b"+5%", b"1_000", b"2ms"),
        *(b"\xff", b"\xed\xa0\x80", "\u2028".encode(), b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"),
        *(b"\xff" * 8, b"\x00" * 8, b"\x01\x00\x00\x00\x00\x00\x00\x00", b"\xe9\xfb\xff\xff\xff"),
        *(b"-o", b"--", b"-f", b"-p", b"--interval=", b"run\0", b"attach\0", b"compare\0"),
    ]
)
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # where, as a part of the whole
        st.integers(0, 12) | st.integers(0, LARGEST),  # how many bytes go
        st.lists(TOKENS | st.binary(max_size=4), max_size=3).map(b"".join),  # and what comes
    ),
    max_size=6,
)


@pytest.fixture(autouse=True)
def _no_hang() -> Any:
    """End a parser that does not end; it takes no thousandth of that."""
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANGS_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _hangs(*_: object) -> None:
    raise AssertionError(f"it takes more than {HANGS_S} s")


def changed(seed: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for part, length, text in edits:
        at = int(part * (len(seed) + 1))
        seed = seed[:at] + text + seed[at + length :]
    return seed


@pytest.mark.parametrize(
    ("name", "file"),
    [(name, file) for name in PARSERS for file in corpus(name)],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_what_is_kept_in_the_corpus_is_read_or_refused(name: str, file: Path) -> None:
    PARSERS[name](file.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_what_becomes_of_it_is_read_or_refused(name: str) -> None:
    seeds = [content for file in corpus(name) if len(content := file.read_bytes()) <= 2 * LARGEST]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds), EDITS)
    def is_read_or_refused(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
        PARSERS[name](changed(seed, edits))

    is_read_or_refused()


def test_every_directory_of_the_corpus_is_a_parsers() -> None:
    assert {directory.name for directory in CORPUS.iterdir()} == set(PARSERS)
