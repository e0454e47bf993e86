"""Where trampolines may go in a process."""

import pytest

from systrace import proc
from systrace.vdso.place import Mapping, choose, parse_maps

SIZE = 0x5000
VDSO = 0x7F00_0010_0000
GIB = 2**30


def test_the_nearest_gap_wins() -> None:
    mappings = [
        Mapping(VDSO - 0x4000, VDSO, "[vvar]"),
        Mapping(VDSO, VDSO + 0x2000, "[vdso]"),
        Mapping(VDSO + 0x2000, VDSO + 0x9000, "ld.so"),
    ]
    below, above = VDSO - 0x4000 - SIZE, VDSO + 0x9000
    assert VDSO - below == above - VDSO
    assert choose([Mapping(below, below + 1, ""), *mappings], VDSO, SIZE, brk=0) == above
    assert choose([*mappings, Mapping(above, above + 1, "")], VDSO, SIZE, brk=0) == below


def test_nothing_goes_directly_below_the_stack() -> None:
    stack = Mapping(VDSO + 0x2000 + SIZE, VDSO + 0x100000, "[stack]")
    mappings = [Mapping(VDSO, VDSO + 0x2000, "[vdso]"), stack]
    assert choose(mappings, VDSO, SIZE, brk=0) == VDSO - SIZE


def test_nothing_goes_where_the_heap_will_grow() -> None:
    mappings = [
        Mapping(VDSO - 2 * GIB, VDSO - GIB, "static-pie"),
        Mapping(VDSO, VDSO + 3 * GIB, "[vdso]"),
    ]
    assert choose(mappings, VDSO, SIZE, brk=VDSO - GIB) is None
    assert choose(mappings, VDSO, SIZE, brk=0) == VDSO - SIZE


def test_a_gap_that_is_too_small_or_too_far_is_none() -> None:
    mappings = [
        Mapping(0x10000, VDSO - SIZE + 0x1000, "a"),
        Mapping(VDSO, VDSO + 3 * GIB, "[vdso]"),
    ]
    assert choose(mappings, VDSO, SIZE, brk=0) is None


def test_maps_are_read_with_names_that_hold_spaces() -> None:
    text = (
        b"00400000-00401000 r--p 00000000 08:01 1234   /opt/a b\n"
        b"7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
    )
    assert parse_maps(proc.lines(text)) == [
        Mapping(0x400000, 0x401000, "/opt/a b"),
        Mapping(0x7F0000000000, 0x7F0000001000, ""),
    ]


@pytest.mark.parametrize("line", ["[stack]", "[stack:123]"])
def test_a_threads_stack_is_a_stack_too(line: str) -> None:
    mappings = [
        Mapping(0x10000, VDSO, "a"),
        Mapping(VDSO, VDSO + 0x2000, "[vdso]"),
        Mapping(VDSO + 3 * GIB, VDSO + 4 * GIB, line),
    ]
    assert choose(mappings, VDSO, SIZE, brk=0) is None
