"""Maps and programs as the compiler leaves them, and the references between the two."""

import os
import signal
import struct
from pathlib import Path

import pytest

from systrace import compiled
from systrace.bpf import MapLayout
from systrace.compiled import Compiled, Program
from systrace.compiler import Compilation
from systrace.errors import UnsupportedError

MAP_FD, MAP_VALUE = 1, 2


def wide(kind: int, low: int, high: int = 0) -> bytes:
    """BPF_LD_IMM64 into r1; ``kind`` says what the number means."""
    return struct.pack("=BBhi", 0x18, kind << 4 | 1, 0, low) + struct.pack("=BBhi", 0, 0, 0, high)


MOVE = struct.pack("=BBhi", 0xB7, 0, 0, 5)  # r0 = 5
EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)
MAPS = (MapLayout("one", 2, 4, 8, 10, 0), MapLayout("two", 1, 8, 16, 20, 1))


def test_descriptors_of_the_compiler_become_those_of_the_loader() -> None:
    code = wide(MAP_FD, 31) + MOVE + wide(MAP_FD, 30) + EXIT
    program = compiled.program(code, {30: 0, 31: 1})
    assert program.linked((100, 200)) == wide(MAP_FD, 200) + MOVE + wide(MAP_FD, 100) + EXIT


def test_a_number_that_looks_like_a_descriptor_stays() -> None:
    code = wide(0, 30, 30) + struct.pack("=BBhi", 0xB7, 1, 0, 30) + EXIT
    assert compiled.program(code, {30: 0}).linked((100,)) == code


def test_the_second_half_of_a_wide_instruction_is_none_of_its_own() -> None:
    odd = struct.unpack("=i", struct.pack("=BBh", 0x18, MAP_FD << 4, 0))[0]
    code = wide(0, 7, odd) + EXIT
    assert compiled.program(code, {}).linked(()) == code


@pytest.mark.parametrize("reference", [wide(MAP_FD, 29), wide(MAP_VALUE, 30)])
def test_a_reference_to_anything_but_a_map_is_refused(reference: bytes) -> None:
    with pytest.raises(ValueError, match="instruction 1 refers to no map"):
        compiled.program(MOVE + reference + EXIT, {30: 0})


def test_the_anchor_becomes_the_address_of_its_value() -> None:
    marked = wide(0, 0x54524143, 0x535953) + EXIT
    program = compiled.program(marked, {}, anchor=1)
    assert program.linked((100, 200)) == wide(MAP_VALUE, 200) + EXIT
    with pytest.raises(ValueError, match="instruction 0 refers to no map"):
        compiled.program(marked, {30: 0})


def test_what_is_written_down_is_read_back() -> None:
    whole = Compiled(MAPS, {"on_enter": Program(wide(MAP_FD, 0) + EXIT, ((0, 1),))})
    assert compiled.decode(compiled.encode(whole)) == whole


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"{", b'{"maps": [1], "programs": {}}'])
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        compiled.decode(text)


def test_a_compiler_that_dies_is_an_error_of_two_lines() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    compilation = Compilation(b"", [], Path(), die)
    with pytest.raises(UnsupportedError, match="ended early") as refused:
        compilation.result()
    assert len(str(refused.value).splitlines()) == 2


def test_a_compiler_that_fails_says_why() -> None:
    def fail() -> None:
        raise OSError(2, "no such library")

    with pytest.raises(UnsupportedError, match="no such library"):
        Compilation(b"", [], Path(), fail).result()


def test_a_compiler_that_nobody_waits_for_is_ended() -> None:
    compilation = Compilation(b"", [], Path(), signal.pause)
    compilation.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_ctrl_c_is_not_for_the_compiler() -> None:
    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise UnsupportedError("went on")

    with pytest.raises(UnsupportedError, match="went on"):
        Compilation(b"", [], Path(), interrupted).result()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_compiler_ends_where_nobody_is_told_of_children() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        Compilation(b"", [], Path(), signal.pause).close()
    finally:
        signal.signal(signal.SIGCHLD, before)
