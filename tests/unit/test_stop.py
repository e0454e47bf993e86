"""Addresses that a stack holds, where a thread will come back to from a signal handler."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from systrace.target.stop import _holds_any

VDSO = 0x7FFE_559F_0000
WORDS = {struct.pack("=Q", VDSO + offset) for offset in (0x7FF, 0xA01, 0x1_0002, 0xFFFF)}


@given(st.binary(max_size=64), st.sampled_from(sorted(WORDS)), st.binary(max_size=64))
def test_an_address_is_found_wherever_it_lies(before: bytes, word: bytes, after: bytes) -> None:
    assert _holds_any(before + word + after, WORDS)


@given(st.lists(st.integers(0, 0x2_0000).map(lambda offset: struct.pack("=Q", VDSO + offset))))
def test_its_neighbours_are_not_taken_for_it(stack: list[bytes]) -> None:
    whole = b"".join(stack)
    assert _holds_any(whole, WORDS) == any(word in whole for word in WORDS)


def test_half_of_an_address_is_none() -> None:
    word = min(WORDS)
    assert not _holds_any(word[1:], WORDS)
    assert not _holds_any(word[:7], WORDS)
    assert not _holds_any(b"", WORDS)
